package attack

import "bytes"

// callKind is what a function does that attacks call.
type callKind uint8

const (
	notCall     callKind = iota
	callRun              // runs a command
	callMethod           // the same where it is no method of something else
	callEval             // runs code
	callProbe            // shows what the host knows, or waits
	callLoad             // loads a module
	callFile             // reads a file
	callLookup           // finds a class
	callSend             // calls what it is told, in Ruby
	callExecute          // runs the string that it belongs to, in Groovy
)

// maxCallee is how much of what is called is read, in bytes.
const maxCallee = 64

// callee returns what is called by the parenthesis at text[open], with its
// qualifiers, and its last name.
func callee(text []byte, open int) (all, name []byte) {
	end := open
	for end > 0 && open-end < 4 && text[end-1] == ' ' {
		end--
	}
	start, last := end, -1
	for start > 0 && end-start < maxCallee {
		c := text[start-1]
		switch {
		case classOf[c]&(letter|digit) != 0 || c == '_' || c == '$' || c == '@':
		case c == '.' || c == ':' || c == '>' || c == '-' && start < end && text[start] == '>' || c == '\\':
			if last < 0 {
				last = start
			}
		case c == ')' && start > 1 && text[start-2] == '(' && last >= 0:
			start--
		default:
			return text[start:end], text[max(last, start):end]
		}
		start--
	}
	return text[start:end], text[max(last, start):end]
}

// callOf returns what the function called name does, in lower case.
func callOf(name []byte) callKind {
	var buf [24]byte
	if len(name) < 3 || len(name) > len(buf) {
		return notCall
	}
	switch string(lowered(buf[:0], bytes.TrimLeft(name, "@"))) {
	case "system", "shell_exec", "passthru", "popen", "popen2", "popen3", "proc_open", "pcntl_exec", "execsync",
		"check_output", "getoutput", "getstatusoutput", "check_call", "capture2", "capture2e", "capture3":
		return callRun
	case "exec", "spawn", "spawnsync", "execfile", "execfilesync", "call", "run", "fork":
		return callMethod
	case "eval", "assert", "create_function", "call_user_func", "call_user_func_array", "instance_eval", "class_eval", "compile", "function",
		"runinthiscontext", "runinnewcontext", "__import__", "include", "include_once", "require_once", "preg_replace", "str_rot13", "base64_decode",
		"array_map", "array_filter", "usort", "register_shutdown_function", "gzinflate", "gzuncompress", "hex2bin", "chr":
		return callEval
	case "phpinfo", "phpversion", "php_uname", "getcwd", "get_current_user", "sleep", "usleep", "md5", "print", "die", "var_dump", "print_r",
		"highlight_file", "show_source", "getenv", "exit", "kill", "end", "putenv", "ini_set", "set_time_limit", "printenv":
		return callProbe
	case "require", "import", "_load", "getbuiltinmodule", "binding":
		return callLoad
	case "file_get_contents", "readfile", "file_put_contents", "fopen", "open", "read", "readlines", "readfilesync", "readdirsync", "writefilesync", "scandir", "file",
		"unlink":
		return callFile
	case "send", "__send__", "public_send":
		return callSend
	case "execute":
		return callExecute
	case "forname", "getruntime", "processbuilder", "getenginebyname", "newinstance", "loadclass", "getmethod", "invoke", "t", "constructor":
		return callLookup
	}
	return notCall
}

// argumentOf is what a call is given, as far as it is read.
type argumentOf struct {
	literal []byte // a string, or the beginning of one
	empty   bool
	request bool // a variable of the request
	nested  bool // another call that decodes or runs
	number  bool
	after   []byte // what follows the call, where its end was found
	closed  bool
}

// maxArgument is how much of an argument is read, in bytes.
const maxArgument = 256

// argumentAt reads the argument of the call whose parenthesis is text[open].
func argumentAt(text []byte, open int) (a argumentOf) {
	b := text[open+1 : min(len(text), open+1+maxArgument)]
	b = bytes.TrimLeft(b, " \t\r\n([")
	if len(b) == 0 {
		return a
	}
	switch c := b[0]; {
	case c == ')':
		a.empty, a.closed, a.after = true, true, b[1:]
		return a
	case c == '\'' || c == '"' || c == '`':
		a.literal = b[1:]
		if end := bytes.IndexByte(b[1:], c); end >= 0 {
			a.literal = b[1 : 1+end]
		}
	case c == 'f' && len(b) > 1 && b[1] == '\'':
		a.literal = b[2:]
	case classOf[c]&digit != 0:
		a.number = true
	}
	if a.literal == nil || bytes.IndexByte(b[:min(len(b), maxSign)], '$') >= 0 {
		a.signs(b[:min(len(b), maxSign)])
	}
	if end := bytes.IndexByte(b, ')'); end >= 0 {
		a.closed, a.after = true, b[end+1:]
	}
	return a
}

// maxSign is how much of an argument is searched for signs, in bytes.
const maxSign = 96

// signs looks for what an argument is made of.
func (a *argumentOf) signs(b []byte) {
	for i, c := range b {
		switch lower(c) {
		case '$':
			a.request = a.request || startsWithAny(b[i:], "$_get", "$_post", "$_request", "$_cookie", "$_server")
		case 'r':
			a.request = a.request || startsWithAny(b[i:], "request.getparameter", "req.query", "req.body", "request.args")
		case 'p':
			a.request = a.request || startsWithAny(b[i:], "params[")
			a.nested = a.nested || startsWithAny(b[i:], "phpinfo(")
		case 'b':
			a.nested = a.nested || startsWithAny(b[i:], "base64_decode(", "b64decode(", "buffer.from(")
		case 'g', 's', 'h', 'c', 'a', 'f':
			a.nested = a.nested || startsWithAny(b[i:], "gzinflate(", "str_rot13(", "system(", "hex2bin(", "chr(", "compile(", "atob(", "fromcharcode(")
		}
	}
}

// startsWithAny reports whether b begins with one of names, in any case.
func startsWithAny(b []byte, names ...string) bool {
	for _, name := range names {
		if len(b) > 1 && lower(b[1]) == name[1] && foldedPrefix(b, name) {
			return true
		}
	}
	return false
}

// foldedContains reports whether name, in lower case, stands in b in any case.
func foldedContains(b []byte, name string) bool {
	for i := 0; i+len(name) <= len(b); i++ {
		if lower(b[i]) == name[0] && foldedPrefix(b[i:], name) {
			return true
		}
	}
	return false
}

// call judges the call whose parenthesis is text[open].
func (s *codeScan) call(open int) {
	if open > 0 && (s.text[open-1] == ')' || s.text[open-1] == '"' || s.text[open-1] == '\'') {
		s.named(open)
		return
	}
	all, name := callee(s.text, open)
	kind := callOf(name)
	if string(all) == "T" {
		kind = callLookup // SpEL's T(class)
	}
	if kind == notCall {
		return
	}
	a := argumentAt(s.text, open)
	at := open - len(all)
	for at > 0 && s.text[at-1] == ' ' && open-at < maxCallee+4 {
		at--
	}
	switch kind {
	case callRun, callMethod:
		s.run(at, all, name, kind, &a)
	case callEval:
		s.eval(at, all, name, &a)
	case callProbe:
		s.probe(at, all, name, &a)
	case callLoad:
		s.load(at, &a)
	case callFile:
		s.file(at, all, &a)
	case callSend:
		rest := s.text[open+1:]
		if end := bytes.IndexAny(rest[:min(len(rest), 24)], ",)"); end > 1 && rest[0] == ':' && callOf(rest[1:end]) == callRun {
			s.note(codeRuby, at)
		}
	case callExecute:
		s.execute(open - len(all))
	case callLookup:
		s.lookup(at, open, all, name, &a)
	}
}

// maxQuoted is how much of a string is read as a command, in bytes.
const maxQuoted = 96

// execute judges Groovy's "id".execute(), whose string ends at text[end].
func (s *codeScan) execute(end int) {
	if end < 2 || classOf[s.text[end-1]]&quote == 0 {
		return
	}
	from := max(0, end-1-maxQuoted)
	start := bytes.LastIndexByte(s.text[from:end-1], s.text[end-1])
	if start >= 0 && commandIn(s.text[from+start+1:end-1]) && s.words.before(s.text, from+start) < beforeText {
		s.note(codeJava, from+start)
	}
}

// commandIn reports whether a literal is a command.
func commandIn(literal []byte) bool {
	literal = bytes.TrimLeft(literal[:min(len(literal), maxQuoted)], " ;|&")
	c := readCommand(literal)
	if c.kind == notCommand {
		return false
	}
	return c.kind != commandWord || c.count > 0 || c.bin
}

// run judges a call that runs a command.
func (s *codeScan) run(at int, all, name []byte, kind callKind, a *argumentOf) {
	head := s.words.before(s.text, at)
	qualified := len(all) > len(name)
	process := qualified && (foldedContains(all, "os.") || foldedContains(all, "process") || foldedContains(all, "runtime") || foldedContains(all, "kernel") ||
		foldedContains(all, "open3") || foldedContains(all, "commands."))
	if kind == callMethod && qualified && !process {
		if head < beforeText && a.literal != nil && commandIn(a.literal) && foldedContains(s.text[max(0, at-128):at+len(all)], "require(") {
			s.note(codeNode, at)
		}
		return
	}
	if kind == callMethod && !qualified && !bytes.EqualFold(name, []byte("exec")) {
		return
	}
	if qualified && !process && bytes.IndexByte(all, '$') < 0 && !bytes.EqualFold(all[:min(len(all), 3)], []byte("IO.")) && a.literal == nil {
		return
	}
	command := a.literal != nil && commandIn(a.literal)
	rule := codeRun
	if foldedContains(all, "runtime") {
		rule = codeJava
	}
	switch {
	case a.request, bytes.HasSuffix(s.text[:at], []byte("${")) && a.closed:
		s.note(codePHP, at)
	case command && a.closed && isProse(a.after):
		s.note(codeSuspect, at)
	case command && (head == beforeNothing || head < beforeText && s.breaksOut(at)):
		s.note(rule, at)
	case command:
		s.note(codeSuspect, at)
	case head <= beforeValue && (a.literal != nil || a.nested) && (kind == callRun || process):
		s.note(codeProbe, at)
	case head < beforeText && rule == codeJava:
		s.note(codeJava, at)
	case head < beforeText && (a.literal != nil || a.nested):
		s.note(codeSuspect, at)
	}
}

// isProse reports whether words follow a call, as they do where it is spoken of.
func isProse(after []byte) bool {
	var w wordCount
	return hasPrefix(after, " ") && w.before(after, len(after)) >= beforeText
}

// breaksOut reports whether a mark that ends something stands before text[at], and no
// assignment.
func (s *codeScan) breaksOut(at int) bool {
	head := bytes.TrimRight(s.text[max(0, at-maxCallee):at], " \t@")
	if bytes.HasSuffix(head, []byte(" (")) {
		return false // a condition
	}
	return len(head) == 0 || classOf[head[len(head)-1]]&(semicolon|quote|bar|amp|bracket|paren|percent|angle) != 0 || head[len(head)-1] == '?' ||
		bytes.HasSuffix(head, []byte("php"))
}

// eval judges a call that runs code.
func (s *codeScan) eval(at int, all, name []byte, a *argumentOf) {
	head := s.words.before(s.text, at)
	evals := bytes.EqualFold(name, []byte("eval")) || bytes.EqualFold(name, []byte("assert"))
	imports := bytes.EqualFold(name, []byte("__import__"))
	if len(all) > len(name) && !imports {
		return
	}
	command := a.literal != nil && commandIn(a.literal)
	switch {
	case imports:
		if a.literal == nil {
			return
		}
		if head < beforeText && a.closed && (hasPrefix(a.after, ".") || hasPrefix(a.after, ",")) {
			s.note(codePython, at)
		} else {
			s.note(codeSuspect, at)
		}
	case a.request && (evals || bytes.HasPrefix(name, []byte("call_user")) || bytes.HasPrefix(name, []byte("include")) || bytes.HasPrefix(name, []byte("array_")) || bytes.Contains(name, []byte("function"))):
		s.note(codePHP, at)
	case !evals && a.literal != nil && callOf(a.literal) == callRun && head < beforeText:
		s.note(codePHP, at)
	case !evals:
	case a.nested && head < beforeText, command && head < beforeWords:
		s.note(codeRun, at)
	case head <= beforeValue && a.closed && (a.literal != nil || a.number || a.nested):
		s.note(codeProbe, at)
	case a.literal != nil && head < beforeText:
		s.note(codeSuspect, at)
	}
}

// probe judges a call that shows that code runs.
func (s *codeScan) probe(at int, all, name []byte, a *argumentOf) {
	head := s.words.before(s.text, at)
	if head > beforeValue || len(all) > len(name) && !s.qualified(all) {
		return
	}
	var buf [24]byte
	low := lowered(buf[:0], name)
	braced := at > 1 && s.text[at-1] == '{' && s.text[at-2] == '$' || hasPrefix(name, "@")
	ended := a.closed && endsCode(a.after)
	switch {
	case hasPrefix(low, "php") || hasPrefix(low, "get_current"):
		if ended || braced {
			s.note(codeProbe, at)
		}
	case braced:
		s.note(codePHP, at)
	case (hasPrefix(low, "print") || hasPrefix(low, "die")) && head == beforeNothing && foldedPrefix(s.text[at+len(all):], "(md5("):
		s.note(codeProbe, at)
	case (hasPrefix(low, "exit") || hasPrefix(low, "kill") || hasPrefix(low, "sleep")) && len(all) > len(name) && ended && at == 0:
		s.note(codeSuspect, at)
	case hasPrefix(low, "end") && foldedContains(all, "res.") && foldedContains(s.text[at:min(len(s.text), at+64)], "require("):
		s.note(codeNode, at)
	}
}

// qualified reports whether all names a function of the process itself.
func (s *codeScan) qualified(all []byte) bool {
	return foldedPrefix(all, "process.") || foldedPrefix(all, "kernel.") || foldedPrefix(all, "time.") || foldedPrefix(all, "res.") ||
		foldedPrefix(all, "response.")
}

// endsCode reports whether what follows a call ends a statement, and with it the
// value or what it breaks out of.
func endsCode(after []byte) bool {
	after = bytes.TrimLeft(after, " \t)};'\"?>%")
	return len(after) == 0 || after[0] == '/' || after[0] == '#' || after[0] == '.' || after[0] == '-' || after[0] == '\n'
}

// load judges a call that loads a module of Node's.
func (s *codeScan) load(at int, a *argumentOf) {
	if a.literal == nil {
		return
	}
	var buf [64]byte
	module := unsplit(buf[:0], s.text[at:min(len(s.text), at+64)])
	after := a.after
	if !a.closed || !hasPrefix(bytes.TrimLeft(after, ") "), ".") {
		return
	}
	for _, name := range [...]string{"child_process", "fs", "os", "net", "vm", "http", "util", "cluster", "spawn_sync"} {
		loader, ok := bytes.CutSuffix(module, []byte(name))
		if !ok || !loadsModules(loader) {
			continue
		}
		head := s.words.before(s.text, at)
		called := bytes.IndexByte(after[:min(len(after), 40)], '(') > 0
		switch {
		case (name == "child_process" || name == "spawn_sync") && head < beforeText, called && head <= beforeValue:
			s.note(codeNode, at)
		case called:
			s.note(codeSuspect, at)
		}
	}
}

// loadsModules reports whether what stands before a module's name loads it.
func loadsModules(b []byte) bool {
	return bytes.HasSuffix(b, []byte("require")) || bytes.HasSuffix(b, []byte("import")) || bytes.HasSuffix(b, []byte("load")) ||
		bytes.HasSuffix(b, []byte("builtinmodule")) || bytes.HasSuffix(b, []byte("binding"))
}

// unsplit appends to dst what stands up to the first closing parenthesis of b,
// without quotes, pluses and blanks: require('child_'+'process').
func unsplit(dst, b []byte) []byte {
	for _, c := range b {
		if c == ')' || len(dst) == cap(dst) {
			break
		}
		if classOf[c]&(letter|digit|dash) != 0 {
			dst = append(dst, lower(c))
		}
	}
	return dst
}

// file judges a call that opens a file: one that is secret, or a pipe.
func (s *codeScan) file(at int, all []byte, a *argumentOf) {
	if a.literal == nil {
		return
	}
	head := s.words.before(s.text, at)
	if head == beforeText {
		return
	}
	var buf [128]byte
	switch {
	case len(a.literal) <= len(buf) && isSecretPath(lowered(buf[:0], a.literal)):
		s.note(codeRun, at)
	case hasPrefix(bytes.TrimLeft(a.literal, " "), "|"):
		if commandIn(a.literal) {
			s.note(codeRuby, at)
		}
	case foldedPrefix(all, "file_put_contents") && bytes.Contains(a.literal, []byte(".php")):
		s.note(codePHP, at)
	}
}

// lookup judges calls that find a class of Java's, or a constructor of
// JavaScript's.
func (s *codeScan) lookup(at, open int, all, name []byte, a *argumentOf) {
	rest := s.text[open+1:]
	head := s.words.before(s.text, at)
	switch {
	case bytes.EqualFold(name, []byte("t")) && len(all) == 1:
		if foldedPrefix(rest, "java.") || foldedPrefix(rest, "javax.") || foldedPrefix(rest, "org.spring") {
			s.note(codeJava, at)
		}
	case head == beforeText:
		if bytes.EqualFold(name, []byte("getruntime")) {
			s.note(codeSuspect, at)
		}
	case bytes.EqualFold(name, []byte("getruntime")):
		if foldedPrefix(bytes.TrimLeft(a.after, " \t\n"), ".exec") {
			s.note(codeJava, at)
		} else {
			s.note(codeSuspect, at)
		}
	case bytes.EqualFold(name, []byte("processbuilder")):
		if a.literal != nil && commandIn(a.literal) || a.nested || foldedPrefix(rest, "new ") {
			s.note(codeJava, at)
		}
	case bytes.EqualFold(name, []byte("forname")):
		if foldedContains(all, ".class.") || foldedContains(all, "getclass") || a.literal != nil && (foldedContains(a.literal, "java.lang.r") || foldedContains(a.literal, "javax.script")) {
			s.note(codeJava, at)
		}
	case bytes.EqualFold(name, []byte("getenginebyname")):
		s.note(codeJava, at)
	case bytes.EqualFold(name, []byte("constructor")):
		if foldedContains(all, "constructor.constructor") || a.literal != nil && foldedContains(a.literal, "return ") && foldedContains(all, ".") {
			s.note(codeNode, at)
		}
	}
}

// named judges a call of a function whose name is a string, perhaps in pieces, or
// stands in parentheses: ('sys'.'tem')('id'), "system"('id'), (system)('id').
func (s *codeScan) named(open int) {
	from := max(0, open-maxCallee)
	mark := s.text[open-1]
	if mark == ')' {
		mark = '('
	}
	start := bytes.LastIndexByte(s.text[from:open-1], mark)
	if start < 0 {
		return
	}
	start += from
	inner := s.text[start+1 : open-1]
	for i, c := range inner {
		if classOf[c]&(letter|digit|dash|quote|blank|backslash|slash|star) == 0 && c != '.' || i > 0 && c == '(' {
			return
		}
	}
	if mark == '(' && start > 0 && classOf[s.text[start-1]]&(letter|digit|dash) != 0 {
		return // the argument of another call
	}
	var buf [24]byte
	name := unsplit(buf[:0], inner)
	switch callOf(name) {
	case callRun:
		s.note(codePHP, start)
	case callMethod, callEval, callProbe:
		if len(inner) > 0 && classOf[inner[0]]&quote != 0 && mark == '(' {
			s.note(codePHP, start)
		}
	}
}
