package attack

// xssApplies leaves out values that cannot be script: it takes a tag, or an
// attribute with its value.
func xssApplies(c class) bool { return c&(angle|equals) != 0 }

// matchXSS reports whether value is script in some context of HTML.
func matchXSS(value []byte) (at int, ok bool) { return 0, isXSS(value) }
