package attack

import (
	"bytes"
	"encoding/base64"
	"unicode/utf8"
)

// rung is one way of writing a value in other characters.
type rung struct {
	name string // as it stands in a finding's DecodeChain
	// applies says from the kinds of byte alone whether decode is worth trying.
	applies func(c class) bool
	// decode appends what src stands for to dst. It reports false where src is
	// not written this way.
	decode func(dst, src []byte) ([]byte, bool)
}

// rungs are tried in this order, each on what the one before left.
var rungs = [...]rung{
	{"percent", func(c class) bool { return c&percent != 0 }, decodePercent},
	{"width", func(c class) bool { return c&high != 0 }, decodeWidth},
	{"base64", func(c class) bool { return c&^(letter|digit|slash|dash|equals) == 0 }, decodeBase64},
}

// decodePercent undoes %XX and %uXXXX, leniently: what is no escape stays. Where
// no blank stands, + stands for one.
func decodePercent(dst, src []byte) ([]byte, bool) {
	return appendPercent(dst, src, bytes.IndexByte(src, ' ') < 0)
}

// appendPercent appends src to dst with its escapes undone, and with + as a blank
// if plus is set. It reports whether there was an escape.
func appendPercent(dst, src []byte, plus bool) (out []byte, escaped bool) {
	for i := 0; i < len(src); {
		r, n := percentEscape(src[i:])
		switch n {
		case 0:
			c := src[i]
			if plus && c == '+' {
				c = ' '
			}
			dst = append(dst, c)
			i++
			continue
		case 3:
			dst = append(dst, byte(r))
		default:
			dst = utf8.AppendRune(dst, r)
		}
		escaped = true
		i += n
	}
	return dst, escaped
}

// percentEscape reads %XX or %uXXXX at the beginning of b and returns its length,
// 0 where there is none.
func percentEscape(b []byte) (r rune, n int) {
	if len(b) < 3 || b[0] != '%' {
		return 0, 0
	}
	if b[1]|0x20 == 'u' {
		if r, ok := hex4(b[2:]); ok {
			return r, 6
		}
		return 0, 0
	}
	hi, ok1 := hexDigit(b[1])
	lo, ok2 := hexDigit(b[2])
	if !ok1 || !ok2 {
		return 0, 0
	}
	return rune(hi<<4 | lo), 3
}

// decodeWidth turns full-width forms (U+FF01 to U+FF5E) and the apostrophes that
// databases and frameworks fold into their ASCII counterparts.
func decodeWidth(dst, src []byte) ([]byte, bool) {
	done := false
	for i := 0; i < len(src); {
		if src[i] < utf8.RuneSelf {
			dst = append(dst, src[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(src[i:])
		if ascii, ok := narrow(r); ok {
			dst = append(dst, ascii)
			done = true
		} else {
			dst = append(dst, src[i:i+n]...)
		}
		i += n
	}
	return dst, done
}

func narrow(r rune) (byte, bool) {
	switch {
	case r >= 0xFF01 && r <= 0xFF5E:
		return byte(r - 0xFF01 + '!'), true
	case r == 0x02B9 || r == 0x02BC || r == 0x2032:
		return '\'', true
	case r == 0x3000:
		return ' ', true
	}
	return 0, false
}

// minBase64 is the shortest value that is tried as base64, in characters.
const minBase64 = 12

// decodeBase64 undoes base64 in the standard and the URL alphabet, with padding
// or without. What does not decode to text is no base64 for us.
func decodeBase64(dst, src []byte) ([]byte, bool) {
	body := trimPadding(src)
	if len(src) < minBase64 || len(body)%4 == 1 || len(src)-len(body) > 2 {
		return dst, false
	}
	enc := base64Alphabet(body)
	var head [24]byte
	n, err := enc.Decode(head[:], body[:min(len(body), 32)&^3])
	if err != nil || !isText(head[:n], n) {
		return dst, false
	}
	dst, err = enc.AppendDecode(dst, body)
	if err != nil || !isText(dst, len(dst)) {
		return dst[:0], false
	}
	return dst, true
}

func trimPadding(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == '=' {
		b = b[:len(b)-1]
	}
	return b
}

func base64Alphabet(b []byte) *base64.Encoding {
	for _, c := range b {
		switch c {
		case '-', '_':
			return base64.RawURLEncoding
		case '+', '/':
			return base64.RawStdEncoding
		}
	}
	return base64.RawStdEncoding
}

// isText reports whether at least 95 % of b's n bytes are printable, or part of
// a character beyond ASCII in valid UTF-8.
func isText(b []byte, n int) bool {
	odd := 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			if classOf[b[i]]&control != 0 {
				odd++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 && i+utf8.UTFMax < len(b) {
			odd++
		}
		i += size
	}
	return n > 0 && odd*20 <= n
}
