package attack

import "bytes"

const (
	// maxName is the longest name of an attribute that is looked at, in bytes.
	maxName = 32
	// maxNoise is how many bytes may stand between a name and its =.
	maxNoise = 48
)

// attribute judges the attribute whose = stands at i.
func (m *markup) attribute(i int) {
	var buf [maxName]byte
	if bytes.HasPrefix(m.b[i:], []byte("=&{()}")) {
		m.report(xssURI, i) // the string with which it is found out what a page escapes
		return
	}
	inTag := m.tag >= 0 && i-m.tag < 4*maxTag
	if inTag {
		m.quote(i)
	}
	name, start := m.nameBefore(i, &buf)
	if len(name) < 2 {
		return
	}
	value := m.b[i+1:]
	if len(name) > 4 && name[0] == 'o' && name[1] == 'n' {
		if m.handles(string(name), start, i, inTag) {
			m.report(xssHandler, start)
			return
		}
	}
	if !inTag {
		if !m.opened && isLink(name) && endsTag(value) {
			m.report(xssBreakOut, start)
		}
		return
	}
	switch string(name) {
	case "xlink":
		m.xlink = m.xlink || start > 0 && m.b[start-1] == ':'
	case "href":
		if !m.xlink && start > 6 && string(m.b[start-6:start]) == "xlink:" && isElsewhere(value) {
			m.report(xssTag, start)
		}
	case "formaction":
		m.report(xssURI, start)
	case "style":
		if isActiveStyle(attributeValue(value)) {
			m.report(xssStyle, start)
		}
	case "attributename":
		if animates(attributeValue(value)) {
			m.report(xssHandler, start)
		}
	case "dataformatas", "datasrc", "datafld":
		m.report(xssTag, start)
	case "handler":
		if start > 0 && m.b[start-1] == ':' { // XML Events
			m.report(xssHandler, start)
		}
	}
	if isScriptURI(value, true) || isScriptEntity(value) {
		m.report(xssURI, start)
	}
}

// isLink reports whether an attribute called name holds an address.
func isLink(name []byte) bool {
	switch string(name) {
	case "href", "src", "action", "formaction", "data", "srcdoc", "poster", "background":
		return true
	}
	return false
}

// endsTag reports whether b, behind =, is a quoted value and the end of the tag.
func endsTag(b []byte) bool {
	b = skipBlanks(b[:min(len(b), maxTag)])
	text, ok := quotedText(b)
	if !ok || len(text)+2 > len(b) {
		return false
	}
	rest := bytes.TrimLeft(b[len(text)+2:], " /")
	return len(rest) > 0 && rest[0] == '>'
}

// isElsewhere reports whether b, behind =, begins with an address on another host.
func isElsewhere(b []byte) bool {
	b = bytes.TrimLeft(b[:min(len(b), 16)], " '\"")
	return bytes.HasPrefix(b, []byte("//")) || hasPrefixFold(b, "http")
}

// isScriptEntity reports whether an attribute's value begins with &{, behind which the
// oldest browsers ran script.
func isScriptEntity(value []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(value[:min(len(value), 8)], " \"'"), []byte("&{"))
}

// quote notes where the quoted value behind the = at i ends: up to there a > ends no
// tag.
func (m *markup) quote(i int) {
	v := skipBlanks(m.b[i+1 : min(len(m.b), i+maxTag)])
	if len(v) == 0 || v[0] != '"' && v[0] != '\'' {
		return
	}
	if end := bytes.IndexByte(v[1:], v[0]); end >= 0 {
		m.quoted = max(m.quoted, i+1+len(m.b[i+1:min(len(m.b), i+maxTag)])-len(v)+1+end)
	}
}

// nameBefore returns the name, in lower case, whose = stands at i, and where it
// begins. Within a tag other marks may stand between: browsers took onload!#= for
// onload.
func (m *markup) nameBefore(i int, buf *[maxName]byte) (name []byte, start int) {
	j := i
	for j > 0 && i-j < maxNoise && classOf[m.b[j-1]]&(letter|digit) == 0 {
		if c := classOf[m.b[j-1]]; c&(blank|control) == 0 && (m.tag < 0 || c&(quote|angle|equals) != 0 && m.b[j-1] != '`') {
			return nil, 0
		}
		j--
	}
	n := len(buf)
	for j > 0 && n > 0 && (classOf[m.b[j-1]]&letter != 0 || m.b[j-1] == 0) {
		if j--; m.b[j] != 0 {
			n--
			buf[n] = lower(m.b[j])
		}
	}
	return buf[n:], j
}

// handles reports whether the attribute called name, from start to its = at i, is an
// event handler: in a tag whatever begins with on, elsewhere an event that browsers
// have, where it leaves a quoted value or is given a script.
func (m *markup) handles(name string, start, i int, inTag bool) bool {
	before := byte(' ')
	if start > 0 {
		before = m.b[start-1]
	}
	value := skipBlanks(m.b[i+1:])
	if isComponent(value, m.b[start+2] < 'a') {
		return false
	}
	if inTag {
		return !isWordByte(before) && bytes.IndexByte([]byte("?&.#-@$"), before) < 0 && !isNoEvent(name)
	}
	if !isEvent(name) {
		return false
	}
	switch {
	case before == '"' || before == '\'' || before == '`':
		return true
	case before == ';' || before == ',' || before == '{':
		return isSinkName(value)
	case classOf[before]&(blank|control) == 0 && before != '/' && before != '+':
		return false
	}
	if start > 1 && m.leavesQuotes(start) {
		return true
	}
	return isSink(value) || isSinkName(value) || isScriptURI(value, false)
}

// leavesQuotes reports whether a quote stands before start, with nothing but blanks
// and slashes between, that no other one opens.
func (m *markup) leavesQuotes(start int) bool {
	j := start
	for j > 0 && start-j < maxNoise && (classOf[m.b[j-1]]&(blank|control) != 0 || m.b[j-1] == '/' || m.b[j-1] == '+') {
		j--
	}
	if j == 0 {
		return false
	}
	q := m.b[j-1]
	if q != '"' && q != '\'' && q != '`' {
		return false
	}
	n := 0
	for k := j - 1; k >= max(0, j-maxTag/2); k-- {
		if m.b[k] == q {
			n++
		}
	}
	return n%2 == 1
}

// isNoEvent reports whether name, which begins with on, is an attribute of components
// and no event.
func isNoEvent(name string) bool {
	switch name {
	case "online", "ongoing", "onlyif", "onceonly", "onboarding":
		return true
	}
	return false
}

// isComponent reports whether value is how components are given a handler: a name or a
// function in braces, which a browser that took it for an attribute would not call, or,
// for a name in camel case, the call of what is no sink.
func isComponent(value []byte, camel bool) bool {
	if len(value) == 0 || value[0] != '{' {
		return false
	}
	v := skipBlanks(value[1:min(len(value), maxTag)])
	if hasPrefixFold(v, "async ") {
		v = skipBlanks(v[len("async "):])
	}
	if len(v) > 0 && v[0] == '(' {
		end := bytes.IndexAny(v[1:], "()")
		return end >= 0 && v[1+end] == ')' && bytes.HasPrefix(skipBlanks(v[2+end:]), []byte("=>"))
	}
	n := 0
	for n < len(v) && (isWordByte(v[n]) || v[n] == '.') {
		n++
	}
	rest := skipBlanks(v[n:])
	switch {
	case n == 0:
		return false
	case len(rest) == 0 || rest[0] == '}' || bytes.HasPrefix(rest, []byte("=>")):
		return true
	}
	return camel && rest[0] == '(' && !isSink(v)
}

// attributeValue is what stands in the quotes that b begins with, blanks apart, or up to
// the next blank or =; at most maxTag bytes.
func attributeValue(b []byte) []byte {
	b = skipBlanks(b[:min(len(b), maxTag)])
	if text, ok := quotedText(b); ok {
		return text
	}
	if end := bytes.IndexAny(b, ">= \t\r\n"); end >= 0 {
		return b[:end]
	}
	return b
}

// animates reports whether an attribute called name, when an animation sets it, runs
// script.
func animates(name []byte) bool {
	name = skipBlanks(name)
	return hasPrefixFold(name, "on") || hasPrefixFold(name, "href") || hasPrefixFold(name, "xlink") || hasPrefixFold(name, "innerhtml") || hasPrefixFold(name, "src")
}
