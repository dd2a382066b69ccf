package leak

import (
	"bytes"

	"gatehouse/internal/detect"
)

// scanner is a detect.Scanner. It keeps the end of the stream: held bytes, which
// begin a pattern and wait for what follows, and before them up to gram-1 bytes
// that are cleared already but may begin one.
type scanner struct {
	set       *Set
	index     *index
	permitted func(*pattern) bool
	fold      bool

	tail    []byte // the end of the stream: cleared bytes, then held ones
	held    int    // how many bytes of tail wait
	written int    // bytes of the stream so far
	found   *detect.Finding
}

func (s *Set) scanner(ix *index, allowed func(string) bool, fold bool) *scanner {
	return &scanner{set: s, index: ix, permitted: s.permits(allowed), fold: fold}
}

// Write judges p; see detect.Scanner. It copies at most one pattern's length of
// p. After a finding it clears nothing and returns the same finding.
func (s *scanner) Write(p []byte) (cleared int, f *detect.Finding) {
	if s.found != nil {
		return 0, s.found
	}
	if s.fold {
		p = bytes.ToLower(p)
	}
	if s.look(p) {
		return 0, s.found
	}
	s.written += len(p)
	pending := s.held + len(p)
	s.keep(p)
	s.held = min(s.index.partial(s.tail, s.permitted), pending)
	s.tail = s.tail[max(0, len(s.tail)-s.held-(gram-1)):]
	return pending - s.held, nil
}

// Close ends the stream: what still waits is only a part of a secret, and clear.
func (s *scanner) Close() *detect.Finding { return s.found }

// look searches tail and p together, and sets found.
func (s *scanner) look(p []byte) bool {
	joint := p
	if len(s.tail) > 0 {
		joint = append(s.tail, p[:min(len(p), s.index.longest)]...)
	}
	m, ok := s.index.first(joint, s.permitted)
	text, base := joint, s.written-len(s.tail)
	if !ok && len(joint) < len(s.tail)+len(p) {
		m, ok = s.index.first(p, s.permitted)
		text, base = p, s.written
	}
	if ok {
		s.found = s.set.finding(s.index, text, m, base+m.start)
	}
	return ok
}

// keep makes tail the end of the stream that a pattern may begin in.
func (s *scanner) keep(p []byte) {
	limit := s.index.longest + gram
	if len(p) >= limit {
		s.tail = append(s.tail[:0], p[len(p)-limit:]...)
		return
	}
	if drop := len(s.tail) + len(p) - limit; drop > 0 {
		s.tail = s.tail[drop:]
	}
	s.tail = append(s.tail, p...)
}
