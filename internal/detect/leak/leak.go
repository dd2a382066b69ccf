// Package leak finds the function's own secrets in bytes that leave it, in the
// encodings in which they are carried: as they are, escaped for URLs and JSON, in
// hex, base32, base64 (up to three times), base85 and UTF-16, reversed and by rot13. Which environment variables hold secrets is Watch's
// business. What is done about a finding is decided elsewhere; nothing that this
// package returns holds a secret's value.
package leak

import (
	"sync"

	"gatehouse/internal/detect"
)

// RuleOwnSecret is the rule id of a finding of this package.
const RuleOwnSecret = "leak.own-secret"

// minSecret is the length of the shortest value that is looked for, in bytes.
const minSecret = 8

// Secret is a value that must not leave.
type Secret struct {
	Name  string // of the environment variable; "DATABASE_URL/password" for a part of one
	Value []byte
	// Fingerprint stands for the value in findings and masks.
	Fingerprint string
}

// Set looks for a number of secrets at once. It is immutable and safe for
// concurrent use; a nil *Set holds no secret.
type Set struct {
	secrets []Secret
	exact   *index
	folded  func() *index // of the same patterns in lower case, made when first asked for
	keys    func() *index // of how a private key begins, made when first asked for
}

// New makes the Set of secrets. Values shorter than 8 bytes are left out.
func New(secrets []Secret) *Set {
	s := &Set{secrets: secrets}
	patterns := patternsOf(secrets)
	s.exact = newIndex(patterns)
	s.folded = sync.OnceValue(func() *index { return newIndex(lowered(patterns)) })
	s.keys = sync.OnceValue(func() *index { return newIndex(keyPatterns()) })
	return s
}

// Find returns the first secret in b: of all that stand in it, the one that ends
// first. It returns nil where there is none.
func (s *Set) Find(b []byte) *detect.Finding {
	if s == nil {
		return nil
	}
	m, ok := s.exact.first(b, nil, nil)
	if !ok {
		return nil
	}
	return s.finding(s.exact, b, m, m.start)
}

// Stream says what a Scanner looks through. The zero value lets no secret by.
type Stream struct {
	// Allowed says which secrets may leave through it, by name; nil lets none.
	Allowed func(name string) bool
	// Fold finds a secret whose letters changed their case, as they do in host and
	// server names.
	Fold bool
	// Signed says to which hosts a presigned URL may go: the function's credentials
	// in one are no leak. nil knows none. It is not for names.
	Signed func(host string) bool
}

// Scanner returns a scanner for one stream.
func (s *Set) Scanner(how Stream) detect.Scanner {
	switch {
	case s == nil:
		return clear{}
	case how.Fold:
		return s.scanner(s.folded(), how.Allowed, true)
	}
	sc := s.scanner(s.exact, how.Allowed, false)
	sc.ours = how.Signed
	return sc
}

// clear is the scanner of an empty Set.
type clear struct{}

func (clear) Write(p []byte) (int, *detect.Finding) { return len(p), nil }
func (clear) Flush() (int, *detect.Finding)         { return 0, nil }
func (clear) Close() *detect.Finding                { return nil }

// permits reports whether every secret is a no, or which pattern allowed lets by.
func (s *Set) permits(allowed func(string) bool) func(*pattern) bool {
	if allowed == nil {
		return nil
	}
	return func(p *pattern) bool { return allowed(s.secrets[p.secret].Name) }
}

// finding describes match m in text, at byte offset of the stream.
func (s *Set) finding(ix *index, text []byte, m match, offset int) *detect.Finding {
	p := &ix.patterns[m.pattern]
	secret := &s.secrets[p.secret]
	return &detect.Finding{
		RuleID: RuleOwnSecret, Signature: "Own secret leaves the function",
		Category: "leak", Severity: detect.Critical,
		DecodeChain: p.chain, Matched: s.excerpt(ix, text, m), MatchOffset: offset,
		Object: secret.Name, Fingerprint: secret.Fingerprint,
	}
}
