package attack

import "bytes"

// isPolyglot reports whether b begins with the marks of several template languages in
// one: the string with which it is found out which of them is there.
func isPolyglot(b []byte) bool {
	for _, marks := range [...]string{"${{<%", "{{<%", "<%[%", "{{[[", "#{<%", "{{${", "${{#{"} {
		if bytes.HasPrefix(b, []byte(marks)) {
			return true
		}
	}
	return false
}

// isTeX reports whether a brace behind before is an argument of TeX.
func isTeX(before []byte) bool {
	i := len(before)
	for i > 0 && len(before)-i < maxLiteral && classOf[before[i-1]]&letter != 0 {
		i--
	}
	return i > 0 && (before[i-1] == '\\' || i == len(before) && (before[i-1] == '^' || before[i-1] == '_'))
}

// maxLiteral is how long a literal of an expression is, in bytes, that is looked at.
const maxLiteral = 32

// computes reports whether the expression that begins b, with a mark of n bytes, is
// made of literals alone: 7*7, 7*'7', "a".upper(). Where - and the like have another
// meaning, dates and shell, they do not count.
func computes(b []byte, n int) bool {
	mark := b[:n]
	rest := b[n:min(len(b), n+4*maxLiteral)]
	switch {
	case n == 1:
		return false
	case mark[0] == '$' && len(rest) > 0 && rest[0] == '{':
		rest = rest[1:]
		mark = b[1:3]
	case mark[0] == '<':
		rest = trimMark(rest)
	case mark[1] == 's': // #set
		_, rest, _ = bytes.Cut(rest, []byte("="))
	case mark[0] == '{' && mark[1] == '{':
		rest = bytes.TrimLeft(rest, "={")
	}
	n, quoted := literal(skipBlanks(rest))
	if n == 0 {
		return false
	}
	rest = skipBlanks(rest)[n:]
	if quoted && isMethodOfLiteral(rest) {
		return true
	}
	return isArithmetic(rest, mark, quoted)
}

// literal returns the length of the number or the quoted text that b begins with.
func literal(b []byte) (n int, quoted bool) {
	if len(b) > 0 && (b[0] == '\'' || b[0] == '"') {
		end := bytes.IndexByte(b[1:min(len(b), maxLiteral)], b[0])
		if end < 0 {
			return 0, false
		}
		return end + 2, true
	}
	n = digits(b)
	if n > 0 && n+1 < len(b) && b[n] == '.' {
		if more := digits(b[n+1:]); more > 0 {
			n += 1 + more
		}
	}
	return n, false
}

// isArithmetic reports whether b, behind a literal, goes on with an operator and a
// literal, and so on until the expression ends.
func isArithmetic(b, mark []byte, quoted bool) bool {
	hard, soft := 0, 0
	for range 8 {
		rest := skipBlanks(b)
		spaced := len(rest) < len(b)
		if ends(rest) {
			return hard > 0 || soft == 1
		}
		op := 0
		for op < len(rest) && op < 2 && bytes.IndexByte([]byte("*+-/%^~"), rest[op]) >= 0 {
			op++
		}
		if op == 0 {
			return false
		}
		b = skipBlanks(rest[op:])
		n, q := literal(b)
		if n == 0 {
			return false
		}
		quoted = quoted || q
		switch {
		case rest[0] == '*', quoted && rest[0] != '-' && mark[0] != '$':
			hard++
		case rest[0] == '+' && (spaced || mark[0] != '$'):
			hard++
		case (spaced || mark[0] == '{' || mark[0] == '#') && mark[0] != '@' && (n == 1 || b[0] != '0'):
			soft++
		default:
			return false
		}
		b = b[n:]
	}
	return false
}

// ends reports whether b begins with what ends an expression, or is at its end.
func ends(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch b[0] {
	case '}', ')', '%', '>':
		return true
	}
	return b[0] == '-' && len(b) > 1 && (b[1] == '%' || b[1] == '}')
}

// isMethodOfLiteral reports whether b, behind quoted text, calls a method of it with no
// more than another literal: what that gives is known beforehand.
func isMethodOfLiteral(b []byte) bool {
	if len(b) < 2 || b[0] != '.' {
		return false
	}
	n := wordLen(b[1:])
	rest := b[1+n:]
	if n == 0 || len(rest) == 0 || rest[0] != '(' {
		return false
	}
	rest = skipBlanks(rest[1:])
	n, _ = literal(rest)
	rest = skipBlanks(rest[n:])
	return len(rest) > 0 && rest[0] == ')'
}
