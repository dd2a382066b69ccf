package attack

import "bytes"

// maxCall is how long a call is, in bytes, whose end is looked for.
const maxCall = 256

// callEnd returns where the call ends whose arguments b begins with, in parentheses or
// in back-ticks; -1 where they do not begin or do not end. Comments and ?. may stand
// before them.
func callEnd(b []byte) int {
	start := len(b) - len(skipToCall(b))
	b = b[:min(len(b), start+maxCall)]
	if start >= len(b) || b[start] != '(' && b[start] != '`' {
		return -1
	}
	if b[start] == '`' {
		end := bytes.IndexByte(b[start+1:], '`')
		if end < 0 {
			return -1
		}
		return start + end + 2
	}
	depth := 0
	for i := start; i < len(b); i++ {
		switch b[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		case '\'', '"', '`':
			if end := bytes.IndexByte(b[i+1:], b[i]); end >= 0 {
				i += end + 1
			}
		}
	}
	return -1
}

// skipToCall returns b without the blanks, comments and marks that may stand between a
// function and its arguments.
func skipToCall(b []byte) []byte {
	for range 8 {
		b = skipBlanks(b[:min(len(b), 2*maxCall)])
		switch {
		case bytes.HasPrefix(b, []byte("/*")):
			end := bytes.Index(b[2:], []byte("*/"))
			if end < 0 {
				return nil
			}
			b = b[2+end+2:]
		case bytes.HasPrefix(b, []byte("?.")):
			b = b[2:]
		case hasPrefixFold(b, ".call"), hasPrefixFold(b, ".bind"):
			b = b[len(".call"):]
		case hasPrefixFold(b, ".apply"):
			b = b[len(".apply"):]
		default:
			return b
		}
	}
	return b
}

// isTail reports whether b, behind a call, is nothing but marks, or goes on with a mark
// that ends what the value was put in.
func isTail(b []byte) bool {
	b = skipBlanks(b)
	if len(b) == 0 {
		return true
	}
	return bytes.IndexByte([]byte(";/-+*|&^<>'\"`})],?(%=#"), b[0]) >= 0
}

// isSink reports whether b begins, blanks apart, with a call that attacks show with or
// that runs text, or with what sends the page elsewhere.
func isSink(b []byte) bool {
	b = skipBlanks(b[:min(len(b), maxCall)])
	if len(b) > 0 && (b[0] == '"' || b[0] == '\'' || b[0] == '`') {
		b = skipBlanks(b[1:])
	}
	for range 8 {
		n := wordLen(b)
		var buf wordBuf
		w := buf.fold(b[:n])
		after := b[n:]
		switch string(w) {
		case "alert", "prompt", "confirm", "eval", "settimeout", "setinterval", "write", "writeln", "fetch", "import", "msgbox", "execscript", "atob":
			rest := skipToCall(after)
			return len(rest) > 0 && (rest[0] == '(' || rest[0] == '`' || rest[0] == '&')
		case "function":
			return compiles(after)
		case "location":
			rest := skipBlanks(after)
			return len(rest) > 0 && (rest[0] == '=' || rest[0] == '.' || rest[0] == '[')
		case "window", "self", "top", "parent", "document", "globalthis", "frames", "javascript", "void", "this", "throw", "new", "return", "typeof":
			rest := skipBlanks(after)
			if len(rest) > 0 && rest[0] == '[' {
				return true
			}
			b = bytes.TrimLeft(rest, ".:( ")
			if len(b) == len(after) {
				return false
			}
		default:
			return false
		}
	}
	return false
}

// sink judges the name of a function that attacks show with, or that runs text.
func (s *scriptScan) sink(w string, after []byte) int {
	rest := skipToCall(after)
	if len(rest) == 0 || rest[0] != '(' && rest[0] != '`' {
		return s.passed(w, rest)
	}
	if rest[0] == '`' && s.quotes[quoteKind('`')]%2 == 1 {
		return -1 // the end of a span of code
	}
	switch {
	case s.i > 0 && s.b[s.i-1] == '.' && !s.ofGlobal():
		return -1
	case isStrongArgument(w, rest[1:]):
		return scriptCall
	case s.breaks():
		return scriptBreak
	case s.inTag, isProbe(rest[1:]) && s.operated():
		return scriptCall
	case s.i-s.lastEnd <= 4 && s.i > s.lastEnd && s.i > 0 && s.b[s.i-1] != ' ' && (hasPrefixFold(s.last, "script") && len(s.last) == len("script")):
		return scriptCall // a tag whose marks are written in some other way
	case (w == "settimeout" || w == "setinterval") && !callsWithText(after):
		return -1
	case s.bare(after) || s.ofGlobal() && s.lastEnd == s.i-1 && s.alone(after):
		return scriptCall
	}
	return scriptWord
}

// isProbe reports whether the arguments that b begins with are one number: no program
// shows a number that it knows beforehand.
func isProbe(b []byte) bool {
	n := wordLen(b)
	return n > 0 && n < len(b) && classOf[b[0]]&digit != 0 && (b[n] == ')' || b[n] == '`')
}

// operated reports whether a mark of operation stands before the name here that joins
// expressions, not words.
func (s *scriptScan) operated() bool {
	if s.i == 0 {
		return false
	}
	if bytes.IndexByte([]byte("{;=+-*/|&^%?:,~!)>"), s.b[s.i-1]) >= 0 {
		return true
	}
	for i := s.i - 1; i >= max(0, s.i-8); i-- {
		if s.b[i] != ' ' {
			return bytes.IndexByte([]byte("{;=&|%"), s.b[i]) >= 0
		}
	}
	return false
}

// alone reports whether the call behind the name here, of a method of a global object,
// is the value's whole text.
func (s *scriptScan) alone(after []byte) bool {
	for _, c := range s.b[:s.lastEnd-len(s.last)] {
		if isWordByte(c) {
			return false
		}
	}
	end := callEnd(after)
	return end >= 0 && isTail(after[end:])
}

// ofGlobal reports whether the name here is that of a member of a global object.
func (s *scriptScan) ofGlobal() bool {
	if s.i == 0 || s.b[s.i-1] != '.' || s.lastEnd != s.i-1 {
		return false
	}
	var buf wordBuf
	switch string(buf.fold(s.last)) {
	case "window", "self", "top", "parent", "frames", "this", "globalthis", "document", "location":
		return true
	}
	return false
}

// passed judges the name of a sink that is not called where it stands: given another
// name that is called, or given to what calls it.
func (s *scriptScan) passed(w string, rest []byte) int {
	if s.i == 0 {
		return -1
	}
	switch before := s.b[s.i-1]; {
	case before == '(' && bytes.HasPrefix(rest, []byte(")(")), before == '(' && bytes.HasPrefix(rest, []byte(")`")):
		return scriptCall
	case before == '(' && len(rest) > 0 && rest[0] == ')' && s.lastEnd == s.i-1 && s.isMethod():
		return scriptCall
	case before == '=' && s.lastEnd == s.i-1 && len(rest) > 1 && (rest[0] == ';' || rest[0] == ',' || rest[0] == '\n'):
		return only(s.calledLater(rest[1:]), scriptCall)
	case before == ':' && len(rest) > 0 && rest[0] == '}' && w == "alert":
		return only(s.lastEnd == s.i-1 && hasPrefixFold(s.last, "valueof") || hasPrefixFold(s.last, "tostring"), scriptCall)
	}
	return -1
}

// isMethod reports whether the last name is that of a method that calls what it is given.
func (s *scriptScan) isMethod() bool {
	start := s.lastEnd - len(s.last)
	if start == 0 || s.b[start-1] != '.' {
		return false
	}
	switch string(s.last) {
	case "map", "find", "filter", "forEach", "foreach", "some", "every", "sort", "call", "apply", "reduce", "replace", "then", "from", "flatMap", "findIndex", "findLast", "addEventListener":
		return true
	}
	return false
}

// calledLater reports whether rest calls the last name, or throws to it.
func (s *scriptScan) calledLater(rest []byte) bool {
	rest = rest[:min(len(rest), maxCall)]
	for len(rest) > 0 {
		n := wordLen(rest)
		switch {
		case n == 0:
			rest = rest[1:]
			continue
		case bytes.Equal(rest[:n], s.last) && n < len(rest) && (rest[n] == '(' || rest[n] == '`'):
			return true
		case string(rest[:n]) == "throw":
			return true
		}
		rest = rest[n:]
	}
	return false
}

// isStrongArgument reports whether b, the arguments of the function called w, begins
// with what only an attack hands to it.
func isStrongArgument(w string, b []byte) bool {
	b = skipBlanks(b)
	if len(b) == 0 {
		return false
	}
	if w == "eval" || w == "settimeout" || w == "setinterval" {
		if b[0] == '\'' || b[0] == '"' || b[0] == '`' {
			return isSink(b) || isEscaped(b[1:])
		}
	}
	for _, source := range [...]string{"document.", "document[", "string.fromcharcode", "window.name", "location.", "location)", "window.location", "self.location", "document)", "this.responsetext", "atob(", "unescape("} {
		if hasPrefixFold(b, source) {
			return w == "eval" || !hasPrefixFold(b, "location)")
		}
	}
	if w == "eval" {
		for _, source := range [...]string{"name)", "url.", "decodeuri", "url)", "window.", "this.", "top.", "base64", "compile(", "request", "(function"} {
			if hasPrefixFold(b, source) {
				return true
			}
		}
	}
	return false
}

// isEscaped reports whether b begins with a letter that is written as an escape.
func isEscaped(b []byte) bool {
	return len(b) > 3 && b[0] == '\\' && (b[1] == 'x' || b[1] == 'u' || b[1] >= '0' && b[1] <= '7' && b[2] >= '0' && b[2] <= '7')
}

// compiles reports whether b, behind Function, makes a function of text and calls it.
func compiles(b []byte) bool {
	if !callsWithText(b) && (len(b) == 0 || b[0] != '`') {
		return false
	}
	end := callEnd(b)
	if end < 0 {
		return false
	}
	rest := skipBlanks(b[end:])
	return len(rest) > 0 && (rest[0] == '(' || rest[0] == '`' || rest[0] == '.')
}

// callsAgain reports whether b, behind Function, is a call whose result is called.
func callsAgain(b []byte) bool {
	end := callEnd(b)
	return end >= 0 && end < len(b) && (b[end] == '(' || b[end] == '`')
}

// isSinkName reports whether b begins, blanks apart, with the name of a function that
// attacks show with, as a value of its own.
func isSinkName(b []byte) bool {
	b = skipBlanks(b[:min(len(b), maxName)])
	n := wordLen(b)
	var buf wordBuf
	switch string(buf.fold(b[:n])) {
	case "alert", "prompt", "confirm", "eval":
		return n == len(b) || bytes.IndexByte([]byte(";,}>\"'`"), b[n]) >= 0
	}
	return false
}

// reachesFunction reports whether b, behind the name constructor, gets at the function
// that compiles text.
func reachesFunction(b []byte) bool {
	b = b[:min(len(b), 2*maxCall)]
	quoted := len(b) > 1 && (b[0] == '\'' || b[0] == '"' || b[0] == '`') && b[1] == ']'
	if quoted {
		b = b[2:]
	}
	for _, again := range [...]string{".constructor", "['constructor", "[\"constructor", "[`constructor"} {
		if hasPrefixFold(b, again) {
			return true
		}
	}
	if !callsWithText(b) && (len(b) == 0 || b[0] != '`') {
		return false
	}
	end := callEnd(b)
	if end < 0 {
		return quoted
	}
	rest := skipBlanks(b[end:])
	return len(rest) > 0 && (rest[0] == '(' || rest[0] == '`')
}
