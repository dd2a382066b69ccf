package attack

import (
	"bytes"
	"unicode/utf8"
)

// rung is one way of writing characters in other characters.
type rung struct {
	name string // as it stands in a finding's DecodeChain
	// applies says from the kinds of byte alone whether decode is worth trying.
	applies func(c class) bool
	// decode appends what src stands for to dst. It reports false where src is
	// not written this way. It reads src once.
	decode func(dst, src []byte) ([]byte, bool)
}

// ladder is climbed one rung after the other, each on what the one before left, and
// again until nothing changes or maxRounds is reached. What comes out of each round
// is judged.
var ladder = [...]rung{
	{"utf16", func(c class) bool { return c&(high|control) == high|control }, decodeUTF16},
	{"percent", func(c class) bool { return c&percent != 0 }, decodePercent},
	{"escape", func(c class) bool { return c&backslash != 0 }, decodeEscape},
	{"entity", func(c class) bool { return c&amp != 0 }, decodeEntity},
	{"rfc2047", func(c class) bool { return c&equals != 0 && c&point != 0 }, decodeWords},
	{"overlong", func(c class) bool { return c&high != 0 }, decodeOverlong},
	{"width", func(c class) bool { return c&high != 0 }, decodeWidth},
}

// maxRounds is how often in a row the ladder is climbed.
const maxRounds = 3

// climb judges what value stands for once its characters are decoded.
func (in *inspection) climb(value []byte, c class) {
	if c&(percent|backslash|amp|equals|high|control) == 0 || in.trusted() || !in.push("") {
		return
	}
	l := &in.layers[in.top]
	out := in.rungs(l, value, c)
	if len(l.rungs) == 0 && invisible.applies(c) {
		out = in.rung(l, &invisible, value)
	}
	switch {
	case len(l.rungs) == 0 || in.clip() || in.done:
	case l.round > maxRounds:
		in.gap("depth", len(value))
	default: // which counts what it reads
		in.judge(out, classesOf(out))
	}
	in.pop()
}

// rungs climbs the ladder once and returns what value stands for.
func (in *inspection) rungs(l *layer, value []byte, c class) []byte {
	for i := range ladder {
		r := &ladder[i]
		if !r.applies(c) || in.done {
			continue
		}
		if out := in.rung(l, r, value); &out[0] != &value[0] {
			value, c = out, classesOf(out)
		}
	}
	return value
}

// rung decodes value by r. It returns value itself where there is nothing to
// decode, and notes r where there is.
func (in *inspection) rung(l *layer, r *rung, value []byte) []byte {
	if !in.spend(len(value)) {
		return value
	}
	out, ok := r.decode(l.spare[:0], value)
	l.spare = out
	if !ok || len(out) == 0 {
		return value
	}
	l.buf, l.spare = l.spare, l.buf
	l.rungs = append(l.rungs, r.name)
	return l.buf
}

// decodePercent undoes %XX and %uXXXX, leniently: what is no escape stays. Where
// no blank stands, + stands for one.
func decodePercent(dst, src []byte) ([]byte, bool) {
	if !escapes(src) {
		return dst, false
	}
	return appendPercent(dst, src, bytes.IndexByte(src, ' ') < 0)
}

// escapes reports whether there is %XX or %uXXXX in b.
func escapes(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '%')
		if i < 0 {
			return false
		}
		if _, n := percentEscape(b[i:]); n > 0 {
			return true
		}
		b = b[i+1:]
	}
}

// appendPercent appends src to dst with its escapes undone, and with + as a blank
// if plus is set. It reports whether there was an escape.
func appendPercent(dst, src []byte, plus bool) (out []byte, escaped bool) {
	for i := 0; i < len(src); {
		c := src[i]
		if c != '%' {
			if plus && c == '+' {
				c = ' '
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := percentEscape(src[i:])
		switch n {
		case 0:
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

// decodeEscape undoes the escapes of string literals: \uXXXX, \u{X}, \UXXXXXXXX,
// \xXX, and those of one letter that stand for blanks and quotes. It takes one of
// the first four for it to be one.
func decodeEscape(dst, src []byte) ([]byte, bool) {
	done := false
	for i := 0; i < len(src); {
		if src[i] != '\\' {
			dst = append(dst, src[i])
			i++
			continue
		}
		r, n := literalEscape(src[i:])
		switch {
		case n == 4 && src[i+1]|0x20 == 'x': // a byte, in most languages
			done = true
			dst = append(dst, byte(r))
		case n > 2:
			done = true
			dst = utf8.AppendRune(dst, r)
		case n > 0:
			dst = append(dst, byte(r))
		default:
			dst, n = append(dst, '\\'), 1
		}
		i += n
	}
	return dst, done
}

// literalEscape reads an escape at the beginning of b and returns its length.
func literalEscape(b []byte) (r rune, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case 'n', 'r', 't':
		return ' ', 2
	case '"', '\'', '/', '\\':
		return rune(b[1]), 2
	case 'x', 'X':
		return hexEscape(b, 2)
	case 'U':
		return hexEscape(b, 8)
	case 'u':
		if len(b) > 2 && b[2] == '{' {
			return bracedEscape(b)
		}
		return unicodeEscape(b)
	}
	return 0, 0
}

// hexEscape reads \x and a number of hex digits.
func hexEscape(b []byte, digits int) (r rune, n int) {
	if len(b) < 2+digits {
		return 0, 0
	}
	for _, c := range b[2 : 2+digits] {
		d, ok := hexDigit(c)
		if !ok || r > utf8.MaxRune {
			return 0, 0
		}
		r = r<<4 | rune(d)
	}
	return r, 2 + digits
}

// bracedEscape reads \u{X} with up to six digits.
func bracedEscape(b []byte) (r rune, n int) {
	for i, c := range b[3:min(len(b), 10)] {
		if c == '}' && i > 0 {
			return r, 4 + i
		}
		d, ok := hexDigit(c)
		if !ok {
			return 0, 0
		}
		r = r<<4 | rune(d)
	}
	return 0, 0
}
