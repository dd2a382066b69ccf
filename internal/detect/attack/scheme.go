package attack

import "bytes"

// schemed is a place in a value where a URL begins, or something like one.
type schemed struct {
	scheme  []byte // as written, without the colon
	at      int    // where it begins
	rest    int    // behind the colon and the slashes
	slashes int    // of either kind, behind the colon
	// field: nothing stands in front of it, but for what makes it the value of a
	// field.
	field bool
}

// Bounds of nextScheme, in bytes.
const (
	minScheme  = 3
	maxScheme  = 20
	maxSlashes = 8
)

// nextScheme finds the next colon behind a scheme in value, from from on.
func nextScheme(value []byte, from int) (s schemed, ok bool) {
	for i := from; i < len(value); i++ {
		n := bytes.IndexByte(value[i:], ':')
		if n < 0 {
			return s, false
		}
		i += n
		start := schemeBefore(value, max(from, i-maxScheme), i)
		if i-start < minScheme {
			continue
		}
		s = schemed{scheme: value[start:i], at: start, rest: i + 1, field: beginsField(value, start)}
		for s.rest < len(value) && s.slashes < maxSlashes && (value[s.rest] == '/' || value[s.rest] == '\\') {
			s.rest++
			s.slashes++
		}
		return s, true
	}
	return s, false
}

// schemeBefore returns where the scheme that ends before to begins.
func schemeBefore(value []byte, from, to int) int {
	at := to
	for at > from && schemeByte(value[at-1]) {
		at--
	}
	for at < to && classOf[value[at]]&letter == 0 {
		at++
	}
	return at
}

func schemeByte(c byte) bool {
	return classOf[c]&(letter|digit) != 0 || c == '.' || c == '_' || c == '+' || c == '-'
}

// beginsField reports whether what begins at at may be the whole value of a field.
func beginsField(value []byte, at int) bool {
	for at > 0 && classOf[value[at-1]]&(blank|quote|control) != 0 {
		at--
		if at > 0 && classOf[value[at]]&blank != 0 && classOf[value[at-1]]&(letter|digit) != 0 {
			return false
		}
	}
	return at == 0 || value[at-1] == '=' || value[at-1] == '&'
}

// isScheme reports whether the scheme is name, in any case.
func (s *schemed) is(name string) bool { return equalFold(s.scheme, name) }
