package attack

import "bytes"

// isActiveStyle reports whether a style runs script in some browser that ever was, or
// hides a word from who looks for it. Where a comment begins depends on where a string
// does, so it is read both ways.
func isActiveStyle(css []byte) bool {
	css = css[:min(len(css), maxTag)]
	return isActiveCSS(css, false) || bytes.IndexByte(css, '*') >= 0 && isActiveCSS(css, true)
}

// isActiveCSS reads css without comments, escapes and blanks, and looks for what runs
// script. In strings, if strings is set, no comment begins.
func isActiveCSS(css []byte, strings bool) bool {
	var buf [maxTag]byte
	n, open, in := 0, 0, byte(0)
	hidden, escaped := false, false
	for i := 0; i < len(css); i++ {
		c := css[i]
		switch {
		case in == 0 && c == '/' && i+1 < len(css) && css[i+1] == '*':
			end := bytes.Index(css[i+2:], []byte("*/"))
			if end < 0 {
				hidden = true
				i = len(css)
				continue
			}
			i += end + 3
			continue
		case c == '\\':
			var size int
			if c, size = cssEscape(css[i:]); size == 0 {
				escaped = true
				continue
			}
			i += size - 1
			hidden = hidden || c == '<' || c == '>' || c == ';' || c == '*'
		case classOf[c]&(control|blank) != 0:
			continue
		case strings && (c == '\'' || c == '"'):
			switch in {
			case 0:
				in = c
			case c:
				in = 0
			}
		case c == '{':
			open++
		case c == '}':
			open--
			hidden = hidden || open < 0
		}
		buf[n] = lower(c)
		n++
	}
	return hidden || runsCSS(buf[:n], escaped)
}

// cssEscape reads the escape of a character, \ and up to six digits, at the beginning
// of b and returns its length, 0 where none stands there.
func cssEscape(b []byte) (c byte, size int) {
	r := 0
	for size = 1; size < len(b) && size <= 6; size++ {
		d, ok := hexDigit(b[size])
		if !ok {
			break
		}
		r = r<<4 | int(d)
	}
	if size == 1 || r == 0 || r > 0x7e {
		return 0, 0
	}
	if size < len(b) && b[size] == ' ' {
		size++
	}
	return byte(r), size
}

// runsCSS reports whether css, in lower case and without blanks, runs script.
func runsCSS(css []byte, escaped bool) bool {
	for _, word := range [...]string{"expression(", "binding:url(", "behavior:url(", "behaviour:url(", "behavior:expression", "javascript:", "vbscript:", "livescript:", "mocha:"} {
		if bytes.Contains(css, []byte(word)) {
			return true
		}
	}
	return escaped && bytes.Contains(css, []byte("@import"))
}
