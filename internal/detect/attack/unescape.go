package attack

import (
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends the value of a JSON string, given without its quotes, to dst.
// A bad escape stays as it is written, a lone surrogate becomes U+FFFD, and
// bytes that are not UTF-8 stay.
func unescape(dst, body []byte) []byte {
	for i := 0; i < len(body); {
		if body[i] != '\\' || i+1 == len(body) {
			dst = append(dst, body[i])
			i++
			continue
		}
		if plain := simpleEscapes[body[i+1]]; plain != 0 {
			dst = append(dst, plain)
			i += 2
			continue
		}
		r, n := unicodeEscape(body[i:])
		if n == 0 {
			dst = append(dst, '\\')
			i++
			continue
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}

// unicodeEscape reads \uXXXX, or a surrogate pair of them, at the beginning of b
// and returns its length, 0 where there is none.
func unicodeEscape(b []byte) (r rune, n int) {
	if len(b) < 6 || b[1] != 'u' {
		return 0, 0
	}
	r, ok := hex4(b[2:])
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if low, ok := hex4(b[8:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return utf8.RuneError, 6
}

// hex4 reads four hex digits at the beginning of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		d, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// simpleEscapes says what the escapes of one letter stand for.
var simpleEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape appends what the escape at text[i] stands for and returns where the string
// goes on. A bad one stays as it is written.
func (s *scanner) escape(dst []byte, i int) (out []byte, next int) {
	r, n := unicodeEscape(s.text[i:])
	if n == 0 {
		s.mark(i)
		return append(dst, '\\'), i + 1
	}
	return utf8.AppendRune(dst, r), i + n
}

// unescape reads on from the first escape, or control character, at text[i].
func (s *scanner) unescape(out *str, i int, seen class) {
	text, dst := s.text, s.plain
	for i < len(text) && !out.closed {
		if room := cap(dst) - len(dst); room < 16 {
			dst = slices.Grow(dst, min(len(dst)+64, len(text)-i+16))
		}
		n := len(dst)
		dst = dst[:cap(dst)]
		for i < len(text) && n < len(dst)-8 {
			b := text[i]
			c := classOf[b]
			if c&stop != 0 {
				break
			}
			seen |= c
			dst[n] = b
			n++
			i++
		}
		dst = dst[:n]
		if i == len(text) || classOf[text[i]]&stop == 0 {
			continue
		}
		switch b := text[i]; {
		case b == '"':
			out.closed = true
			i++
		case b != '\\':
			s.mark(i)
			seen |= classOf[b] &^ stop
			dst = append(dst, b)
			i++
		case i+1 < len(text) && simpleEscapes[text[i+1]] != 0:
			b = simpleEscapes[text[i+1]]
			out.escaped = true
			seen |= classOf[b] &^ stop
			dst = append(dst, b)
			i += 2
		default:
			out.escaped = true
			before := len(dst)
			dst, i = s.escape(dst, i)
			seen |= classesOf(dst[before:])
		}
	}
	out.end, out.classes, s.plain = i, seen, dst
}
