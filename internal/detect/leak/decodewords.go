package leak

import (
	"bytes"
	"sync"

	"gatehouse/internal/detect"
)

// digitRuns is the part that finds secrets in base64, base32 and hex that stand there in
// some form of their own: reversed, by rot13, in hex. Each run of digits is undone,
// also from its end to its beginning, and what comes out is shown to a layer of its
// own where eight bytes of it stand in a pattern, or where it is text with a run or an escape
// in it.
type digitRuns struct {
	parent *layer
	in     int
	tail   []byte // the run that what was written ends with
	joint  []byte // tail, and what follows
	first  bool   // tail begins where the run does
	known  int    // digits of tail that were looked at
	waits  bool   // tail may be part of a secret
	packed *runs  // the run under way, where something compressed stands in it
}

const (
	// minWord is the length of the shortest run that is undone, in characters: a
	// secret of eight bytes in hex, of twelve in base64.
	minWord = 16
	// liveWord is as much as eight bytes take in base64.
	liveWord = 11
	// maxWord is how much of a run is undone at once, in characters, and wordOverlap
	// how much of that once more with what follows. Both are whole bytes in each of
	// the encodings.
	maxWord, wordOverlap = 2 << 10, 80
)

func (w *digitRuns) write(p []byte) *detect.Finding {
	for len(p) > 0 {
		n := min(len(p), step)
		if w.packed != nil {
			var f *detect.Finding
			if n, f = w.packed.decode(p[:n]); f != nil {
				return f
			}
			w.packed.in += n
			w.in += n
			if w.packed.packed == nil {
				w.packed = nil
			}
		} else if f := w.step(p[:n]); f != nil {
			return f
		}
		p = p[n:]
	}
	return nil
}

func (w *digitRuns) step(p []byte) *detect.Finding {
	w.in += len(p)
	text, first := p, true
	if len(w.tail) > 0 {
		w.joint = append(append(w.joint[:0], w.tail...), p...)
		text, first = w.joint, w.first
	}
	known, waits := w.known, w.waits
	w.tail, w.waits, w.known = w.tail[:0], false, 0
	for at := 0; ; first = true {
		start, end := nextRun(text, at, minWord)
		if start < 0 {
			return nil
		}
		if start > 0 {
			first, known, waits = true, 0, false
		}
		if first && (known < maxReversed || end-start >= 2*known || end < len(text)) {
			if f, over := w.unpack(text, start, end); f != nil || over {
				return f
			}
		}
		for end-start > maxWord {
			if f := w.judge(text[start:start+maxWord], first); f != nil {
				return f
			}
			start, first, known, waits = start+maxWord-wordOverlap, false, 0, false
		}
		if end == len(text) {
			w.keep(text[start:], first, known, waits)
			return nil
		}
		if f := w.judge(text[start:end], first); f != nil {
			return f
		}
		at = end
	}
}

// unpack decodes the run text[start:end] as it comes in from now on, if something
// compressed stands in it behind other bytes: at its beginning is runs' business. over is
// whether there is nothing left of text.
func (w *digitRuns) unpack(text []byte, start, end int) (f *detect.Finding, over bool) {
	from, kind := -1, (*packedMark)(nil)
	if end-start >= minPacked {
		each(text[start:min(end, start+maxWord)], runState{first: true}, func(u undone) bool {
			if u.from >= 0 && !u.again && hasMagic(u.plain) {
				from, kind = start+u.from, u.kind
			}
			return from < 0
		})
	}
	if from < 0 {
		return nil, false
	}
	middle := w.parent.below()
	if middle == nil || !w.parent.d.try() {
		return nil, false // nothing says for certain that it is
	}
	u := &unpacked{name: kind.name, digit: kind.digit, width: kind.width}
	u.to = &unpack{name: kind.name, codec: copied{}, trust: hunch, from: w.parent, to: middle}
	u.marks.in = w.in - len(text) + from
	w.packed = &runs{parent: w.parent, in: u.marks.in, packed: u}
	for rest := text[from:]; len(rest) > 0 && w.packed != nil; {
		n, f := w.packed.decode(rest)
		if f != nil {
			return f, true
		}
		w.packed.in += n
		if rest = rest[n:]; w.packed.packed == nil {
			w.packed = nil
			w.in -= len(rest)
			return w.write(rest), true
		}
	}
	return nil, true
}

// hasMagic reports whether something compressed may begin in b, not at its beginning.
func hasMagic(b []byte) bool {
	for _, m := range magics {
		for at := 1; at < len(b); at++ {
			i := bytes.Index(b[at:], []byte(m.magic))
			if i < 0 {
				break
			}
			if at += i; plausible(b[at:]) {
				return true
			}
		}
	}
	return false
}

// keep keeps a run that may go on.
func (w *digitRuns) keep(run []byte, first bool, known int, waits bool) {
	w.tail, w.first, w.known, w.waits = append(w.tail[:0], run...), first, len(run), waits
	if waits {
		return
	}
	if known > maxReversed { // of a long run only what is new, or whoever writes letter by letter waits
		run, first = run[(known-wordOverlap)&^7:], false
	}
	w.waits = w.hides(run, runState{first: first, open: true}, maxDepth-w.parent.depth)
}

// hides reports whether run may hold a secret in up to depth encodings.
func (w *digitRuns) hides(run []byte, state runState, depth int) (found bool) {
	if len(run) < liveWord || depth == 0 {
		return false
	}
	each(run, state, func(u undone) bool {
		found = !u.again && w.touches(u.plain)
		for at := 0; !found && asciiText(u.plain); {
			start, end := nextRun(u.plain, at, minWord)
			if start < 0 {
				break
			}
			found = w.hides(u.plain[start:end], runState{first: true, open: end == len(u.plain)}, depth-1)
			at = end
		}
		return !found
	})
	return found
}

// judge shows what run decodes to to a layer of its own, where that may be something.
func (w *digitRuns) judge(run []byte, first bool) (f *detect.Finding) {
	if len(run) < minWord {
		return nil
	}
	each(run, runState{first: first}, func(u undone) bool {
		if !u.again && w.touches(u.plain) || asciiText(u.plain) && (hasWord(u.plain) || firstEscape(u.plain) >= 0) {
			f = under(w.look(u.plain), u.kind.name)
		}
		return f == nil
	})
	return f
}

// touches is the Decode's.
func (w *digitRuns) touches(plain []byte) bool { return w.parent.d.touches(plain) }

// look shows plain to a layer of its own.
func (w *digitRuns) look(plain []byte) *detect.Finding {
	d := w.parent.d
	if w.parent.depth > 0 && !d.try() {
		d.gap("budget", len(plain))
		return nil
	}
	to := w.parent.below()
	if to == nil {
		if w.touches(plain) {
			d.gap("depth", len(plain))
		}
		return nil
	}
	if f := to.write(plain); f != nil {
		return f
	}
	return to.close()
}

func (w *digitRuns) flush() *detect.Finding {
	if w.packed != nil {
		return w.packed.flush()
	}
	return w.close()
}

// close judges the run that is kept.
func (w *digitRuns) close() *detect.Finding {
	if w.packed != nil {
		return w.packed.close()
	}
	f := w.judge(w.tail, w.first)
	w.tail, w.waits, w.known = w.tail[:0], false, 0
	return f
}

func (w *digitRuns) cleared() int {
	if w.packed != nil {
		return w.packed.cleared()
	}
	if w.waits {
		return w.in - len(w.tail)
	}
	return w.in
}

// runState is what is known of where a run begins and ends: not in what is before it,
// but behind a mark of its own perhaps; it may go on.
type runState struct{ first, open bool }

const (
	// maxReversed is the longest run that is read backwards, too, and maxMarked how far
	// into a run a mark may stand for it to begin there, and how many are tried.
	maxReversed = 512
	maxMarked   = 64
	maxMarks    = 8
)

// undone is what a run decodes to.
type undone struct {
	kind  *packedMark
	from  int // in the run; -1 where that was turned round
	plain []byte
	again bool // it is a part of what was undone before
}

// each calls do with all that run may decode to until that returns false.
func each(run []byte, state runState, do func(undone) bool) {
	u := undoings.Get().(*undoing)
	defer undoings.Put(u)
	u.open, u.begun = state.open, [7]uint8{}
	end := min(len(run), maxMarked)
	for marks, c := 0, 0; len(run)-c >= liveWord && marks <= maxMarks; marks++ {
		next := nextMark(run, c, len(run))
		if !u.tail(run, c, do) {
			return
		}
		if part := run[c:max(c, next-1)]; len(part) >= liveWord && digits64[run[next-1]] >= 62 && !u.both(wordKind(part), part, c, false, false, do) {
			return
		}
		if c = next; c >= end || !state.first {
			return
		}
	}
}

// undoing is each at work on one run.
type undoing struct {
	open bool // the run may go on
	// begun has a bit for each place in a unit from which the run was undone to its end,
	// by the width of digits.
	begun [7]uint8

	plain, turned [maxWord]byte
}

// undoings are those at rest.
var undoings = sync.Pool{New: func() any { return new(undoing) }}

// tail undoes run[from:], which goes to the end.
func (u *undoing) tail(run []byte, from int, do func(undone) bool) bool {
	kind := wordKind(run[from:])
	if kind == nil {
		return true
	}
	begun := &u.begun[kind.width]
	bit := uint8(1) << (from % kind.unit())
	seen, turnedSeen := *begun&bit != 0, *begun != 0
	*begun |= bit
	return u.both(kind, run[from:], from, seen, turnedSeen, do)
}

// both undoes run, which begins at from, as it is and turned round. seen is whether it is
// the end of what was undone already, or, turned round, the beginning.
func (u *undoing) both(kind *packedMark, run []byte, from int, seen, turnedSeen bool, do func(undone) bool) bool {
	if kind == nil {
		return true
	}
	if !do(undone{kind, from, kind.undo(u.plain[:0], run), seen}) {
		return false
	}
	if len(run) > maxReversed {
		return true
	}
	for i, c := range run {
		u.turned[len(run)-1-i] = c
	}
	for off := range kind.unit() { // what is still to come stands before it
		if !do(undone{kind, -1, kind.undo(u.plain[:0], u.turned[min(off, len(run)):len(run)]), turnedSeen}) {
			return false
		}
		if !u.open {
			break
		}
	}
	return true
}

// undo appends what run is in this encoding to plain.
func (m *packedMark) undo(plain, run []byte) []byte {
	acc, n := uint32(0), uint(0)
	for _, c := range run {
		acc, n = acc<<m.width|uint32(m.digit[c])&0x3f, n+m.width
		if n >= 8 {
			n -= 8
			plain = append(plain, byte(acc>>n))
		}
	}
	return plain
}

// unit is how many digits are whole bytes.
func (m *packedMark) unit() int { return [...]int{4: 2, 5: 8, 6: 4}[m.width] }

// The classes of digits, by which it is told which encoding a run may be in.
const (
	upper = 1 << iota // of base32, not of hex
	lower
	upperHex
	lowerHex
	digit  // of all three
	digit6 // 0, 1, 8 and 9, that base32 has not
	mark64 // base64's last two
)

var classes = func() (of [256]uint8) {
	for c := range of {
		switch b := byte(c); {
		case b >= 'A' && b <= 'F':
			of[c] = upperHex
		case b >= 'a' && b <= 'f':
			of[c] = lowerHex
		case isUpper(b):
			of[c] = upper
		case b >= 'g' && b <= 'z':
			of[c] = lower
		case b >= '2' && b <= '7':
			of[c] = digit
		case b >= '0' && b <= '9':
			of[c] = digit6
		case digits64[b] >= 0:
			of[c] = mark64
		}
	}
	return of
}()

// longWord is how long a run is that is undone though it has letters only: words that
// people write are shorter, and digits of base64 without a numeral are rare.
const longWord = 32

// wordKind is the encoding that run may be in; nil where it rather is a word.
func wordKind(run []byte) *packedMark {
	var has uint8
	for _, c := range run {
		has |= classes[c]
	}
	const (
		small   = lower | lowerHex
		capital = upper | upperHex
		any10   = digit | digit6
	)
	switch {
	case has&^(any10|lowerHex) == 0 || has&^(any10|upperHex) == 0:
		return &packedMarks[1]
	case has&(digit6|mark64) == 0 && (has&small == 0 || has&capital == 0):
		if has&digit != 0 || len(run) >= longWord {
			return &packedMarks[2]
		}
	case has&small != 0 && has&capital != 0 && (has&(any10|mark64) != 0 || len(run) >= longWord):
		return &packedMarks[0]
	}
	return nil
}

// asciiText reports whether b is printable ASCII.
func asciiText(b []byte) bool {
	return bytes.IndexFunc(b, func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\n' && r != '\r' && r != '\t' }) < 0
}

// hasWord reports whether b has a run that is worth undoing.
func hasWord(b []byte) bool {
	for at := 0; ; {
		start, end := nextRun(b, at, minWord)
		if start < 0 {
			return false
		}
		if end-start >= minWord && wordKind(b[start:end]) != nil {
			return true
		}
		at = end
	}
}
