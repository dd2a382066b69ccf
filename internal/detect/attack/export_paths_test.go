package attack

import "gatehouse/internal/detect"

// Match runs the family that has the rule called id over value, weak rules
// included. It returns the rule that value breaks, "" for none, where, and the work
// that it took.
func Match(id string, value []byte) (found string, at, work int) {
	in := &inspection{weak: true, slack: 1 << 30}
	in.begin([]byte(`""`), nil, new(detect.Result), nil, 1<<30)
	p := probe{value: value, class: classesOf(value)}
	for i, f := range families {
		if !f.has(id) {
			continue
		}
		in.hits.find(value)
		if !f.asked(i, &in.hits, &p) {
			return "", 0, 0
		}
		r, at := f.match(in, &p)
		if r == nil {
			return "", 0, in.result.Work
		}
		return r.id, at, in.result.Work
	}
	panic("no rule " + id)
}

func (f *family) has(id string) bool {
	for i := range f.rules {
		if f.rules[i].id == id {
			return true
		}
	}
	return false
}
