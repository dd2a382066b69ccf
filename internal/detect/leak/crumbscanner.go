package leak

import (
	"slices"

	"gatehouse/internal/detect"
)

const (
	// crumbWindow is how much of a stream is looked through for pieces, in bytes.
	crumbWindow = 64 << 10
	// crumbCarry is how much of what came before may begin a piece, in bytes.
	crumbCarry = 32
)

// Crumbs returns a scanner for pieces of secrets on their way to host, which c remembers.
// allowed says which secrets may leave there. It looks at the first 64 KiB, and holds
// nothing back: a piece is no secret.
func (s *Set) Crumbs(c *Crumbs, host string, allowed func(name string) bool) detect.Scanner {
	if s == nil || len(s.crumbs().entries) == 0 {
		return clear{}
	}
	return &crumbScanner{set: s, index: s.crumbs(), memory: c, host: host, allowed: allowed}
}

type crumbScanner struct {
	set     *Set
	index   *crumbIndex
	memory  *Crumbs
	host    string
	allowed func(name string) bool

	carry [crumbCarry]byte // what came before
	kept  int              // how much of it there is
	seen  int
	found *detect.Finding
}

// Write looks at p, which continues what came before.
func (s *crumbScanner) Write(p []byte) (int, *detect.Finding) {
	if s.found == nil && s.seen < crumbWindow && len(p) > 0 {
		s.joint(p)
		s.look(p, 0, 0)
		s.seen += len(p)
		s.memory.Pass(s.host, len(p))
		s.keep(p)
	}
	if s.found != nil {
		return 0, s.found
	}
	return len(p), nil
}

// joint looks for what begins before p.
func (s *crumbScanner) joint(p []byte) {
	if s.kept == 0 {
		return
	}
	var buf [2 * crumbCarry]byte
	n := copy(buf[:], s.carry[:s.kept])
	n += copy(buf[n:], p[:min(len(p), crumbCarry)])
	s.look(buf[:n], -s.kept, s.kept)
}

// keep remembers the end of what has passed.
func (s *crumbScanner) keep(p []byte) {
	if over := s.kept + len(p) - crumbCarry; over > 0 {
		s.kept = copy(s.carry[:], s.carry[min(over, s.kept):s.kept])
	}
	s.kept += copy(s.carry[s.kept:], p[max(0, len(p)-crumbCarry):])
}

// look looks for pieces in text, which begins base bytes from the end of what has passed.
// Those that end before joint have been found already; 0 is none.
func (s *crumbScanner) look(text []byte, base, joint int) {
	for i := s.index.next(text, 0); i >= 0 && s.found == nil; i = s.index.next(text, i) {
		n := s.index.at(text, i, func(p fragment) bool {
			if joint == 0 || p.at < joint && p.at+p.n > joint {
				s.add(p, base)
			}
			return s.found == nil
		})
		i += max(1, n-crumbGram+1)
	}
}

// add has p, in a text that begins at base, added to those before.
func (s *crumbScanner) add(p fragment, base int) {
	e, k := s.set.engine(), p.pattern.secret
	secret, t := &e.secrets[k], &e.targets[k]
	if s.allowed != nil && slices.ContainsFunc(e.names[k], s.allowed) {
		return
	}
	one := crumb{cover: p.cover(t), bits: p.bits, chance: s.index.chance(p), word: p.word, at: base + p.at}
	if s.memory.add(s.host, t, one) {
		s.found = &detect.Finding{
			RuleID: RuleOwnSecret, Signature: "Own secret leaves the function in pieces",
			Category: "leak", Severity: detect.Critical, DecodeChain: append([]string{"split"}, p.pattern.chain...),
			Matched: secret.mask(), MatchOffset: s.seen + base + p.at, Object: secret.Name, Fingerprint: secret.Fingerprint,
		}
	}
}

// Flush has nothing to decide.
func (s *crumbScanner) Flush() (int, *detect.Finding) { return 0, s.found }

// Close has nothing to decide.
func (s *crumbScanner) Close() *detect.Finding { return s.found }
