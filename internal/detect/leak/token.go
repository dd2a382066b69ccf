package leak

import (
	"bytes"
	"hash/crc32"
	"strings"

	"gatehouse/internal/detect"
)

// RuleVendorToken is the rule id of a vendor's token that is none of the environment's
// and goes to somebody else.
const RuleVendorToken = "leak.vendor-token"

// token is a kind of credential that says by itself what it is.
type token struct {
	prefix string
	min    int    // characters behind the prefix, at least
	max    int    // and at most
	chars  string // beside letters and digits
	vendor string
	// sum is whether the last six characters are a checksum of those before: only
	// then is it certain that it is a token.
	sum bool
}

// tokens are the kinds. GitHub's and npm's end in the CRC-32 of their random part.
// https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
var tokens = [...]token{
	{"ghp_", 36, 36, "", "GitHub", true}, {"gho_", 36, 36, "", "GitHub", true}, {"ghu_", 36, 36, "", "GitHub", true},
	{"ghs_", 36, 36, "", "GitHub", true}, {"ghr_", 36, 76, "", "GitHub", false}, {"github_pat_", 82, 82, "_", "GitHub", false},
	{"npm_", 36, 36, "", "npm", true},
	{"glpat-", 20, 64, "_-.", "GitLab", false},
	{"xoxb-", 40, 120, "-", "Slack", false}, {"xoxp-", 40, 120, "-", "Slack", false}, {"xoxa-", 40, 120, "-", "Slack", false},
	{"xoxr-", 40, 120, "-", "Slack", false}, {"xoxs-", 40, 120, "-", "Slack", false},
	{"sk_live_", 24, 128, "", "Stripe", false}, {"rk_live_", 24, 128, "", "Stripe", false},
	{"AIza", 35, 35, "_-", "Google", false},
	{"pypi-", 100, 300, "_-", "PyPI", false},
	{"sk-ant-", 90, 130, "_-", "Anthropic", false}, {"sk-proj-", 40, 200, "_-", "OpenAI", false},
	{"hvs.", 90, 130, "_-", "HashiCorp Vault", false},
	{"dop_v1_", 64, 64, "", "DigitalOcean", false},
}

// Tokens is a scanner for the tokens of vendors in bytes on their way to host, whoever
// they were issued to. A token goes to its vendor's hosts. One with a checksum that
// holds is a finding; one that only looks like it is told to Weak, and lets the rest be
// looked at.
type Tokens struct {
	Host string
	// Allowed reports whether a vendor's tokens may go to Host, whoever that is; nil:
	// only where that is the vendor's.
	Allowed func(vendor string) bool
	// Known reports whether the text of a token is one that is watched by itself: then
	// it is somebody else's business. nil knows none.
	Known func(text []byte) bool
	// Weak takes a finding that is only reported; nil drops it.
	Weak func(*detect.Finding)
	// Fingerprint stands for a value.
	Fingerprint func(value []byte) string

	carry []byte // the end of what came before: the beginning of a token may be in it
	seen  int
	done  int // where the last token ended, in the stream

	live    int // where one begins that has not ended yet, in the stream; -1 for none
	cleared int // how much of the stream may leave
	found   *detect.Finding
}

// maxToken is the longest token, in bytes.
const maxToken = 320

// Write looks for tokens in p, which continues what came before. What may be the
// beginning of a token with a checksum waits for its end.
func (s *Tokens) Write(p []byte) (cleared int, f *detect.Finding) {
	if s.found != nil {
		return 0, s.found
	}
	s.live = -1
	after := s.done
	if len(s.carry) > 0 { // a token may lie across
		s.look(append(s.carry, p[:min(len(p), maxToken)]...), s.seen-len(s.carry), after, len(p) <= maxToken, false)
	}
	if s.found == nil && len(p) > 0 && (len(s.carry) == 0 || len(p) > maxToken) {
		s.look(p, s.seen, max(after, s.done), true, false)
	}
	if s.found != nil {
		return 0, s.found
	}
	s.seen += len(p)
	s.keep(p)
	return s.clear(), nil
}

// keep carries the end of the stream over.
func (s *Tokens) keep(p []byte) {
	if len(p) >= maxToken {
		s.carry = append(s.carry[:0], p[len(p)-maxToken:]...)
		return
	}
	s.carry = append(s.carry, p...)
	if n := len(s.carry) - maxToken; n > 0 {
		s.carry = append(s.carry[:0], s.carry[n:]...)
	}
}

// clear returns how many bytes may leave that could not before.
func (s *Tokens) clear() int {
	upTo := s.seen
	if s.live >= 0 {
		upTo = s.live
	}
	n := max(0, upTo-s.cleared)
	s.cleared += n
	return n
}

// Flush lets what waits go on: it is no token yet.
func (s *Tokens) Flush() (int, *detect.Finding) {
	s.live = -1
	return s.clear(), s.found
}

// Close looks at what ends with the stream.
func (s *Tokens) Close() *detect.Finding {
	if s.found == nil {
		s.look(s.carry, s.seen-len(s.carry), s.done, true, true)
	}
	return s.found
}

// look finds the tokens in text, which begins at offset base of the stream, that begin at
// offset after or later. ends says that the stream so far ends with text, last that it is
// over. Every prefix but two has a dash or an underscore, which text has seldom.
func (s *Tokens) look(text []byte, base, after int, ends, last bool) {
	for _, mark := range [...]byte{'_', '-'} {
		for at := 0; s.found == nil; at++ {
			i := bytes.IndexByte(text[at:], mark)
			if i < 0 {
				break
			}
			at += i
			if at == 0 || !beforeMark(text[at-1]) {
				continue
			}
			for _, length := range [...]int{2, 3, 4, 5, 6} {
				if at >= length {
					s.judge(text, at-length, base, after, ends, last)
				}
			}
		}
	}
	for _, prefix := range [...]string{"AIza", "hvs."} {
		for at := 0; s.found == nil; at++ {
			i := bytes.Index(text[at:], []byte(prefix))
			if i < 0 {
				break
			}
			at += i
			s.judge(text, at, base, after, ends, last)
		}
	}
}

// beforeMark reports whether c comes before the first dash or underscore of a prefix.
func beforeMark(c byte) bool {
	switch c {
	case 'p', 'o', 'u', 's', 'r', 'm', 'k', 'b', 't', 'a', 'i':
		return true
	}
	return false
}

// judge takes the token that begins at text[i:], if one does.
func (s *Tokens) judge(text []byte, i, base, after int, ends, last bool) {
	if s.found != nil || base+i < after || i > 0 && alphanumeric(text[i-1]) || !mayBeToken(text[i:]) {
		return
	}
	for k := range tokens {
		end, goesOn := tokens[k].at(text[i:], last || !ends)
		switch {
		case end > 0:
			s.done = max(s.done, base+i+end)
			s.take(&tokens[k], text[i:i+end], base+i)
			return
		case goesOn && tokens[k].sum && (s.live < 0 || base+i < s.live) && !s.belongs(tokens[k].vendor):
			s.live = base + i
		}
	}
}

// at returns where the token at the beginning of text ends; 0 where there is none.
// goesOn says that its end is still to come.
func (t *token) at(text []byte, last bool) (end int, goesOn bool) {
	if len(text) < len(t.prefix) || string(text[:len(t.prefix)]) != t.prefix {
		return 0, false
	}
	n := len(t.prefix)
	for n < len(text) && (alphanumeric(text[n]) || strings.IndexByte(t.chars, text[n]) >= 0) {
		n++
	}
	switch {
	case n > len(t.prefix)+t.max:
		return 0, false
	case n == len(text) && !last:
		return 0, true
	case n < len(t.prefix)+t.min, t.sum && !checked(text[len(t.prefix):n]):
		return 0, false
	}
	return n, false
}

// checked reports whether the last six characters of text are the CRC-32 of those
// before, in base 62.
func checked(text []byte) bool {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := crc32.ChecksumIEEE(text[:len(text)-6])
	var want [6]byte
	for i := 5; i >= 0; i-- {
		want[i] = digits[sum%62]
		sum /= 62
	}
	return string(want[:]) == string(text[len(text)-6:])
}

// take judges one token.
func (s *Tokens) take(t *token, text []byte, at int) {
	if s.Known != nil && s.Known(text) || s.belongs(t.vendor) {
		return
	}
	f := &detect.Finding{
		RuleID: RuleVendorToken, Signature: "Token of " + t.vendor + "'s leaves for somebody else", Category: "leak", Severity: detect.High,
		Matched: t.prefix + "…", MatchOffset: at, Object: t.vendor + " token", Weak: !t.sum,
	}
	if s.Fingerprint != nil {
		f.Fingerprint = s.Fingerprint(text)
	}
	switch {
	case t.sum:
		s.found = f
	case s.Weak != nil:
		s.Weak(f)
	}
}

// belongs reports whether vendor's tokens may go where the stream goes.
func (s *Tokens) belongs(vendor string) bool {
	return vendorHost(vendor, s.Host) || s.Allowed != nil && s.Allowed(vendor)
}

// vendorHost reports whether host is one of vendor's.
func vendorHost(name, host string) bool {
	for i := range vendors {
		if vendors[i].name != name {
			continue
		}
		for _, h := range vendors[i].hosts {
			if host != "" && (host == h || h[0] == '.' && strings.HasSuffix(host, h)) {
				return true
			}
		}
	}
	return false
}
