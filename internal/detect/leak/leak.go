// Package leak finds the function's own secrets in bytes that leave it, in the
// encodings in which they are carried: as they are, escaped for URLs and JSON, in
// hex, base32, base64 (up to three times), base85 and UTF-16, reversed, by rot13,
// XORed with one byte, or with one added, and with anything but letters and digits
// between. Parts of a secret count, and are added up. Which environment variables hold secrets is Watch's
// business. What is done about a finding is decided elsewhere; nothing that this
// package returns holds a secret's value.
package leak

import (
	"slices"
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
	// Pairs are where it belongs, whatever the policy says.
	Pairs []Pair
}

// Set looks for a number of secrets at once. It is immutable and safe for
// concurrent use; a nil *Set holds no secret.
type Set struct {
	secrets []Secret
	engine  func() *engine // of streams; it and what follows is made when first asked for
	exact   func() *index  // of whole secrets
	folded  func() *index  // of the same patterns in lower case
	keys    func() *index  // of how a private key begins
	sieve   func() *sieve  // of what engine looks for
	crumbs  func() *crumbIndex
}

// New makes the Set of secrets. Values shorter than 8 bytes are left out, and of one
// that is longer than 8 KB, the rest.
func New(secrets []Secret) *Set {
	patterns := sync.OnceValue(func() []pattern { return patternsOf(secrets) })
	engine := sync.OnceValue(func() *engine { return newEngine(secrets, patterns()) })
	return &Set{
		secrets: secrets,
		engine:  engine,
		sieve:   sync.OnceValue(func() *sieve { return newSieve(engine()) }),
		exact:   sync.OnceValue(func() *index { return newIndex(append(slices.Clip(patterns()), linesOf(secrets)...)) }),
		folded:  sync.OnceValue(func() *index { return newFoldedIndex(patterns()) }),
		keys:    sync.OnceValue(func() *index { return newIndex(keyPatterns()) }),
		crumbs:  sync.OnceValue(func() *crumbIndex { return newCrumbIndex(patterns(), secrets) }),
	}
}

// Find returns the first secret in b, or the first part of one that is too much; nil
// where there is none.
func (s *Set) Find(b []byte) *detect.Finding {
	sc := s.Scanner(Stream{})
	if _, f := sc.Write(b); f != nil {
		return f
	}
	return sc.Close()
}

// Stream says what a Scanner looks through. The zero value lets no secret by.
type Stream struct {
	// Allowed says which secrets may leave through it, by name; nil lets none.
	Allowed func(name string) bool
	// Signed says to which hosts a presigned URL may go: the function's credentials
	// in one are no leak. nil knows none. It is not for names.
	Signed func(host string) bool
	// Host is where the stream goes, and Ledger what has gone there before; nil
	// remembers nothing.
	Host   string
	Ledger *Ledger
}

// Scanner returns a scanner for one stream. It finds the function's secrets, and
// parts of one that are too much: 12 different bytes, or half of it, together with
// what has gone to the same host before. Parts shorter than 8 bytes do not count.
func (s *Set) Scanner(how Stream) detect.Scanner {
	if s == nil {
		return clear{}
	}
	e := s.engine()
	st := &stream{set: e, how: how}
	st.plain.dense, st.squeezed.dense = dense, dense
	if how.Signed != nil && len(e.credentials.patterns) > 0 {
		st.signed = s.scanner(e.credentials, how.Allowed)
		st.signed.ours = how.Signed
	}
	return st
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
