package attack

// class is the set of kinds of byte that occur in a string. One pass over the
// string finds it, and most strings need no other look: a rule names the kinds
// without which it cannot match.
type class uint32

// The kinds of byte.
const (
	letter    class = 1 << iota // A-Z a-z
	digit                       // 0-9
	blank                       // space, tab, line breaks
	dash                        // - _
	slash                       // / +
	equals                      // =
	percent                     // %
	quote                       // ' " `
	paren                       // ( )
	bracket                     // [ ] { }
	angle                       // < >
	semicolon                   // ;
	hash                        // #
	star                        // *
	amp                         // &
	bar                         // |
	point                       // . : , ! ? @ $ ^ ~
	backslash                   // \
	control                     // below 0x20 and 0x7f, line breaks and tab excepted
	high                        // 0x80 and above
	stop                        // what ends the plain part of a JSON string: " \ and raw control characters
)

var classOf = makeClasses()

func makeClasses() (t [256]class) {
	for c := range t {
		switch {
		case c < 0x20 || c == 0x7f:
			t[c] = control
		case c >= 0x80:
			t[c] = high
		case c >= '0' && c <= '9':
			t[c] = digit
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			t[c] = letter
		default:
			t[c] = point
		}
	}
	for _, kind := range [...]struct {
		chars string
		class class
	}{
		{" \t\n\r\v\f", blank}, {"-_", dash}, {"/+", slash}, {"=", equals}, {"%", percent},
		{"'\"`", quote}, {"()", paren}, {"[]{}", bracket}, {"<>", angle}, {";", semicolon},
		{"#", hash}, {"*", star}, {"&", amp}, {"|", bar}, {"\\", backslash},
	} {
		for i := range len(kind.chars) {
			t[kind.chars[i]] = kind.class
		}
	}
	for c := range 0x20 {
		t[c] |= stop
	}
	t['"'] |= stop
	t['\\'] |= stop
	return t
}

// classesOf returns the kinds of byte in s.
func classesOf(s []byte) (c class) {
	for _, b := range s {
		c |= classOf[b]
	}
	return c &^ stop
}
