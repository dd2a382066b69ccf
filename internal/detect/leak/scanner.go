package leak

import "gatehouse/internal/detect"

// scanner is a detect.Scanner. It keeps the end of the stream: held bytes, which
// begin a pattern and wait for what follows, and before them up to gram-1 bytes
// that are cleared already but may begin one.
type scanner struct {
	set       *Set
	index     *index
	permitted func(*pattern) bool

	tail    []byte // the end of the stream: cleared bytes, then held ones
	held    int    // how many bytes of tail wait
	written int    // bytes of the stream so far
	found   *detect.Finding

	// ours names the hosts to which presigned URLs may go; nil knows none.
	ours    func(host string) bool
	history []byte // the end of the stream, where ours is set: see remember
	waits   int    // where a credential begins whose URL has not ended, in the stream; -1 for none
	closing bool
}

// maxHistory is how much of the stream is in sight when a credential is judged:
// what stands before it, itself, and what a URL goes on with, in bytes.
func (s *scanner) maxHistory() int { return lookBehind + s.index.longest + maxURL }

func (s *Set) scanner(ix *index, allowed func(string) bool) *scanner {
	return &scanner{set: s, index: ix, permitted: s.permits(allowed), waits: -1}
}

// Write judges p; see detect.Scanner. It copies at most one pattern's length of
// p. After a finding it clears nothing and returns the same finding.
func (s *scanner) Write(p []byte) (cleared int, f *detect.Finding) {
	if s.found != nil {
		return 0, s.found
	}
	if s.look(p) {
		return 0, s.found
	}
	s.written += len(p)
	pending := s.held + len(p)
	s.keep(p)
	s.remember(p)
	s.held = s.index.partial(s.tail, s.permitted)
	if s.waits >= 0 {
		s.held = max(s.held, s.written-s.waits)
	}
	s.held = min(s.held, pending)
	s.tail = s.tail[max(0, len(s.tail)-s.held-(gram-1)):]
	return pending - s.held, nil
}

// Flush lets what waits leave: it is only the beginning of a secret.
func (s *scanner) Flush() (cleared int, f *detect.Finding) {
	if s.found != nil {
		return 0, s.found
	}
	cleared, s.held = s.held, 0
	return cleared, nil
}

// Close ends the stream: what still waits is only a part of a secret, and clear, or
// a credential in what is no URL now.
func (s *scanner) Close() *detect.Finding {
	if s.found == nil && s.waits >= 0 {
		s.closing = true
		s.look(nil)
	}
	return s.found
}

// look searches tail and p together, and sets found.
func (s *scanner) look(p []byte) bool {
	s.waits = -1
	joint := p
	if len(s.tail) > 0 {
		joint = append(s.tail, p[:min(len(p), s.index.longest)]...)
	}
	text, base := joint, s.written-len(s.tail)
	m, ok := s.index.first(text, s.permitted, s.excuses(p, base))
	if !ok && len(joint) < len(s.tail)+len(p) {
		text, base = p, s.written
		m, ok = s.index.first(text, s.permitted, s.excuses(p, base))
	}
	if ok {
		s.found = s.set.finding(s.index, text, m, base+m.start)
	}
	return ok
}

// excuses returns what lets presigned URLs by, in a text that begins at offset
// base of the stream and ends with p or before; nil where nothing is excused.
func (s *scanner) excuses(p []byte, base int) func(match) bool {
	if s.ours == nil {
		return nil
	}
	return func(m match) bool {
		if s.set.credential(s.index, m) == "" {
			return false
		}
		w := append(s.history[:len(s.history):len(s.history)], p...)
		at := m.start
		m.start += base - (s.written - len(s.history))
		m.end += m.start - at
		switch s.set.presigned(s.index, w, m, s.ours, s.closing) {
		case signed:
			return true
		case undecided:
			if s.waits < 0 || base+at < s.waits {
				s.waits = base + at
			}
			return true
		}
		return false
	}
}

// remember adds p to history.
func (s *scanner) remember(p []byte) {
	if s.ours == nil {
		return
	}
	limit := s.maxHistory()
	if len(p) >= limit {
		s.history = append(s.history[:0], p[len(p)-limit:]...)
		return
	}
	if drop := len(s.history) + len(p) - limit; drop > 0 {
		s.history = append(s.history[:0], s.history[drop:]...)
	}
	s.history = append(s.history, p...)
}

// keep makes tail the end of the stream that a pattern may begin in.
func (s *scanner) keep(p []byte) {
	limit := s.index.longest + gram
	if s.waits >= 0 {
		limit = max(limit, s.written-s.waits+gram)
	}
	if len(p) >= limit {
		s.tail = append(s.tail[:0], p[len(p)-limit:]...)
		return
	}
	if drop := len(s.tail) + len(p) - limit; drop > 0 {
		s.tail = s.tail[drop:]
	}
	s.tail = append(s.tail, p...)
}
