package leak

import "encoding/binary"

// kind is how the bytes of a run relate to those of its pattern.
type kind uint8

const (
	same  kind = iota
	xored      // each XORed with the same byte
	moved      // each with the same byte added
)

// run is a part of a pattern in a lane: text[start:start+n] is pattern.text[from:from+n],
// in its kind.
type run struct {
	pattern *pattern
	kind    kind
	key     byte
	ended   bool
	from, n int
	start   int // in the lane
	origin  int // in the stream
}

func (r *run) end() int { return r.start + r.n }

// follows reports whether c goes on with r.
func (r *run) follows(c byte) bool { return r.is(r.from+r.n, c) }

func (r *run) is(i int, c byte) bool {
	if i < 0 || i >= len(r.pattern.text) {
		return false
	}
	switch p := r.pattern.text[i]; r.kind {
	case xored:
		return c^p == r.key
	case moved:
		return c-p == r.key
	default:
		return c == p
	}
}

// whole reports whether r is all of its pattern.
func (r *run) whole() bool { return r.from == 0 && r.n == len(r.pattern.text) }

// touched returns which bytes of the secret r holds.
func (r *run) touched(t *target) (lo, hi int) {
	if r.whole() {
		return 0, t.length
	}
	return r.pattern.touched(r.from, r.from+r.n)
}

// cover returns one bit for each byte of the secret that r holds and that says something.
func (r *run) cover(t *target) []uint64 {
	cover := make([]uint64, t.words())
	mark := func(from, to int) {
		for i := from; i < min(to, t.length); i++ {
			cover[i>>6] |= 1 << (i & 63)
		}
	}
	if r.whole() {
		mark(0, t.length)
		return cover
	}
	if p := r.pattern; len(p.chain) == 1 && p.chain[0] == separated {
		for i := r.from; i < r.from+r.n; i++ { // what was between is not there
			at := int(p.at(i) >> 16)
			mark(at, at+1)
		}
	} else {
		mark(r.touched(t))
	}
	for i, c := range t.common {
		cover[i] &^= c
	}
	return cover
}

const (
	// lookLeft is how far in front of the place where it is noticed a run begins at
	// most, in bytes, and kept how much of a lane is kept for that.
	lookLeft = 64
	kept     = 192
	// dense is how much of a stream is probed at every place, and nearby how much of
	// it behind a gram of a secret.
	dense  = 64 << 10
	nearby = 4 << 10
	// maxRuns bounds what is followed at a time.
	maxRuns = 256
)

// lane is a text that is looked through: the stream as it is, or what is left of it
// when it is squeezed.
type lane struct {
	buf   []byte // the end of what was written, kept and new
	base  int    // of buf in the lane
	next  int    // the next place to probe, in the lane
	dense int    // up to where every place is probed
	runs  []run
	// unsure is where a run begins that no probe has met yet; past the end: nowhere.
	unsure int
}

func (l *lane) end() int { return l.base + len(l.buf) }

// trim lets go of what is not needed behind the end of what was written.
func (l *lane) trim() {
	if drop := len(l.buf) - kept; drop > 0 {
		l.buf = l.buf[:copy(l.buf, l.buf[drop:])]
		l.base += drop
	}
	live := l.runs[:0]
	for _, r := range l.runs {
		if !r.ended {
			live = append(live, r)
		}
	}
	l.runs = live
}

// extend goes on with the runs of before.
func (l *lane) extend() {
	for i := range l.runs {
		l.grow(&l.runs[i])
	}
}

// grow makes r as long as it is.
func (l *lane) grow(r *run) {
	for !r.ended && r.end() < l.end() {
		if r.follows(l.buf[r.end()-l.base]) {
			r.n++
		} else {
			r.ended = true
		}
	}
	r.ended = r.ended || r.from+r.n == len(r.pattern.text)
}

// known reports whether the run of p that has offset at place i is followed already.
func (l *lane) known(p *pattern, k kind, i, offset int) bool {
	for j := range l.runs {
		r := &l.runs[j]
		if r.pattern == p && r.kind == k && r.start-r.from == i-offset && i >= r.start && i < r.end() {
			return true
		}
	}
	return false
}

// open returns the run of p that has offset at place i: as far to the left as it
// may be, and to the right as there is text. Its n is 0 where it is none.
func (l *lane) open(p *pattern, k kind, i, offset int) run {
	c := l.buf[i-l.base]
	r := run{pattern: p, kind: k, from: offset, start: i}
	switch k {
	case xored:
		r.key = c ^ p.text[offset]
	case moved:
		r.key = c - p.text[offset]
	}
	if k != same && r.key == 0 {
		return r
	}
	for r.start > max(l.base, i-lookLeft) && r.is(r.from-1, l.buf[r.start-1-l.base]) {
		r.start--
		r.from--
		r.n++
	}
	l.grow(&r)
	if r.end() < i+gram {
		r.n = 0 // another word of the same hash
	}
	return r
}

// word reads eight bytes at a place.
func (l *lane) word(i int) uint64 { return binary.LittleEndian.Uint64(l.buf[i-l.base:]) }

// follow adds r, met at place i, to the runs of l.
func (l *lane) follow(r run, i int) {
	if len(l.runs) >= maxRuns {
		live := l.runs[:0]
		for _, o := range l.runs {
			if !o.ended || o.end() > i {
				live = append(live, o)
			}
		}
		l.runs = live
	}
	if len(l.runs) < maxRuns {
		l.runs = append(l.runs, r)
	}
}
