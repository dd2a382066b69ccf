package record

import (
	"encoding/binary"
	"unsafe"
)

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// Plain reports whether b stands for itself in a JSON string: it is printable ASCII
// without quotes and backslashes. It looks at eight bytes at a time.
func Plain(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		// The high bit of a byte is set where the byte is not ASCII, below the blank, DEL, a
		// quote or a backslash. A borrow sets another one only above such a byte.
		bad := x | (x - ' '*ones) | ((x ^ 0x7f*ones) - ones) | ((x ^ '"'*ones) - ones) | ((x ^ '\\'*ones) - ones)
		if bad&highs != 0 {
			return false
		}
	}
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// PlainText is Plain of a string.
func PlainText(s string) bool { return Plain(unsafe.Slice(unsafe.StringData(s), len(s))) }
