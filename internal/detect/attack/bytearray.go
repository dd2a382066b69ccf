package attack

// minBytes is the shortest array that is taken for bytes.
const minBytes = 8

// bytes reads an array of numbers at s.pos that may all be bytes, in Java's way
// (-128 to 127) or as all others write them. It leaves s where it is if it is not
// one.
func (s *scanner) bytes(out *str) bool {
	if s.skim || !s.valueAllowed() {
		return false
	}
	end, n := byteArray(s.text[s.pos:])
	if n < minBytes {
		return false
	}
	*out = str{start: s.pos, end: s.pos + end, bytes: true}
	s.pos = out.end
	s.state = s.afterValue()
	return true
}

// byteArray reads the array of bytes that b begins with. It returns its length in b
// and how many it holds; 0 where it is none.
func byteArray(b []byte) (end, n int) {
	wantComma := false
	for i := 1; i < len(b); {
		switch c := b[i]; {
		case classOf[c]&blank != 0:
			i++
		case c == ',' && wantComma:
			wantComma = false
			i++
		case c == ']' && wantComma:
			return i + 1, n
		default:
			_, size := byteNumber(b[i:])
			if size == 0 || wantComma {
				return 0, 0
			}
			i += size
			n++
			wantComma = true
		}
	}
	return 0, 0
}

// byteNumber reads a whole number from -128 to 255 and returns its length, 0 where
// there is none.
func byteNumber(b []byte) (value byte, size int) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	n := digits(b)
	if n == 0 || n > 3 || n == len(b) || n > 1 && b[0] == '0' {
		return 0, 0
	}
	if c := b[n]; c != ',' && c != ']' && classOf[c]&blank == 0 {
		return 0, 0
	}
	v := 0
	for _, d := range b[:n] {
		v = v*10 + int(d-'0')
	}
	if v > 255 || negative && v > 128 {
		return 0, 0
	}
	if negative {
		return byte(256 - v), n + 1
	}
	return byte(v), n
}

// appendBytes appends the bytes that an array of numbers stands for.
func appendBytes(dst, array []byte) []byte {
	for i := 1; i < len(array); {
		value, size := byteNumber(array[i:])
		if size == 0 {
			i++
			continue
		}
		dst = append(dst, value)
		i += size
	}
	return dst
}
