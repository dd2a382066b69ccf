package attack

// literal reads a number, true, false, null, or what stands in their place.
func (s *scanner) literal() {
	start := s.pos
	for s.pos < len(s.text) && !delimits(s.text[s.pos]) {
		s.pos++
	}
	if !s.valueAllowed() || !isLiteral(s.text[start:s.pos]) {
		s.mark(start)
	}
	s.state = s.afterValue()
}

func delimits(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', '"', '{', '[', '}', ']', ',', ':':
		return true
	}
	return false
}

// isLiteral reports whether b is a JSON number, true, false or null.
func isLiteral(b []byte) bool {
	switch string(b) {
	case "true", "false", "null":
		return true
	}
	return isNumber(b)
}

// isNumber reports whether b is a number by RFC 8259, section 6.
func isNumber(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	whole := digits(b)
	if whole == 0 || whole > 1 && b[0] == '0' {
		return false
	}
	b = b[whole:]
	if len(b) > 0 && b[0] == '.' {
		n := digits(b[1:])
		if n == 0 {
			return false
		}
		b = b[1+n:]
	}
	if len(b) > 0 && b[0]|0x20 == 'e' {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		n := digits(b)
		return n > 0 && n == len(b)
	}
	return len(b) == 0
}

// digits counts the digits that b begins with.
func digits(b []byte) (n int) {
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}
