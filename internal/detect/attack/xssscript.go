package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in scriptRules.
const (
	scriptCall = iota
	scriptBreak
	scriptURI
	scriptStyle
	scriptSymbols
	scriptWord
)

var scriptRules = []rule{
	scriptCall:    {id: "xss.call", signature: "Cross-site scripting by a call", category: "xss", severity: detect.High, score: sure},
	scriptBreak:   {id: "xss.script-break", signature: "Script that leaves the string it stands in", category: "xss", severity: detect.High, score: sure},
	scriptURI:     {id: "xss.script-uri", signature: "Address that is script", category: "xss", severity: detect.High, score: sure},
	scriptStyle:   {id: "xss.expression", signature: "Style that runs script", category: "xss", severity: detect.High, score: sure},
	scriptSymbols: {id: "xss.symbols", signature: "Script without letters", category: "xss", severity: detect.High, score: sure},
	scriptWord:    {id: "xss.script", signature: "Words of script", category: "xss", severity: detect.Low, score: suspect, weak: true},
}

var scriptFamily = family{
	tokens: []string{
		"alert", "prompt(", "prompt`", "confirm(", "confirm`", "eval", "settimeout", "setinterval", "function(\"", "function('", "function`", "constructor", "fromcharcode",
		"document.", "document[", "location", "window", "self[", "top[", "this[", "parent[", "frames[", "globalthis", "javas", "ascript", "script:", "vbscri", "data:text", "data:image/svg", "data:appl",
		"ssion(", "navigator.", "-moz-binding", "behavio", "![]", "~[]", "getscript", "fetch(", "import(", "+adw-", "mhtml:", "innerhtml", ".call`", "createelement", "']=", "globaleval",
		"=prompt", "=confirm", "activexobject", "-'", "+'", ";//", ";/*", "-\"", "+\"", "msgbox",
	},
	rules: scriptRules,
	match: matchScript,
}

// scriptScan reads a value once, name by name, as JavaScript would be read.
type scriptScan struct {
	b []byte
	i int // where it is

	quotes    [3]int // how many of each kind of quote were read
	lastQuote byte   // the latest one, where only marks of operation follow it; else 0
	letters   bool   // a letter was read
	inTag     bool   // of an element of HTML
	run       symbols

	last           []byte // the name before
	lastEnd        int
	found, foundAt int
}

// matchScript looks for script that stands without the tag or the attribute that runs
// it: a call that does what attacks show with, out of nothing or out of a string.
func matchScript(in *inspection, p *probe) (r *rule, at int) {
	b := p.span()
	if !in.spend(len(b)) {
		return nil, 0
	}
	s := scriptScan{b: b, found: -1, letters: p.from > 0}
	for s.i < len(b) && !s.sure() {
		s.step()
	}
	if !s.sure() && s.run.script() {
		s.report(scriptSymbols, s.run.from)
	}
	if s.found < 0 || scriptRules[s.found].weak && !in.weak {
		return nil, 0
	}
	return &scriptRules[s.found], p.from + s.foundAt
}

func (s *scriptScan) sure() bool { return s.found >= 0 && scriptRules[s.found].score >= sure }

func (s *scriptScan) report(rule, at int) {
	if s.found < 0 || scriptRules[rule].score > scriptRules[s.found].score {
		s.found, s.foundAt = rule, at
	}
}

// step reads one name, or one byte.
func (s *scriptScan) step() {
	c := s.b[s.i]
	if isWordByte(c) || c == '$' {
		s.word()
		return
	}
	switch c {
	case '\'', '"', '`':
		s.quotes[quoteKind(c)]++
		s.lastQuote = c
	case '<':
		n := wordLen(s.b[s.i+1:])
		var buf wordBuf
		s.inTag = n > 1 && isElement(string(buf.fold(s.b[s.i+1:s.i+1+n])))
	case '>':
		s.inTag = false
	case '+':
		if hasPrefixFold(s.b[s.i:], "+adw-") && (s.i+5 < len(s.b) && (classOf[s.b[s.i+5]]&letter != 0 || s.b[s.i+5] == '/')) {
			s.report(scriptURI, s.i) // < in UTF-7
		}
	case '-':
		if hasPrefixFold(s.b[s.i:], "-moz-binding") {
			s.binding("-moz-binding")
		}
	}
	s.run.add(c, s.i)
	s.i++
}

func quoteKind(c byte) int {
	switch c {
	case '\'':
		return 0
	case '"':
		return 1
	}
	return 2
}

// word reads the name or number that stands here and judges it.
func (s *scriptScan) word() {
	n := digits(s.b[s.i:]) // a number ends where letters begin
	for number := n > 0; !number && s.i+n < len(s.b) && (isWordByte(s.b[s.i+n]) || s.b[s.i+n] == '$'); {
		n++
	}
	if s.run.script() {
		s.report(scriptSymbols, s.run.from)
	}
	s.run = symbols{}
	name := s.b[s.i : s.i+n]
	if digits(name) < n {
		s.judge(name)
		s.letters = true
	}
	s.last, s.lastEnd = name, s.i+n
	s.i += n
	s.lastQuote = 0
}

// judge judges a name.
func (s *scriptScan) judge(name []byte) {
	var buf wordBuf
	w := buf.fold(name)
	if w == nil {
		return
	}
	after := s.b[s.i+len(name):]
	if rule := s.ruleOf(string(w), after); rule >= 0 {
		s.report(rule, s.i)
		return
	}
	if s.breaks() && s.lastQuote != '`' && s.quotes[quoteKind(s.lastQuote)] <= 3 && s.b[s.i-1] != '.' && s.closesCall(after) {
		s.report(scriptBreak, s.i)
	}
}

// ruleOf returns the rule that a name breaks, with after behind it.
func (s *scriptScan) ruleOf(w string, after []byte) int {
	switch w {
	case "alert", "prompt", "confirm", "eval", "settimeout", "setinterval", "execscript", "msgbox":
		return s.sink(w, after)
	case "function":
		return only(compiles(after) || s.b[s.i] == 'F' && callsAgain(after), scriptCall)
	case "constructor":
		return only(reachesFunction(after), scriptCall)
	case "window", "self", "top", "this", "parent", "frames", "globalthis", "document", "content":
		return s.global(w, after)
	case "location":
		return s.location(after)
	case "cookie":
		return s.cookie()
	case "write", "writeln":
		return s.write(after)
	case "fetch", "import", "getscript", "globaleval":
		return only(len(after) > 0 && after[0] == '(' && callsWithText(after) && (s.bare(after) || s.breaks()), scriptCall)
	case "createelement":
		return only(callsWithText(after) && containsFold(after[:min(len(after), 12)], "script"), scriptWord)
	case "innerhtml":
		return scriptWord
	case "call":
		return only(bytes.HasPrefix(after, []byte("`$")) || bytes.HasPrefix(after, []byte("` $")), scriptCall)
	case "expression":
		return only(len(after) > 0 && after[0] == '(' && s.follows(':', '='), scriptStyle)
	case "activexobject":
		return only(callsWithText(after), scriptCall)
	case "xpression", "pression", "ression", "ession", "ssion":
		return only(len(after) > 0 && after[0] == '(' && s.i > 1 && s.b[s.i-1] == '/' && s.b[s.i-2] == '*', scriptStyle)
	case "navigator":
		n := 0
		if len(after) > 0 && after[0] == '.' {
			n = 1 + wordLen(after[1:])
		}
		return only(n > 1 && s.bare(after[n:]), scriptCall)
	case "behavior", "behaviour":
		return s.bindingRule(after)
	}
	return s.uri(w)
}

// binding judges a property of style sheets that binds script to an element.
func (s *scriptScan) binding(name string) {
	if rule := s.bindingRule(s.b[s.i+len(name):]); rule >= 0 {
		s.report(rule, s.i)
	}
}

func (s *scriptScan) bindingRule(after []byte) int {
	after = skipBlanks(after[:min(len(after), 16)])
	if len(after) == 0 || after[0] != ':' {
		return -1
	}
	return only(hasPrefixFold(skipBlanks(after[1:]), "url"), scriptStyle)
}

// follows reports whether one of two marks stands before the name here, blanks apart.
func (s *scriptScan) follows(a, b byte) bool {
	for i := s.i - 1; i >= max(0, s.i-8); i-- {
		if classOf[s.b[i]]&blank == 0 {
			return s.b[i] == a || s.b[i] == b
		}
	}
	return false
}

// breaks reports whether the name here follows a quote that no other one opens, with
// nothing but marks of operation between.
func (s *scriptScan) breaks() bool {
	q := s.lastQuote
	return q != 0 && s.quotes[quoteKind(q)]%2 == 1 && s.i > 0 && s.b[s.i-1] != q
}

// bare reports whether the call behind the name here is the value's whole text, marks
// apart.
func (s *scriptScan) bare(after []byte) bool {
	if s.letters || s.i > 0 && isWordByte(s.b[s.i-1]) {
		return false
	}
	end := callEnd(after)
	return end >= 0 && isTail(after[end:])
}

// closesCall reports whether b, behind a name, is a call that is followed by what mends
// the string again, or comments out the rest.
func (s *scriptScan) closesCall(b []byte) bool {
	if len(b) == 0 || b[0] != '(' && b[0] != '`' {
		return false
	}
	end := callEnd(b)
	if end < 0 {
		return false
	}
	rest := b[end:min(len(b), end+16)]
	if len(rest) > 0 && rest[0] == ';' && (bytes.Contains(rest, []byte(";//")) || bytes.Contains(rest, []byte(";/*"))) {
		return true
	}
	for len(rest) > 0 {
		switch c := rest[0]; {
		case c == '\'' || c == '"' || c == '`':
			return true
		case c == '/' && len(rest) > 1 && rest[1] == '/':
			return true
		case bytes.IndexByte([]byte(";+-*/|&^%=?:,)}] "), c) < 0:
			return false
		}
		rest = rest[1:]
	}
	return false
}

// uri judges a name that may be the scheme of an address.
func (s *scriptScan) uri(w string) int {
	switch w[0] {
	case 'j', 'v', 'd', 'm':
	default:
		return -1
	}
	if s.i > 0 && (s.b[s.i-1] == '/' || s.b[s.i-1] == '-') {
		return -1
	}
	b := s.b[s.i:min(len(s.b), s.i+maxURIScheme+maxTag)]
	var buf wordBuf
	scheme, n := schemeOf(b, &buf)
	if n == 0 {
		return -1
	}
	rest := b[n:]
	switch string(scheme) {
	case "javascript", "vbscript", "jscript":
		return scriptAfterScheme(rest)
	case "data":
		return only(isDataPage(rest), scriptURI)
	case "mhtml":
		return only(hasPrefixFold(rest, "http") && bytes.IndexByte(rest, '!') >= 0, scriptURI)
	}
	return -1
}

// scriptAfterScheme judges what stands behind javascript:.
func scriptAfterScheme(b []byte) int {
	if isIdle(b) || bytes.IndexByte([]byte("<>.,)`*|"), b[0]) >= 0 { // or a word of a sentence
		return -1
	}
	if b[0] == ' ' || b[0] == '\n' && len(b) > 1 {
		return only(isSink(b), scriptURI)
	}
	if bytes.ContainsAny(untilBlank(b), "(=;/'\"\\%&[`") {
		return scriptURI
	}
	return scriptWord
}

// untilBlank is b up to its first blank.
func untilBlank(b []byte) []byte {
	if end := bytes.IndexAny(b, " \t\r\n"); end >= 0 {
		return b[:end]
	}
	return b
}

// isDataPage reports whether b, behind data:, is a page or an image that runs script,
// with its data.
func isDataPage(b []byte) bool {
	return isActiveData(b) && !containsFold(untilBlank(b[:min(len(b), maxName)]), "javascript") && bytes.IndexAny(untilBlank(skipBlanks(b)), ",;") > 0
}
