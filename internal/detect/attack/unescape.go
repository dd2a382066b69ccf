package attack

import (
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
