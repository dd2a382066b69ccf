package attack

import "bytes"

// xslRule judges an element of XSLT, up to the end of its tag: a style sheet that only shapes its input passes,
// one that reads files, fetches addresses or calls into the language round it does
// not.
func xslRule(tag []byte) int {
	name, rest := tagName(tag)
	var buf wordBuf
	switch string(buf.fold(name)) {
	case "include", "import":
		if at := findFold(rest, "href"); at >= 0 {
			value := skipBlanks(bytes.TrimLeft(rest[at+len("href"):], "= "))
			if address, ok := quotedText(value); ok && reaches(address, false) {
				return xxeStylesheet
			}
		}
	case "value-of", "copy-of", "variable", "param", "for-each", "if", "when", "value", "copy", "with", "for":
		if reads(rest) {
			return xxeStylesheet
		}
	case "stylesheet", "transform":
		if extends(rest) {
			return xxeStylesheet
		}
	}
	return -1
}

// reads reports whether an expression of XPath in b reads a document that it names, or
// calls a function of an extension.
func reads(b []byte) bool {
	for _, call := range [...]string{"document(", "unparsed-text(", "doc("} {
		if at := findFold(b, call); at >= 0 {
			arg := skipBlanks(b[at+len(call):])
			if len(arg) > 0 && (arg[0] == '\'' || arg[0] == '"' || arg[0] == '&') {
				return true
			}
		}
	}
	for _, call := range [...]string{"php:function", "system-property('xsl:", "system-property(\"xsl:", ":exec(", ":getruntime", "java.lang", "processbuilder"} {
		if containsFold(b, call) {
			return true
		}
	}
	return false
}

// extends reports whether the namespaces that a style sheet declares in b are those
// of code.
func extends(b []byte) bool {
	for _, space := range [...]string{"http://php.net/xsl", "xalan/java", "java.lang", "saxon.sf.net/java-type", "urn:schemas-microsoft-com:xslt", "/tr/wd-xsl"} {
		if containsFold(b, space) {
			return true
		}
	}
	return false
}
