package scan

// ending says whether a document ends at a byte.
type ending uint8

const (
	inside ending = iota
	last          // with this byte
	beyond        // before this byte
)

// shape follows the brackets and quotes of one document.
type shape struct {
	depth              int
	begun, str, escape bool
	bare               bool // a number or a word
}

func (s *shape) step(c byte) ending {
	switch {
	case s.str:
		return s.inString(c)
	case s.bare:
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '{' || c == '[' || c == '"' {
			return beyond
		}
		return inside
	}
	first := !s.begun
	s.begun = true
	switch c {
	case '"':
		s.str = true
	case '{', '[':
		s.depth++
	case '}', ']':
		if s.depth--; s.depth <= 0 {
			return last
		}
	default:
		s.bare = first
	}
	return inside
}

func (s *shape) inString(c byte) ending {
	switch {
	case c == '\n':
		return last // no JSON: a string has no line breaks
	case s.escape:
		s.escape = false
	case c == '\\':
		s.escape = true
	case c == '"':
		s.str = false
		if s.depth == 0 {
			return last
		}
	}
	return inside
}
