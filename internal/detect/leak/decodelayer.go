package leak

import (
	"slices"

	"gatehouse/internal/detect"
)

// part undoes one encoding of what is written to a layer. Offsets are the layer's.
type part interface {
	// write takes what follows.
	write(p []byte) *detect.Finding
	// flush decides what waits, but for what is not whole enough to be decoded.
	flush() *detect.Finding
	// close judges what waits: nothing follows.
	close() *detect.Finding
	// cleared is how many of the bytes written may leave.
	cleared() int
}

// layer is a stream in one form: as it is sent, or decoded. Its bytes are shown to
// a scanner as they are, and to the parts that know what they may be written in.
type layer struct {
	d     *decoding
	depth int
	plain detect.Scanner
	seen  int  // bytes written
	clear int  // of them, that plain has cleared
	part  bool // of an archive, without what is escaped in it

	head  *head  // decides by how the layer begins; nil once it has
	parts []part // that the head has called for
	text  []part // that look for what stands in text
	reads bool   // they are there
}

// layer makes a layer at depth.
func (d *decoding) layer(depth int) *layer {
	return &layer{d: d, depth: depth, plain: d.scanner()}
}

// below makes a layer for what is decoded of l; nil where that is too deep.
func (l *layer) below() *layer {
	if l.depth >= maxDepth {
		return nil
	}
	return l.d.layer(l.depth + 1)
}

// sniffed is below for what may begin as anything.
func (l *layer) sniffed(codings ...string) *layer {
	child := l.below()
	if child != nil {
		child.head = &head{codings: codings}
	}
	return child
}

// write judges p in this form and in those below it.
func (l *layer) write(p []byte) *detect.Finding {
	if len(p) == 0 {
		return nil
	}
	n, f := l.plain.Write(p)
	if f != nil {
		return f
	}
	l.clear += n
	rest := p // what the parts have not seen
	if l.head != nil {
		if f := l.sniff(p); f != nil {
			return f
		}
		rest = nil
	}
	l.seen += len(p)
	for _, s := range l.parts {
		if len(rest) == 0 {
			break
		}
		if f := s.write(rest); f != nil {
			return f
		}
	}
	if !l.reads {
		l.reads = true
		l.text = append(l.text, &runs{parent: l}, &escapes{parent: l}, &blanks{parent: l})
		if l.d.touches != nil {
			l.text = append(l.text, &digitRuns{parent: l})
		}
	}
	for _, s := range l.text {
		if f := s.write(p); f != nil {
			return f
		}
	}
	return nil
}

// all calls f for each part until it returns a finding.
func (l *layer) all(f func(part) *detect.Finding) *detect.Finding {
	for _, s := range l.parts {
		if found := f(s); found != nil {
			return found
		}
	}
	for _, s := range l.text {
		if found := f(s); found != nil {
			return found
		}
	}
	return nil
}

func (l *layer) flush() *detect.Finding {
	n, f := l.plain.Flush()
	if f != nil {
		return f
	}
	l.clear += n
	return l.all(part.flush)
}

func (l *layer) close() *detect.Finding {
	if f := l.plain.Close(); f != nil {
		return f
	}
	if l.head != nil {
		if f := l.decide(true); f != nil {
			return f
		}
	}
	return l.all(part.close)
}

// cleared is how many bytes of the layer may leave.
func (l *layer) cleared() int {
	n := l.clear
	l.all(func(s part) *detect.Finding {
		n = min(n, s.cleared())
		return nil
	})
	return n
}

// under puts name in front of f's chain.
func under(f *detect.Finding, name string) *detect.Finding {
	if f == nil || name == "" {
		return f
	}
	outer := *f
	outer.DecodeChain = slices.Insert(slices.Clone(f.DecodeChain), 0, name)
	return &outer
}

// marks say how far a layer is cleared, when one that is decoded from it is.
type marks struct {
	list []mark
	in   int // cleared for certain
}

// mark says that bytes up to in decode to bytes up to out.
type mark struct{ in, out int }

// add notes that what was decoded up to in ends at out.
func (m *marks) add(in, out int) {
	if n := len(m.list); n > 0 && m.list[n-1].out == out {
		m.list[n-1].in = in
		return
	}
	m.list = append(m.list, mark{in, out})
}

// upTo returns how many bytes are cleared when those decoded from them are up to out.
func (m *marks) upTo(out int) int {
	n := 0
	for n < len(m.list) && m.list[n].out <= out {
		m.in = m.list[n].in
		n++
	}
	m.list = slices.Delete(m.list, 0, n)
	return m.in
}
