package attack

import "bytes"

// global judges the name of a global object: with a member whose name is put together
// or is a sink's.
func (s *scriptScan) global(w string, after []byte) int {
	if len(after) == 0 || after[0] != '[' || s.i > 0 && s.b[s.i-1] == '.' {
		return -1
	}
	b := after[1:min(len(after), maxCall)]
	end := bytes.IndexByte(b, ']')
	if end < 0 {
		return -1
	}
	inner, rest := skipBlanks(b[:end]), skipBlanks(b[end+1:])
	// A name that is put together may index itself: find the bracket that a call follows.
	for range 8 {
		if len(rest) == 0 || rest[0] == '(' || rest[0] == '`' || rest[0] == '=' || rest[0] == '[' {
			break
		}
		more := bytes.IndexByte(rest, ']')
		if more < 0 {
			return -1
		}
		rest = rest[more+1:]
	}
	if len(rest) == 0 || len(inner) < 2 {
		return -1
	}
	text := inner[0] == '\'' || inner[0] == '"' || inner[0] == '`' || inner[0] == '/'
	var buf wordBuf
	switch {
	case !text && !bytes.HasPrefix(inner, []byte("(!")) && !bytes.HasPrefix(inner, []byte("atob")):
		return -1
	case !text, inner[0] == '/' && bytes.Contains(inner, []byte(".source")),
		bytes.Contains(inner, []byte("'+")), bytes.Contains(inner, []byte("\"+")), bytes.Contains(inner, []byte("' +")), bytes.Contains(inner, []byte("\" +")), bytes.Contains(inner, []byte("\\")):
		return scriptCall
	}
	switch string(buf.fold(inner[1 : 1+wordLen(inner[1:])])) {
	case "alert", "prompt", "confirm", "eval", "location", "cookie", "write", "document", "settimeout", "setinterval", "function", "onerror":
		return scriptCall
	}
	return -1
}

// location judges the place of a page: sent to script, to what an attacker named, or
// sent away as the value's whole text.
func (s *scriptScan) location(after []byte) int {
	rest := skipBlanks(after)
	for _, method := range [...]string{".assign", ".replace"} {
		if hasPrefixFold(rest, method) {
			call := rest[len(method):]
			return only(calls(call) && (s.breaks() || s.startsValue() && isTail(call[max(0, callEnd(call)):])), scriptCall)
		}
	}
	rest = skipBlanks(bytes.TrimPrefix(rest, []byte(".href")))
	if len(rest) < 2 || rest[0] != '=' || rest[1] == '=' {
		return -1
	}
	v := skipBlanks(rest[1:])
	switch {
	case s.breaks():
		return scriptBreak
	case isScriptURI(v, false):
		return scriptURI
	case hasPrefixFold(v, "name") && (len(v) == 4 || !isWordByte(v[4])), hasPrefixFold(v, "location.hash"), hasPrefixFold(v, "window.name"), hasPrefixFold(v, "document."), hasPrefixFold(v, "location.search"):
		return scriptCall
	case len(v) > 0 && (v[0] == '\'' || v[0] == '"') && s.startsValue():
		return scriptCall
	}
	return -1
}

// startsValue reports whether nothing but marks and global objects stands before the
// name here.
func (s *scriptScan) startsValue() bool {
	return !s.letters || s.ofGlobal() && s.lastEnd-len(s.last) < 8
}

// cookie judges the cookies of a page that are handed on.
func (s *scriptScan) cookie() int {
	if !s.ofGlobal() || lower(s.last[0]) != 'd' {
		return -1
	}
	start := s.lastEnd - len(s.last)
	for start > 0 && s.b[start-1] == ' ' {
		start--
	}
	if start == 0 {
		return scriptWord
	}
	switch s.b[start-1] {
	case '+', '{':
		return scriptCall
	case '(':
		b := s.b[max(0, start-32) : start-1]
		for _, call := range [...]string{"escape", "encodeuri", "encodeuricomponent", "btoa", "alert", "prompt", "confirm", "write", "eval", "log"} {
			if len(b) >= len(call) && hasPrefixFold(b[len(b)-len(call):], call) {
				return scriptCall
			}
		}
	}
	return scriptWord
}

// write judges document.write.
func (s *scriptScan) write(after []byte) int {
	if !s.ofGlobal() || lower(s.last[0]) != 'd' || !calls(after) {
		return -1
	}
	arg := bytes.TrimLeft(skipBlanks(after)[1:], " '\"`(")
	switch {
	case len(arg) > 0 && arg[0] == '<', isStrongArgument("write", arg), hasPrefixFold(arg, "unescape"), hasPrefixFold(arg, "%3c"), hasPrefixFold(arg, "\\x3c"), hasPrefixFold(arg, "\\u003c"):
		return scriptCall
	case s.breaks(), s.lastEnd-len(s.last) < 8 && s.alone(after):
		return scriptCall
	}
	return scriptWord
}
