package attack

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// marked reports whether b begins with a byte order mark of UTF-16.
func marked(b []byte) bool {
	return len(b) > 2 && (b[0] == 0xFF && b[1] == 0xFE || b[0] == 0xFE && b[1] == 0xFF)
}

// decodeUTF16 undoes UTF-16 that begins with a byte order mark.
func decodeUTF16(dst, src []byte) ([]byte, bool) {
	if !marked(src) || len(src)%2 != 0 {
		return dst, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if src[0] == 0xFE {
		order = binary.BigEndian
	}
	for i := 2; i < len(src); i += 2 {
		r := rune(order.Uint16(src[i:]))
		if utf16.IsSurrogate(r) && i+4 <= len(src) {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(src[i+2:]))); pair != utf8.RuneError {
				r = pair
				i += 2
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, true
}
