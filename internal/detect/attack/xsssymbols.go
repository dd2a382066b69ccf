package attack

// symbols is a run of brackets, parentheses and the two operators with which script can
// be written without letters.
type symbols struct {
	from, n, empty, nots int
	last                 byte
}

func (r *symbols) add(c byte, at int) {
	switch c {
	case ' ', '\n', '\t':
		return
	case '[', ']', '(', ')', '!', '+', '{', '}', '~', '-':
	default:
		if r.script() {
			return // kept for the end
		}
		*r = symbols{}
		return
	}
	if r.n == 0 {
		r.from = at
	}
	r.n++
	if c == ']' && r.last == '[' {
		r.empty++
	}
	if c == '!' || c == '+' || c == '~' {
		r.nots++
	}
	r.last = c
}

// script reports whether the run is long enough, and made as script is.
func (r *symbols) script() bool { return r.n >= 16 && r.empty >= 3 && r.nots >= 3 }
