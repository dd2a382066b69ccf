package attack

import "bytes"

// anywhere judges names of Python's and FreeMarker's internals, which are no words of
// any text: chained they count outside of expressions, too.
func (s *sstiScan) anywhere(w string, n int) int {
	after := s.after(n)
	switch w {
	case "__mro__", "__subclasses__", "__globals__", "__builtins__":
		if s.chained() && (s.before() == '.' || s.before() == '[') && len(after) > 0 && bytes.IndexByte([]byte(".[("), after[0]) >= 0 {
			return sstiObject
		}
	case "new":
		if s.before() == '?' && len(after) > 0 && after[0] == '(' {
			return sstiCall
		}
	case "freemarker":
		if hasPrefixFold(after, ".template.utility.") {
			return sstiCall
		}
	}
	return -1
}

// chained reports whether the name before the one that stands here is one of Python's
// internals, of the same expression.
func (s *sstiScan) chained() bool {
	return len(s.last) > 4 && s.last[0] == '_' && s.last[1] == '_' && s.i-s.lastEnd <= 4
}

// inside judges a name within an expression.
func (s *sstiScan) inside(w string, n int) int {
	after := s.after(n)
	switch w {
	case "__mro__", "__subclasses__", "__globals__", "__builtins__", "__import__", "__base__", "__bases__", "__getattribute__", "__getitem__", "__code__", "__loader__", "__proto__", "_context",
		"_templatereference__context", "smarty_internal_write_file":
		return sstiObject
	case "__class__":
		return only(!hasPrefixFold(after, ".__name__"), sstiObject)
	case "__init__":
		return only(s.before() == '.' && !hasPrefixFold(after, ".py"), sstiObject)
	case "app":
		return only(hasPrefixFold(after, ".request.server"), sstiObject)
	case "file_excerpt":
		return only(s.behind('|') && calls(after), sstiObject)
	case "setattribute":
		return only(s.before() == '.' && callsWithText(after), sstiObject)
	case "print":
		return only(s.b[s.begin] == '{' && s.b[s.begin+1] == '%' && s.first() && calls(after), sstiObject)
	case "include":
		return only(s.first() && includesFile(after), sstiObject)
	case "x5f": // __ in hexadecimal
		return only(hasPrefixFold(after, "\\x5f"), sstiObject)
	case "subclasses", "mro":
		return only(calls(after) && s.before() == '.', sstiObject)
	case "attr":
		return only(calls(after) && s.behind('|'), sstiObject)
	case "api":
		return only(s.before() == '?', sstiObject)
	case "_self":
		return only(hasPrefixFold(after, ".env"), sstiObject)
	case "config":
		return only(s.before() != '.' && (hasPrefixFold(after, ".items(") || hasPrefixFold(after, ".iteritems(") || hasPrefixFold(after, ".from_") || hasPrefixFold(after, ".secret_key") || hasPrefixFold(after, "['secret_key")), sstiObject)
	case "settings":
		return only(hasPrefixFold(after, ".secret_key"), sstiObject)
	case "signer":
		return only(hasPrefixFold(after, ".key"), sstiObject)
	case "smarty":
		return only(s.before() == '$' && isSmartyInternal(after), sstiObject)
	case "request":
		return only(hasPrefixFold(after, ".application") || hasPrefixFold(after, ".environ"), sstiObject)
	case "dump":
		return only(calls(after) && s.first(), sstiObject)
	case "constructor":
		return s.constructor(after)
	case "debug", "get_admin_log":
		return only(s.b[s.begin+1] == '%' && s.first(), sstiObject)
	case "self", "cycler", "joiner", "lipsum", "applicationscope", "url_for", "get_flashed_messages":
		return only(s.first() && s.alone(after), sstiName)
	}
	return s.running(w, after)
}

// running judges a name that may be that of a function or a class that runs code.
func (s *sstiScan) running(w string, after []byte) int {
	switch w {
	case "popen", "popen2", "popen3", "getclassloader", "getresource", "shell_exec", "passthru", "phpinfo", "proc_open", "pcntl_exec", "getruntime", "execsync", "spawnsync", "file_get_contents", "readfile",
		"forname", "newinstance", "getenginebyname", "getprotectiondomain", "loadclass", "check_output", "getdeclaredmethod", "registerundefinedfiltercallback", "registerundefinedfunctioncallback":
		return only(calls(after) || s.isFilter(), sstiCall)
	case "processbuilder", "child_process", "scriptenginemanager":
		return sstiCall
	case "mainmodule":
		return only(s.before() == '.', sstiCall)
	case "system", "exec", "eval", "assert", "execute":
		return only(callsWithText(after) || s.isFilter() || s.behind('|') && ends(skipBlanks(after)) || calls(after) && s.isOS() || w == "system" && s.isMethodOfGo(after), sstiCall)
	case "chr":
		return only(s.first() && s.b[s.begin] == '{' && calls(after), sstiCall)
	case "getclass":
		return only(s.before() == '.' && calls(after), sstiCall)
	case "subprocess":
		return only(len(after) > 0 && after[0] == '.', sstiCall)
	case "java", "javax":
		return only(isJavaClass(after), sstiCall)
	case "diagnostics":
		return only(hasPrefixFold(after, ".process"), sstiCall)
	case "import":
		return only((s.b[s.begin+1] == '%') && s.first() && isPythonModule(after), sstiCall)
	case "dir", "io", "file", "kernel":
		return only(readsRubyFile(after), sstiCall)
	case "php":
		return only(s.b[s.begin] == '{' && s.i == s.begin+1 && len(after) > 0 && after[0] == '}', sstiCall)
	}
	return -1
}

// only is rule if ok, else none.
func only(ok bool, rule int) int {
	if ok {
		return rule
	}
	return -1
}

// calls reports whether b, behind a name, begins the arguments of a call.
func calls(b []byte) bool {
	b = skipBlanks(b)
	return len(b) > 0 && b[0] == '('
}

// callsWithText reports whether b, behind a name, begins a call with quoted text.
func callsWithText(b []byte) bool {
	b = skipBlanks(b)
	if len(b) == 0 || b[0] != '(' {
		return false
	}
	b = bytes.TrimLeft(skipBlanks(b[1:]), "\\(")
	return len(b) > 0 && (b[0] == '\'' || b[0] == '"' || b[0] == '`')
}

// behind reports whether c stands before the name here, blanks apart.
func (s *sstiScan) behind(c byte) bool {
	for i := s.i - 1; i >= max(0, s.i-8); i-- {
		if s.b[i] != ' ' {
			return s.b[i] == c
		}
	}
	return false
}

// first reports whether the name here is the first of its expression.
func (s *sstiScan) first() bool { return s.lastEnd <= s.begin }

// alone reports whether after, behind the first name of an expression, ends it.
func (s *sstiScan) alone(after []byte) bool {
	return s.b[s.begin] == '{' && ends(skipBlanks(after))
}

// isOS reports whether the name before is that of Python's module.
func (s *sstiScan) isOS() bool { return string(s.last) == "os" && s.i-s.lastEnd == 1 }

// isMethodOfGo reports whether the name here is that of a method in a template of Go, with
// quoted text for it.
func (s *sstiScan) isMethodOfGo(after []byte) bool {
	return s.before() == '.' && s.first() && len(after) > 1 && after[0] == ' ' && (after[1] == '"' || after[1] == '`')
}

// includesFile reports whether b, behind include, names a file that is no template.
func includesFile(b []byte) bool {
	if !callsWithText(b) {
		return false
	}
	arg := bytes.TrimLeft(skipBlanks(b), "( '\"")
	return bytes.HasPrefix(arg, []byte("/")) || bytes.HasPrefix(arg, []byte("..")) || containsFold(arg, ".php")
}

// isFilter reports whether the name here is quoted, as the argument of a filter that
// calls it.
func (s *sstiScan) isFilter() bool {
	if q := s.before(); q != '\'' && q != '"' || s.i-s.lastEnd > 4 {
		return false
	}
	switch string(s.last) {
	case "filter", "map", "sort", "reduce", "call", "call_user_func", "array_map", "usort", "find":
		return bytes.IndexByte(s.b[s.lastEnd:s.i], '(') >= 0
	}
	return false
}

// constructor judges the name by which script gets at the function that compiles code.
func (s *sstiScan) constructor(after []byte) int {
	quoted := s.before() == '\'' || s.before() == '"'
	switch {
	case callsWithText(after), hasPrefixFold(after, ".constructor"), hasPrefixFold(after, ".prototype"), hasPrefixFold(after, "["):
		return sstiCall
	case quoted:
		return sstiObject
	}
	return -1
}

func isSmartyInternal(b []byte) bool {
	for _, name := range [...]string{".version", ".template_object", ".current_dir", ".server", ".env"} {
		if hasPrefixFold(b, name) {
			return true
		}
	}
	return false
}

// isJavaClass reports whether b, behind java or javax, goes on to the name of a class,
// which begins with a capital. Names of settings, java.io.tmpdir, do not.
func isJavaClass(b []byte) bool {
	for len(b) > 1 && b[0] == '.' {
		n := wordLen(b[1:])
		if n > 0 && b[1] >= 'A' && b[1] <= 'Z' {
			return true
		}
		b = b[1+n:]
	}
	return false
}

// isPythonModule reports whether b, behind import, names a module that reaches out of
// the interpreter.
func isPythonModule(b []byte) bool {
	b = skipBlanks(b)
	switch string(b[:wordLen(b)]) {
	case "os", "sys", "subprocess", "socket", "pty", "commands", "importlib", "ctypes":
		return true
	}
	return false
}

// readsRubyFile reports whether b, behind the name of a class of Ruby, calls a method of it
// that opens a named file.
func readsRubyFile(b []byte) bool {
	if len(b) < 2 || b[0] != '.' {
		return false
	}
	n := wordLen(b[1:])
	switch string(b[1 : 1+n]) {
	case "open", "read", "popen", "entries", "glob", "readlines", "foreach", "exec", "system":
		return callsWithText(b[1+n:])
	}
	return false
}
