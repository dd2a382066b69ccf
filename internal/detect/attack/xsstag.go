package attack

import "bytes"

// opens enters the tag that begins at i, if one does, and judges its name.
func (m *markup) opens(i int) {
	b := m.b[i+1:]
	for len(b) > 0 && classOf[b[0]]&control != 0 {
		b = b[1:] // old browsers skip them
		if len(m.b)-len(b)-i > 8 {
			return
		}
	}
	if len(b) == 0 {
		return
	}
	var buf wordBuf
	switch c := b[0]; {
	case classOf[c]&letter != 0:
		name, n := m.local(b, &buf)
		m.tag, m.opened = i, true
		m.element(i, string(name), b[n:])
	case c == '!':
		m.declaration(i, b)
	case c == '?':
		m.instruction(i, b[1:])
	case c == '/':
		m.end(i, b[1:])
	case classOf[c]&blank != 0 || c == '"' || c == '\'':
		m.spaced(i, b)
	}
}

// local returns the name of the element that b begins with, without its namespace and
// without the NUL bytes that old browsers skip, and the length of all that.
func (m *markup) local(b []byte, buf *wordBuf) (name []byte, n int) {
	k := 0
	for n < len(b) && n < 2*len(buf) {
		c := b[n]
		switch {
		case c == ':':
			k = 0
		case c == 0:
		case isWordByte(c) || c == '-':
			if k == len(buf) {
				return nil, n
			}
			buf[k] = lower(c)
			k++
		default:
			return buf[:k], n
		}
		n++
	}
	return buf[:k], n
}

// element judges the element called name, with rest behind its name.
func (m *markup) element(i int, name string, rest []byte) {
	switch name {
	case "script":
		if !isDataBlock(rest) {
			m.report(xssTag, i)
		}
	case "iframe", "frame", "object", "embed", "applet", "base", "layer", "ilayer", "vmlframe", "bgsound", "portal", "fencedframe":
		if loads(rest) {
			m.report(xssTag, i)
		}
	case "xml": // an island of data in old browsers
		if hasAttribute(rest, "id") || hasAttribute(rest, "src") {
			m.report(xssTag, i)
		}
	case "import": // HTML+TIME
		if hasAttribute(rest, "implementation") {
			m.report(xssTag, i)
		}
	case "namespace":
		if hasAttribute(rest, "prefix") {
			m.report(xssTag, i)
		}
	case "svg", "math":
		if !m.document && m.leftOpen(rest, name) {
			m.report(xssBreakOut, i)
		}
	case "handler", "listener": // XML Events
		if hasAttribute(rest, "event") {
			m.report(xssTag, i)
		}
	case "isindex", "plaintext", "xss":
		m.report(xssTag, i)
	case "link":
		m.link(i, rest)
	case "meta":
		m.meta(i, rest)
	case "style":
		m.sheet(i, rest)
	case "html", "head", "body":
		m.document = m.document || isDocumentTag(m.b[:i])
	}
	if m.found < 0 && isElement(name) && isMarkup(name, rest) {
		m.report(xssHTML, i)
	}
}

// leftOpen reports whether an element that makes a browser read on by other rules is not
// ended, neither by its own tag, whose attributes are in rest, nor by another.
func (m *markup) leftOpen(rest []byte, name string) bool {
	end := &m.ended[0]
	if name == "math" {
		end = &m.ended[1]
	}
	at := len(m.b) - len(rest)
	if m.found >= 0 && xssRules[m.found].score >= refuseAt || at < *end {
		return false
	}
	tag := untilMarkup(rest)
	if len(tag) == len(rest) || rest[len(tag)] != '>' || len(tag) > 0 && bytes.IndexByte(tag, '=') < 0 || len(tag) > 0 && tag[len(tag)-1] == '/' {
		return false
	}
	n := endTag(rest[len(tag):], name)
	*end = at + n
	return n == 0
}

// endTag returns where b has an end tag of the element called name, 0 where it has none.
func endTag(b []byte, name string) int {
	for at := 0; ; {
		n := bytes.Index(b[at:], []byte("</"))
		if n < 0 {
			return 0
		}
		at += n + len("</")
		if local := b[at:]; hasPrefixFold(local, name) || hasPrefixFold(local, "svg:") {
			return at
		}
	}
}

// isDocumentTag reports whether a tag with before in front of it begins a page: nothing
// but the declarations of one may stand there.
func isDocumentTag(before []byte) bool {
	before = skipBlanks(before)
	return len(before) == 0 || before[0] == '<' && len(before) > 1 && (before[1] == '!' || before[1] == '?' || hasPrefixFold(before, "<html") || hasPrefixFold(before, "<head"))
}

// isDataBlock reports whether rest, behind <script, says that the element holds data.
func isDataBlock(rest []byte) bool {
	tag := untilMarkup(rest)
	at := findFold(tag, "type")
	if at < 0 || containsFold(tag, "src") || findFold(tag, " on") >= 0 || len(tag) == len(rest) {
		return false
	}
	v := bytes.TrimLeft(tag[at+len("type"):], "= \t\r\n'\"\\")
	return hasPrefixFold(v, "application/json") || hasPrefixFold(v, "application/ld+json")
}

// untilMarkup is b up to the next < or >, at most maxTag bytes.
func untilMarkup(b []byte) []byte {
	b = b[:min(len(b), maxTag)]
	if end := bytes.IndexAny(b, "<>"); end >= 0 {
		return b[:end]
	}
	return b
}

// loads reports whether the attributes in rest make an element load something.
func loads(rest []byte) bool {
	for _, name := range [...]string{"src", "srcdoc", "href", "data", "code", "codebase", "codetype", "classid", "archive"} {
		if hasAttribute(rest, name) {
			return true
		}
	}
	return false
}

// hasAttribute reports whether the tag that ends in rest has an attribute called name.
func hasAttribute(rest []byte, name string) bool {
	tag := untilMarkup(rest)
	for at := 0; at < len(tag); {
		n := findFold(tag[at:], name)
		if n < 0 {
			return false
		}
		at += n + len(name)
		after := bytes.TrimLeft(tag[at:], " \t\r\n\x00\v\f")
		if len(after) > 0 && after[0] == '=' {
			return true
		}
	}
	return false
}

// link judges a link by what it links to: script, and in a fragment of a page a style
// sheet, too.
func (m *markup) link(i int, rest []byte) {
	tag := untilMarkup(rest)
	if !containsFold(tag, "href") {
		return
	}
	at := findFold(tag, "rel")
	if at < 0 {
		return
	}
	rel := bytes.TrimLeft(tag[at+len("rel"):], "= \t\r\n'\"\\")
	if hasPrefixFold(rel, "import") || hasPrefixFold(rel, "serviceworker") || !m.document && (hasPrefixFold(rel, "stylesheet") || hasPrefixFold(rel, "prefetch") || hasPrefixFold(rel, "preload")) {
		m.report(xssTag, i)
	}
}

// meta judges what a page would do as if a header said so.
func (m *markup) meta(i int, rest []byte) {
	tag := untilMarkup(rest)
	if containsFold(tag, "utf-7") || containsFold(tag, "utf7") {
		m.report(xssTag, i)
		return
	}
	at := findFold(tag, "http-equiv")
	if at < 0 {
		return
	}
	name := bytes.TrimLeft(tag[at+len("http-equiv"):], "= \t\r\n'\"\\")
	switch {
	case hasPrefixFold(name, "set-cookie"), hasPrefixFold(name, "link"):
		m.report(xssTag, i)
	case hasPrefixFold(name, "refresh") && (!m.document && containsFold(tag, "url") || containsFold(tag, "script:") || containsFold(tag, "data:")):
		m.report(xssTag, i)
	}
}

// sheet judges the style sheet behind <style.
func (m *markup) sheet(i int, rest []byte) {
	end := bytes.IndexByte(rest[:min(len(rest), maxTag)], '>')
	if end < 0 {
		return
	}
	if containsFold(rest[:end], "script") {
		m.report(xssTag, i)
		return
	}
	css := rest[end+1 : min(len(rest), end+1+4*maxTag)]
	if n := bytes.IndexByte(css, '<'); n >= 0 {
		css = css[:n]
	}
	if isActiveStyle(css) || !m.document && containsFold(css, "@import") {
		m.report(xssStyle, i)
	}
}

// declaration judges what begins with <!.
func (m *markup) declaration(i int, b []byte) {
	switch {
	case hasPrefixFold(b, "!doctype html"):
		m.document = m.document || len(skipBlanks(m.b[:min(i, 64)])) == 0
	case hasPrefixFold(b, "!attlist"):
		if tag := untilMarkup(b[1:]); containsFold(tag, "cdata") && (containsFold(tag, "onerror") || containsFold(tag, "onload") || containsFold(tag, "onbegin")) {
			m.report(xssTag, i)
		}
	case hasPrefixFold(b, "![cdata["):
		// A section for a < alone hides a tag from who looks for one.
		if text := b[len("![CDATA["):]; bytes.HasPrefix(text, []byte("<]]>")) || bytes.HasPrefix(text, []byte("<]]")) {
			m.report(xssTag, i)
		}
	}
}

// instruction judges what begins with <?.
func (m *markup) instruction(i int, b []byte) {
	switch {
	case hasPrefixFold(b, "import"):
		if hasAttribute(b, "namespace") || hasAttribute(b, "implementation") {
			m.report(xssTag, i)
		}
	case hasPrefixFold(b, "xml-stylesheet"):
		m.tag = i
		if tag := untilMarkup(b); bytes.Contains(tag, []byte("=\"#")) || bytes.Contains(tag, []byte("='#")) {
			m.report(xssTag, i) // the document is its own style sheet
		}
	case hasPrefixFold(b, "xml:namespace"):
		m.report(xssTag, i)
	case hasPrefixFold(skipBlanks(b[:min(len(b), 8)]), "echo"): // PHP that writes a tag
		if call := b[:min(len(b), 24)]; bytes.Contains(call, []byte("('<")) || bytes.Contains(call, []byte("(\"<")) {
			m.report(xssTag, i)
		}
	}
}

// end judges an end tag: of an element whose text a browser does not read as markup,
// and that the value did not open.
func (m *markup) end(i int, b []byte) {
	if hasPrefixFold(b, "script") && (len(b) == len("script") || !isWordByte(b[len("script")])) {
		m.report(xssTag, i)
		return
	}
	var buf wordBuf
	if name, _ := m.local(b, &buf); isElement(string(name)) {
		m.report(xssHTML, i)
	}
}

// spaced judges a tag whose name is set off from its <, for filters that are sloppier
// than browsers.
func (m *markup) spaced(i int, b []byte) {
	name := bytes.TrimLeft(b[:min(len(b), 32)], " \t\r\n\v\f\"'")
	if !hasPrefixFold(name, "script") {
		return
	}
	rest := bytes.TrimLeft(name[len("script"):], " \"'")
	if len(rest) > 0 && (rest[0] == '>' || hasPrefixFold(rest, "src")) {
		m.report(xssTag, i)
	}
}
