package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in codeRules.
const (
	codePHP = iota
	codeNode
	codeJava
	codePython
	codePerl
	codeRuby
	codeRun
	codeProbe
	codeSuspect
)

var codeRules = []rule{
	codePHP:     {id: "code.php", signature: "PHP code injection", category: "code", severity: detect.Critical, score: sure},
	codeNode:    {id: "code.node", signature: "Node.js code injection", category: "code", severity: detect.Critical, score: sure},
	codeJava:    {id: "code.java", signature: "Java code or expression injection", category: "code", severity: detect.Critical, score: sure},
	codePython:  {id: "code.python", signature: "Python code injection", category: "code", severity: detect.Critical, score: sure},
	codePerl:    {id: "code.perl", signature: "Perl code injection", category: "code", severity: detect.Critical, score: sure},
	codeRuby:    {id: "code.ruby", signature: "Ruby code injection", category: "code", severity: detect.Critical, score: sure},
	codeRun:     {id: "code.run", signature: "Code that runs a command", category: "code", severity: detect.Critical, score: sure},
	codeProbe:   {id: "code.probe", signature: "Code that shows that it runs", category: "code", severity: detect.High, score: refuseAt + 2},
	codeSuspect: {id: "code.suspect", signature: "Code that can run a command", category: "code", severity: detect.Medium, score: suspect, weak: true},
}

// The calls are named with their parentheses; what is split or has a comment inside
// is found by the parentheses behind a string.
var codeFamily = family{
	tokens: []string{
		"system(", "exec(", "eval(", "assert(", "passthru", "popen(", "spawn(", "spawnsync(", "execsync(",
		"execfile", "phpinfo", "phpversion", "php_uname", "create_function", "call_user_func", "')(", "\")(", "m)(", "m\"(", "m'(", "sleep(", "md5(", "getcwd(",
		"<?php", "<?=", "$_get", "$_post", "$_request", "$_cookie", "$_server", "${@", "file_put_contents", "readfile",
		"child_process", "require(", "mainmodule", "process.", "constructor(", ":constructor:", "_load(", "res.end(", "import(",
		"java.lang.", "processbuilder", "_memberaccess", "#context[", "classloader", "forname(", "(#", "javax.script", "@java",
		"__import__", "subprocess.", "__class__", "__subclasses__", "__globals__", "__builtins__", "check_output(", "getoutput(",
		"@{[", "qx{", "qx/", "qx(", "kernel.", "%x(", "%x{", "%x[", "io.read", "file.read", "file.open(", "instance_eval", "send(:", "open3", "open(\"|", "open('|", "open('/", "open(\"/", ".execute(", "array_map", "usort(",
	},
	rules: codeRules, match: matchCode,
}

// codeScan is the look for code in one value.
type codeScan struct {
	text  []byte
	words wordCount
	best  int
	at    int
}

// matchCode finds code of the languages that functions are written in: calls that
// run commands or code, by what they are called with, and the names through which
// sandboxes are left.
func matchCode(in *inspection, p *probe) (r *rule, at int) {
	text := p.span()
	if !in.spend(len(text)) {
		return nil, 0
	}
	s := codeScan{text: text, best: -1}
	for i := 0; i < len(text); i++ {
		if !opensCode[text[i]] {
			continue
		}
		s.look(i)
		if s.best >= 0 && codeRules[s.best].score >= sure {
			break
		}
	}
	if s.best < 0 || codeRules[s.best].weak && !in.weak {
		return nil, 0
	}
	return &codeRules[s.best], p.from + s.at
}

// opensCode are the bytes at which a sign of code is looked for.
var opensCode = [256]bool{'(': true, '$': true, '<': true, '_': true, '%': true, '@': true, '#': true, 'q': true, '.': true, ':': true}

// note keeps the rule that is worth most.
func (s *codeScan) note(rule, at int) {
	if s.best < 0 || codeRules[rule].score > codeRules[s.best].score {
		s.best, s.at = rule, at
	}
}

// look judges the sign of code at text[i], if it is one.
func (s *codeScan) look(i int) {
	rest := s.text[i:]
	switch rest[0] {
	case '(':
		s.call(i)
	case '$':
		s.dollar(i, rest)
	case '<':
		s.openTag(i, rest)
	case '_':
		s.dunder(i, rest)
	case '%':
		s.percent(i, rest)
	case '@':
		s.array(i, rest)
	case '#':
		if foldedPrefix(rest, "#_memberaccess") || foldedPrefix(rest, "#context[") || foldedPrefix(rest, "#cmd=") && s.text[max(0, i-1)] == '(' {
			s.note(codeJava, i)
		}
	case 'q':
		s.quoteRun(i, rest)
	case '.', ':':
		s.member(i, rest)
	}
}

// dollar judges PHP's variables of the request, and ${…} with a call inside.
func (s *codeScan) dollar(i int, rest []byte) {
	if hasPrefix(rest, "${@") && len(rest) > 3 && classOf[rest[3]]&letter != 0 {
		s.note(codePHP, i)
		return
	}
	for _, name := range [...]string{"$_get[", "$_post[", "$_request[", "$_cookie[", "$_server[", "$_get{", "$_request{"} {
		if !foldedPrefix(rest, name) {
			continue
		}
		head := s.words.before(s.text, i)
		braced := i > 0 && (s.text[i-1] == '{' || s.text[i-1] == '`' || s.text[i-1] == '=' || s.text[i-1] == '(')
		switch {
		case braced && head <= beforeValue && closesCode(rest, ']'):
			s.note(codePHP, i)
		case head < beforeText:
			s.note(codeSuspect, i)
		}
		return
	}
}

// closesCode reports whether nothing but marks and perhaps another index follows the
// bracket that closes first.
func closesCode(rest []byte, bracket byte) bool {
	end := bytes.IndexByte(rest[:min(len(rest), 64)], bracket)
	if end < 0 {
		return false
	}
	for _, c := range rest[end+1 : min(len(rest), end+9)] {
		if classOf[c]&letter != 0 {
			return false
		}
	}
	return true
}

// openTag judges <?php and <?= with code behind.
func (s *codeScan) openTag(i int, rest []byte) {
	if !foldedPrefix(rest, "<?php") && !hasPrefix(rest, "<?=") {
		return
	}
	body := bytes.TrimLeft(rest[3:], "phPH =")
	head := s.words.before(s.text, i)
	end := bytes.Index(body[:min(len(body), 2048)], []byte("?>"))
	code := bytes.IndexByte(body[:min(len(body), 256)], ';') > 0 || hasPrefix(rest, "<?=") && end > 1 ||
		foldedPrefix(body, "echo") || foldedPrefix(body, "print")
	switch {
	case code && head < beforeWords:
		s.note(codePHP, i)
	case code || end > 0:
		s.note(codeSuspect, i)
	}
}

// dunder judges the names by which Python's objects lead to all others.
func (s *codeScan) dunder(i int, rest []byte) {
	if i > 0 && s.text[i-1] == '_' {
		return
	}
	switch {
	case hasPrefix(rest, "__class__"):
		next := rest[len("__class__"):]
		if chained(next, "__base") || chained(next, "__mro__") || chained(next, "__subclasses__") || chained(next, "__init__.__globals__") {
			s.sandbox(i)
		}
	case hasPrefix(rest, "__subclasses__()"), hasPrefix(rest, "__globals__["), hasPrefix(rest, "__globals__.get("), hasPrefix(rest, "__builtins__["),
		hasPrefix(rest, "__builtins__.__"), hasPrefix(rest, "__init__.__globals__"):
		s.sandbox(i)
	}
}

// chained reports whether b goes on with a member whose name begins with name:
// .name or ['name.
func chained(b []byte, name string) bool {
	return hasPrefix(bytes.TrimLeft(b[:min(len(b), 6)], ".[]'\"\\"), name[:1]) && bytes.Contains(b[:min(len(b), len(name)+6)], []byte(name))
}

// sandbox notes a way out of Python's sandboxes, at a name at text[i].
func (s *codeScan) sandbox(i int) {
	if s.words.before(s.text, i) < beforeText {
		s.note(codePython, i)
		return
	}
	s.note(codeSuspect, i)
}

// percent judges Ruby's %x(…).
func (s *codeScan) percent(i int, rest []byte) {
	if len(rest) < 5 || rest[1] != 'x' || bytes.IndexByte([]byte("([{"), rest[2]) < 0 {
		return
	}
	s.literal(i, rest[3:], codeRuby)
}

// quoteRun judges Perl's qx{…}.
func (s *codeScan) quoteRun(i int, rest []byte) {
	if len(rest) < 5 || rest[1] != 'x' || bytes.IndexByte([]byte("({/|"), rest[2]) < 0 || i > 0 && classOf[s.text[i-1]]&(letter|digit|dash) != 0 {
		return
	}
	s.literal(i, rest[3:], codePerl)
}

// literal judges a command that is given as it stands.
func (s *codeScan) literal(i int, command []byte, rule int) {
	command = bytes.TrimLeft(command[:min(len(command), maxCommand)], "'\" ")
	if end := bytes.IndexAny(command, ")]}"); end >= 0 {
		command = command[:end]
	}
	c := readCommand(command)
	if c.kind == notCommand {
		return
	}
	if s.words.before(s.text, i) < beforeText {
		s.note(rule, i)
		return
	}
	s.note(codeSuspect, i)
}

// array judges Perl's @{[…]} and OGNL's @java.lang.Runtime@….
func (s *codeScan) array(i int, rest []byte) {
	switch {
	case hasPrefix(rest, "@{["):
		body := bytes.TrimLeft(rest[3:min(len(rest), 64)], " ")
		for _, name := range [...]string{"system", "exec", "qx", "`", "eval", "open", "print"} {
			if hasPrefix(body, name) {
				s.note(codePerl, i)
			}
		}
	case foldedPrefix(rest, "@java.lang.runtime@"), foldedPrefix(rest, "@java.lang.system@"), foldedPrefix(rest, "@org.apache.commons.io"),
		foldedPrefix(rest, "@ognl."):
		s.note(codeJava, i)
	}
}

// member judges names that stand in front of a dot or behind one.
func (s *codeScan) member(i int, rest []byte) {
	switch {
	case foldedPrefix(rest, ".module.classloader"), foldedPrefix(rest, ".classloader."):
		if bytes.HasSuffix(s.text[:i], []byte("class")) && !bytes.ContainsAny(s.text[max(0, i-32):i], " \t\n") && s.words.before(s.text, i-len("class")) <= beforeValue {
			s.note(codeJava, i)
		}
	case foldedPrefix(rest, ":constructor:constructor"):
		s.note(codeNode, i)
	case foldedPrefix(rest, ".mainmodule.") && bytes.HasSuffix(s.text[:i], []byte("process")):
		if s.words.before(s.text, i) < beforeText {
			s.note(codeNode, i)
		}
	}
}

// foldedPrefix reports whether b begins with prefix, in any case. prefix is in
// lower case.
func foldedPrefix(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(b[i]) != prefix[i] {
			return false
		}
	}
	return true
}
