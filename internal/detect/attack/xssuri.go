package attack

import "bytes"

// maxURIScheme is how much of an address is read for its scheme, in bytes.
const maxURIScheme = 64

// isScriptURI reports whether b, an attribute's value, begins with an address that is
// script. Browsers skip what stands before a scheme and some of what stands within.
// Within a tag schemes count that only old browsers knew.
func isScriptURI(b []byte, inTag bool) bool {
	b = skipToScheme(b[:min(len(b), maxURIScheme+maxTag)])
	var buf wordBuf
	scheme, n := schemeOf(b, &buf)
	if n == 0 {
		return false
	}
	rest := b[n:]
	switch string(scheme) {
	case "javascript", "vbscript", "jscript", "vbs":
		return !isIdle(rest)
	case "livescript", "mocha":
		return inTag
	case "feed", "view-source", "jar", "x-javascript":
		return isScriptURI(rest, inTag)
	case "data":
		return isActiveData(rest)
	case "mhtml":
		return hasPrefixFold(rest, "http")
	}
	return false
}

// skipToScheme returns b without the marks that it begins with, and without escapes of
// control characters, as someone wrote them who had a language in mind that undoes them.
func skipToScheme(b []byte) []byte {
	for n := 0; len(b) > 0 && n < maxURIScheme; n++ {
		switch c := b[0]; {
		case classOf[c]&(letter|digit|slash|angle|hash|equals) != 0 || c == '.' || c == '?':
			return b
		case c == '\\' && len(b) > 3 && b[1] == 'x':
			b = b[4:]
		default:
			b = b[1:]
		}
	}
	return b
}

// schemeOf returns the scheme that b begins with, in lower case and without what
// browsers skip, and the length of it and its colon; 0 where there is none.
func schemeOf(b []byte, buf *wordBuf) (scheme []byte, n int) {
	k := 0
	for n < len(b) && n < maxURIScheme && k < len(buf) {
		c := b[n]
		n++
		switch {
		case c == ':', c == '#' && string(buf[:k]) == "javascript":
			return buf[:k], n
		case classOf[c]&(letter|digit) != 0 || c == '-':
			buf[k] = lower(c)
			k++
		case classOf[c]&control != 0 || c == '\t' || c == '\n' || c == '\r' || c == ' ' && k > 0:
		case c == '\\' && n+2 < len(b) && b[n] == 'x' && k > 0: // an escape of JavaScript
			n += 3
		default:
			return nil, 0
		}
	}
	return nil, 0
}

// isIdle reports whether b, behind javascript:, does nothing: old pages write
// javascript:void(0) for a link that leads nowhere.
func isIdle(b []byte) bool {
	b = skipBlanks(b)
	for _, idle := range [...]string{"void(0)", "void 0", "return false", "undefined", "history.back()", "history.go(-1)", "window.print()", "//"} {
		if hasPrefixFold(b, idle) {
			b = b[len(idle):]
			break
		}
	}
	for len(b) > 0 && (b[0] == ';' || b[0] == ' ') {
		b = b[1:]
	}
	return len(b) == 0 || b[0] == '"' || b[0] == '\'' || b[0] == '>' || b[0] == ')'
}

// isActiveData reports whether b, behind data:, is a page or an image that runs script.
func isActiveData(b []byte) bool {
	b = skipBlanks(b)
	for _, kind := range [...]string{"text/html", "image/svg+xml", "application/xhtml", "text/xml", "application/xml", "text/javascript", "application/javascript", "application/x-javascript", "text/x-scriptlet", "application/x-x509"} {
		if hasPrefixFold(b, kind) {
			return true
		}
	}
	return len(b) > 0 && (b[0] == ',' && bytes.IndexByte(b, '<') >= 0 || b[0] == ';') && containsFold(b, "script")
}
