package leak

import (
	"bytes"

	"gatehouse/internal/detect"
)

// blanks is the part that looks into what is compressed in the middle of something else:
// behind a blank line, as a part of a multipart body or of a mail is, and wherever
// enough bytes say that something is. It ends where a line begins with two dashes.
type blanks struct {
	parent *layer
	within bool // what an archive holds: only a hidden member is looked for
	in     int
	tail   []byte // the last bytes, in which a blank line may begin
	to     *unpack
	marks  marks
	total  int
}

// blankLine comes before what a part holds.
var blankLine = []byte("\r\n\r\n")

func (m *blanks) write(p []byte) *detect.Finding {
	for len(p) > 0 {
		if m.to != nil {
			n, f := m.unpack(p)
			if f != nil {
				return f
			}
			p = p[n:]
			continue
		}
		p = m.search(p)
	}
	return nil
}

// search looks for something compressed behind a blank line, in what is carried over and
// p. It returns what is to be unpacked; nothing where there is nothing.
func (m *blanks) search(p []byte) []byte {
	text, base, had, end := p, m.in, len(m.tail), m.in+len(p)
	if had > 0 { // a blank line may lie across, or what follows one
		text, base = append(bytes.Clone(m.tail), p[:min(len(p), had+len(blankLine)+longestMagic)]...), m.in-had
	}
	keep, start, sure := m.look(text, base)
	if start < 0 && had > 0 && len(text) < had+len(p) {
		text, base = p, m.in
		keep, start, sure = m.look(text, base)
	}
	if start >= 0 {
		rest := text[start:]
		if had > 0 && base < m.in { // and all that follows
			rest = append(bytes.Clone(rest), p[len(text)-had:]...)
		}
		m.in, m.tail = base+start, m.tail[:0]
		if m.open(rest, sure); m.to != nil {
			return rest
		}
		m.in = end
		return nil
	}
	m.in = end
	m.tail = append(m.tail[:0], text[keep:]...)
	return nil
}

// look returns where in text something compressed begins, -1 for nowhere, and from where
// on it may with what follows; sure is whether the place speaks for it, too. base is
// where text begins: what the layer begins with is its head's business.
func (m *blanks) look(text []byte, base int) (keep, start int, sure bool) {
	keep = max(0, len(text)-longestMagic+1)
	start = -1
	if !m.within {
		keep, start = m.behindBlank(text)
		sure = start >= 0
	}
	for _, magic := range magics {
		if m.within && magic.name != "zip" || !m.within && m.parent.archived() {
			continue
		}
		for at := 0; start < 0 || at < start; {
			i := bytes.Index(text[at:], []byte(magic.magic))
			if i < 0 || start >= 0 && at+i >= start {
				break
			}
			if at += i; (m.within || base+at > 0) && plausible(text[at:]) {
				start, sure = at, false
				break
			}
			at++
		}
	}
	return min(keep, max(0, len(text)-longestMagic+1)), start, sure
}

// plausible reports whether what begins like gzip may be it: reserved flags are 0.
func plausible(b []byte) bool { return b[0] != 0x1f || len(b) > 3 && b[3]&0xE0 == 0 }

// behindBlank is look for what stands behind a blank line.
func (m *blanks) behindBlank(text []byte) (keep, start int) {
	keep = max(0, len(text)-len(blankLine)+1)
	for at := 0; ; {
		i := bytes.Index(text[at:], blankLine)
		if i < 0 {
			return keep, -1
		}
		at += i + len(blankLine)
		if isPacked(text[at:]) {
			return keep, at
		}
		if len(text)-at < longestMagic {
			keep = min(keep, at-len(blankLine))
		}
	}
}

// longestMagic is how many bytes say that something is compressed, at most.
const longestMagic = 8

// archived reports whether l is an archive, which finds its members itself, or what is
// left of one.
func (l *layer) archived() bool {
	if l.part {
		return true
	}
	for _, s := range l.parts {
		switch s.(type) {
		case *archive, *tarball:
			return true
		}
	}
	return false
}

// open makes what unpacks p's beginning.
func (m *blanks) open(p []byte, sure bool) {
	d := m.parent.d
	if !d.try() {
		d.gap("budget", len(p))
		return
	}
	middle := m.parent.below()
	if middle == nil {
		d.gap("depth", len(p))
		return
	}
	middle.head = &head{guess: !sure}
	m.to = &unpack{codec: copied{}, trust: marked, from: m.parent, to: middle}
	m.marks, m.total = marks{in: m.in}, 0
}

// unpack gives what is under way what of p is its, and returns how much that was.
func (m *blanks) unpack(p []byte) (int, *detect.Finding) {
	n := min(len(p), step)
	over := false
	if end := bytes.Index(p[:n], []byte("\r\n--")); end >= 0 {
		n, over = end, true
	}
	f := m.to.write(p[:n])
	m.in += n
	m.total += n
	m.marks.add(m.in, m.total)
	if f == nil && (over || m.to.dead) {
		f = m.to.close()
		m.to = nil
	}
	return n, f
}

func (m *blanks) flush() *detect.Finding {
	if m.to == nil {
		return nil
	}
	return m.to.flush()
}

func (m *blanks) close() *detect.Finding {
	if m.to == nil {
		return nil
	}
	return m.to.close()
}

func (m *blanks) cleared() int {
	if m.to == nil {
		return m.in
	}
	return m.marks.upTo(m.to.cleared())
}
