package attack

import "unicode/utf8"

// pathUnit is what a byte, or the escape of one, is to a path.
type pathUnit uint8

const (
	pathName  pathUnit = iota // a byte of a name
	pathDot                   // a dot
	pathSlash                 // a separator, of either system
	pathOdd                   // no character at all: what an overlong form leaves, a dot or a separator
	pathWild                  // ? for a dot
	pathSkip                  // nothing to a path: NUL, control characters, a stray %
	pathEnd                   // what no path goes on over
)

// pathUnitAt reads one unit at the beginning of b: its length, and whether it is
// written as nobody writes it who does not hide something.
func pathUnitAt(b []byte) (u pathUnit, n int, hidden bool) {
	switch c := b[0]; {
	case c == '.':
		return pathDot, 1, false
	case c == '/' || c == '\\':
		return pathSlash, 1, false
	case c == '?':
		return pathWild, 1, false
	case c == '%':
		return percentUnit(b)
	case c == '0' && len(b) >= 4 && b[1] == 'x':
		if u := plainUnit(hexPair(b[2:])); u != pathName {
			return u, 4, true
		}
	case c >= utf8.RuneSelf:
		return highUnit(b)
	case classOf[c]&(letter|digit|dash) != 0:
	case c == '\t' || c == '\n' || c == '\r':
		return pathEnd, 1, false
	case classOf[c]&control != 0:
		return pathSkip, 1, false
	case endsPath(c):
		return pathEnd, 1, false
	}
	return pathName, 1, false
}

// endsPath reports whether c stands in no path that is not quoted.
func endsPath(c byte) bool {
	return classOf[c]&(blank|quote|paren|bracket|angle|semicolon|hash|star|amp|bar|equals) != 0 || c == ':' || c == ','
}

// plainUnit is what the byte v is to a path, names and all else apart.
func plainUnit(v int) pathUnit {
	switch v {
	case '.':
		return pathDot
	case '/', '\\':
		return pathSlash
	}
	return pathName
}

// hexPair reads two hex digits as careless decoders do, which take every letter for
// one; -1 where there are none.
func hexPair(b []byte) int {
	if len(b) < 2 {
		return -1
	}
	hi, lo := looseDigit(b[0]), looseDigit(b[1])
	if hi < 0 || lo < 0 {
		return -1
	}
	return (hi<<4 + lo) & 0xff
}

func looseDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'z':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// maxPercents is how many times over a percent sign is undone.
const maxPercents = 4

// percentUnit reads a unit at %: %2e, %252e, %2%e, %u2215, %c0%ae and what careless
// decoders take for one of these.
func percentUnit(b []byte) (u pathUnit, n int, hidden bool) {
	at := 1
	for k := 0; k < maxPercents && len(b) > at+2 && b[at] == '2' && b[at+1] == '5'; k++ {
		at += 2
	}
	rest := b[at:]
	switch {
	case len(rest) < 2:
		return pathSkip, 1, false
	case rest[0]|0x20 == 'u':
		return unicodeUnit(rest, at)
	case len(rest) >= 3 && rest[1] == '%':
		if u := plainUnit(hexPair([]byte{rest[0], rest[2]})); u != pathName {
			return u, at + 3, true
		}
		return pathSkip, 1, false
	}
	v := hexPair(rest)
	switch u := plainUnit(v); {
	case v < 0:
		return pathSkip, 1, false
	case u != pathName:
		return u, at + 2, at > 3
	case v >= 0x80:
		u, n := overlongUnit(v, rest[2:])
		return u, at + 2 + n, true
	case v == '\n' || v == '\r' || v == '\t' || endsPath(byte(v)):
		return pathEnd, at + 2, false
	case v < ' ':
		return pathSkip, at + 2, false
	}
	return pathName, 1, false
}

// unicodeUnit reads %uXXXX, whose u rest begins with, behind at bytes.
func unicodeUnit(rest []byte, at int) (u pathUnit, n int, hidden bool) {
	if len(rest) < 5 {
		return pathSkip, 1, false
	}
	r, ok := hex4(rest[1:])
	if !ok {
		return pathSkip, 1, false
	}
	if r < utf8.RuneSelf {
		return plainUnit(int(r)), at + 5, true
	}
	return lookalike(r), at + 5, true
}

// lookalike is what r folds to where a decoder fits it into one byte.
func lookalike(r rune) pathUnit {
	switch r {
	case 0xff0e, 0x2024, 0x2025:
		return pathDot
	case 0xff0f, 0x2215, 0x2044, 0x2216, 0xff3c, 0xf025, 0xefc8, 0x29f8:
		return pathSlash
	case utf8.RuneError:
		return pathOdd
	}
	return pathName
}

// overlongUnit reads what follows a byte v beyond ASCII that begins no character: one
// more byte, plain or escaped, of which the low six bits count.
func overlongUnit(v int, rest []byte) (u pathUnit, n int) {
	low := -1
	switch {
	case len(rest) >= 3 && rest[0] == '%':
		low, n = hexPair(rest[1:]), 3
	case len(rest) > 0 && rest[0] < utf8.RuneSelf:
		low, n = int(rest[0]), 1
	case len(rest) > 0 && v == 0xc0|v&1:
		low, n = int(rest[0]), 1
	}
	if low < 0 || v != 0xc0 && v != 0xc1 {
		return pathOdd, 0
	}
	if u := plainUnit(v&1<<6 | low&0x3f); u != pathName {
		return u, n
	}
	if low == '.' || low == '^' {
		return pathDot, n
	}
	return pathOdd, 0
}

// highUnit reads a unit at a byte beyond ASCII.
func highUnit(b []byte) (u pathUnit, n int, hidden bool) {
	r, n := utf8.DecodeRune(b)
	if r != utf8.RuneError {
		u := lookalike(r)
		return u, n, u != pathName
	}
	if n == 1 && (b[0] == 0xc0 || b[0] == 0xc1) {
		u, more := overlongUnit(int(b[0]), b[1:])
		return u, 1 + more, true
	}
	if n == 3 && len(b) > 3 {
		// What a decoder made of the first byte of such a form; the other one is left.
		switch b[3] {
		case '.', 'n', '^':
			return pathDot, 4, true
		case '/', '\\', 0x1c:
			return pathSlash, 4, true
		}
	}
	return pathOdd, n, true
}
