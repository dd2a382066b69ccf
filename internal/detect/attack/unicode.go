package attack

import "unicode/utf8"

// decodeOverlong undoes UTF-8 that uses more bytes than it has to, by which some
// servers were made to see a plain character: C0 AE for a dot. A byte A0 that is no
// UTF-8 is the blank of Latin-1.
func decodeOverlong(dst, src []byte) ([]byte, bool) {
	if utf8.Valid(src) {
		return dst, false
	}
	done := false
	for i := 0; i < len(src); {
		c, n := overlong(src[i:])
		if n == 0 {
			_, n = utf8.DecodeRune(src[i:])
			dst = append(dst, src[i:i+n]...)
			i += n
			continue
		}
		dst = append(dst, c)
		done = true
		i += n
	}
	return dst, done
}

// overlong reads one character of ASCII in two, three or four bytes.
func overlong(b []byte) (c byte, n int) {
	switch {
	case b[0] == 0xA0:
		return ' ', 1
	case b[0] == 0xC0 || b[0] == 0xC1:
		n = 2
	case len(b) > 2 && b[0] == 0xE0 && b[1]&0xFE == 0x80:
		n = 3
	case len(b) > 3 && b[0] == 0xF0 && b[1] == 0x80 && b[2]&0xFE == 0x80:
		n = 4
	default:
		return 0, 0
	}
	if len(b) < n || b[n-1]&0xC0 != 0x80 {
		return 0, 0
	}
	return b[n-2]<<6&0x7F | b[n-1]&0x3F, n
}

// decodeWidth turns full-width forms (U+FF01 to U+FF5E), and other characters that
// databases, browsers and frameworks fold, into their ASCII counterparts.
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
	case r < 0xA0:
		return 0, false
	case r >= 0xFF01 && r <= 0xFF5E:
		return byte(r - 0xFF01 + '!'), true
	case r >= 0x2460 && r <= 0x2468: // digits in circles
		return byte(r - 0x2460 + '1'), true
	case r >= 0x24B6 && r <= 0x24CF:
		return byte(r - 0x24B6 + 'A'), true
	case r >= 0x24D0 && r <= 0x24E9:
		return byte(r - 0x24D0 + 'a'), true
	}
	switch r {
	case 0x02B9, 0x02BC, 0x2018, 0x2019, 0x2032:
		return '\'', true
	case 0x02BA, 0x2033:
		return '"', true
	case 0x00A0, 0x3000, 0x2000, 0x2001, 0x2002, 0x2003, 0x2028, 0x2029, 0x205F:
		return ' ', true
	case 0x0131:
		return 'i', true
	case 0x017F:
		return 's', true
	case 0x212A:
		return 'k', true
	case 0x24EA:
		return '0', true
	case 0xFE64:
		return '<', true
	case 0xFE65:
		return '>', true
	case 0xFE68, 0x2216:
		return '\\', true
	case 0x2044, 0x2215:
		return '/', true
	}
	return 0, false
}

// invisible comes after the ladder, because some rules want to see what it takes
// away.
var invisible = rung{"invisible", func(c class) bool { return c&(control|high) != 0 }, dropInvisible}

// dropInvisible takes away NUL and other control characters, and those of Unicode
// that are not to be seen.
func dropInvisible(dst, src []byte) ([]byte, bool) {
	for i := 0; i < len(src); {
		c := src[i]
		if c < utf8.RuneSelf {
			if classOf[c]&control == 0 {
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(src[i:])
		if !unseen(r) {
			dst = append(dst, src[i:i+n]...)
		}
		i += n
	}
	return dst, len(dst) < len(src)
}

func unseen(r rune) bool {
	switch {
	case r == 0x00AD, r == 0xFEFF, r >= 0x200B && r <= 0x200F, r >= 0x2060 && r <= 0x2064:
		return true
	}
	return false
}
