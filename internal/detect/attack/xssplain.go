package attack

import "bytes"

// disarmed returns a copy of window in which what XML and ordinary HTML have is
// taken out that libinjection counts as script because old browsers ran it: the
// declaration of XML, namespaces, a DOCTYPE without entities, back-ticks in
// comments, styles that only style.
func disarmed(window []byte) []byte {
	w := bytes.Clone(window)
	each(w, "xmlns", func(at []byte) { at[0] = '_' })
	each(w, "<?xml ", func(at []byte) { at[2] = '_' })
	each(w, "<!doctype ", func(at []byte) {
		if declaration, _, ok := bytes.Cut(at, []byte(">")); ok && !bytes.ContainsAny(declaration, "[%&") {
			copy(at, "<b       ")
		}
	})
	each(w, "style", func(at []byte) {
		if css, ok := quotedValue(at[len("style"):]); ok && !scripts(css) {
			at[0] = '_'
		}
	})
	for rest, more := w, true; more; {
		var comment []byte
		if _, comment, more = bytes.Cut(rest, []byte("<!--")); more {
			comment, rest, more = bytes.Cut(comment, []byte("-->"))
		}
		if more {
			each(comment, "`", func(at []byte) { at[0] = ' ' })
		}
	}
	return w
}

// maxStyle is how far a style attribute is read for script, in bytes.
const maxStyle = 512

// quotedValue returns what stands in quotes behind =, at the beginning of b.
func quotedValue(b []byte) (value []byte, ok bool) {
	b = b[:min(len(b), maxStyle)]
	b = bytes.TrimLeft(b, " \t\r\n")
	b, ok = bytes.CutPrefix(b, []byte("="))
	b = bytes.TrimLeft(b, " \t\r\n")
	if !ok || len(b) == 0 || b[0] != '"' && b[0] != '\'' {
		return nil, false
	}
	end := bytes.IndexByte(b[1:], b[0])
	if end < 0 {
		return nil, false
	}
	return b[1 : 1+end], true
}

// scripts reports whether css may run script in some browser that ever was, or
// hides what it says.
func scripts(css []byte) bool {
	if bytes.ContainsAny(css, "\\&@\x00") || bytes.Contains(css, []byte("/*")) {
		return true
	}
	lower := bytes.ToLower(css)
	for _, word := range [...]string{"expression", "binding", "behavio", "script"} {
		if bytes.Contains(lower, []byte(word)) {
			return true
		}
	}
	return false
}

// each calls f with b from every place on where word, in lower case, begins in any
// case.
func each(b []byte, word string, f func(at []byte)) {
	for i := 0; i+len(word) <= len(b); i++ {
		n := bytes.IndexByte(b[i:], word[0])
		if c := word[0]; c >= 'a' && c <= 'z' {
			if upper := bytes.IndexByte(b[i:], c-'a'+'A'); n < 0 || upper >= 0 && upper < n {
				n = upper
			}
		}
		if n < 0 || i+n+len(word) > len(b) {
			return
		}
		i += n
		if bytes.EqualFold(b[i:i+len(word)], []byte(word)) {
			f(b[i:])
		}
	}
}
