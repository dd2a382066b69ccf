package attack

// class is the set of kinds of byte that occur in a string. One pass over the
// string finds it, and most strings need no other look: a rule names the kinds
// without which it cannot match.
type class uint32

// The kinds of byte. classOf, in anchor_table.go, says of which kind each is.
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

// classesOf returns the kinds of byte in s.
func classesOf(s []byte) (c class) {
	for _, b := range s {
		c |= classOf[b]
	}
	return c &^ stop
}
