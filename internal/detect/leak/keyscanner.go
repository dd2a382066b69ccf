package leak

import "gatehouse/internal/detect"

// RuleForeignKey is the rule id of a request to AWS that a key of somebody else's
// signed.
const RuleForeignKey = "leak.foreign-access-key"

// Keys is a scanner for the access key ids that requests to AWS are signed with. A
// request that a stranger's key signed copies to a stranger's account.
type Keys struct {
	// Own reports whether an id is ours; known is whether that is certain. Never nil.
	Own func(keyID string) (own, known bool)
	// Weak takes a finding that is only reported; nil drops it.
	Weak func(*detect.Finding)

	carry []byte
	seen  string // the last id that was judged
	found *detect.Finding
}

// maxCredential is how much of what came before may belong to a key id that goes on.
const maxCredential = len("credential=") + keyIDLen + 2

// Write looks at p; see detect.Scanner. It holds nothing back: a key id is no secret.
func (s *Keys) Write(p []byte) (cleared int, f *detect.Finding) {
	if s.found != nil {
		return 0, s.found
	}
	text := string(append(s.carry, p...))
	KeyIDs(text, func(id string) bool {
		s.judge(id)
		return s.found == nil
	})
	s.carry = append(s.carry[:0], text[max(0, len(text)-maxCredential):]...)
	if s.found != nil {
		return 0, s.found
	}
	return len(p), nil
}

// Flush has nothing to decide.
func (s *Keys) Flush() (int, *detect.Finding) { return 0, s.found }

// Close has nothing to decide.
func (s *Keys) Close() *detect.Finding { return s.found }

func (s *Keys) judge(id string) {
	own, known := s.Own(id)
	if own || id == s.seen {
		return
	}
	s.seen = id
	f := &detect.Finding{
		RuleID: RuleForeignKey, Signature: "Request to AWS signed with a key of another account", Category: "leak", Severity: detect.High,
		Matched: id, Object: "access key id", Weak: !known,
	}
	if account, ok := AccountOf(id); ok {
		f.Signature += ": " + account
	}
	switch {
	case known:
		s.found = f
	case s.Weak != nil:
		s.Weak(f)
	}
}
