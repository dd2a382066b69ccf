package leak

import (
	"bytes"
	"encoding/base64"
	"math"
	"math/bits"
	"strings"
)

const (
	// minAlarm is how many different bytes of a secret one host may not get to see;
	// of a short one, half.
	minAlarm = 12
	// minHeldSecret is the shortest part of a secret that counts, and that is waited
	// for, in bytes of the secret.
	minHeldSecret = 8
	// minDifferences is that of a part that is found by its differences.
	minDifferences = 10
	// surely is how far into a stream shorter parts of a secret of few different
	// characters count: further on, chance would find them.
	surely = 8 << 10
)

// target is what must be known of a secret to count its bytes.
type target struct {
	length int
	key    uint64 // of the ledger
	// common are the bytes that say nothing: other values have them in common with
	// this one, as all tokens of a kind begin alike. nil: none.
	common []uint64
	// alarm is how many of the others are too many; whole: nothing but all of it is.
	alarm int
	whole bool
	// near and far are the shortest part that counts in the first bytes of a stream
	// and further on.
	near, far int
}

func newTarget(v []byte) target {
	v = v[:min(len(v), maxSecret)]
	t := target{length: len(v), key: keyOf(v), common: make([]uint64, (len(v)+63)/64)}
	markCommon(v, t.mark)
	counted := len(v)
	for _, w := range t.common {
		counted -= bits.OnesCount64(w)
	}
	t.whole = counted < minHeldSecret || isProse(v)
	if t.whole || counted == len(v) {
		t.common = nil
	}
	t.alarm = min(minAlarm, (counted+1)/2)
	each := density(v)
	t.near = max(minHeldSecret, int(math.Ceil(32/each)))
	t.far = max(minHeldSecret, int(math.Ceil(40/each)))
	return t
}

// keyOf is FNV-1a.
func keyOf(v []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range v {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// words is how many words of bits t has.
func (t *target) words() int { return (t.length + 63) / 64 }

func (t *target) mark(from, to int) {
	for i := max(0, from); i < min(to, t.length); i++ {
		t.common[i>>6] |= 1 << (i & 63)
	}
}

// density is how many bits chance has to get right for one byte of v.
func density(v []byte) float64 {
	var digit, hexa, lower, upper, other bool
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c|0x20 >= 'a' && c|0x20 <= 'f' && !lower && !upper:
			hexa = true
		case c >= 'a' && c <= 'z':
			lower = true
		case c >= 'A' && c <= 'Z':
			upper = true
		case c != '-':
			other = true
		}
	}
	switch {
	case other || lower && upper:
		return 5
	case lower || upper:
		return 4.7
	case hexa && digit:
		return 4
	case hexa:
		return 2.6
	}
	return 3.3
}

// isProse reports whether v is words: letters and blanks, no capital inside a word.
func isProse(v []byte) bool {
	upper := 0
	for i, c := range v {
		switch {
		case c >= '0' && c <= '9':
			return false
		case c >= 'A' && c <= 'Z':
			upper++
			if i > 0 && v[i-1] >= 'a' && v[i-1] <= 'z' {
				return false
			}
		}
	}
	return true
}

// beginnings are how values of a kind begin. The longer of two comes first.
var beginnings = [...]string{
	"sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_", "whsec_", "AKIA", "ASIA",
	"github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "glpat-", "AIzaSy", "AIza", "npm_", "pypi-AgEIcHlwaS5vcmc", "SG.", "hvs.",
	"sk-ant-api03-", "sk-ant-", "sk-proj-", "sk-svcacct-", "sk-", "dop_v1_", "shpat_", "dckr_pat_", "ya29.", "xapp-", "key-", "eyJhbGciOi",
	"Bearer ", "Basic ", "IQoJb3JpZ2luX2Vj", "FwoGZXIvYXdz", "FQoGZXIvYXdz",
}

// commonWords stand in many values, and in what is no value at all.
var commonWords = [...]string{
	"password", "passwort", "secret", "token", "changeme", "default", "production", "staging", "development", "database", "postgres",
	"username", "localhost", "welcome", "letmein", "qwerty", "123456", "abcdef", "amazonaws.com", "https://", "http://",
}

// markCommon marks what v has in common with other values.
func markCommon(v []byte, mark func(from, to int)) {
	for _, b := range beginnings {
		if bytes.HasPrefix(v, []byte(b)) {
			mark(0, len(b))
			break
		}
	}
	lower := strings.ToLower(string(v))
	for _, w := range commonWords {
		for at := 0; ; at += len(w) {
			i := strings.Index(lower[at:], w)
			if i < 0 {
				break
			}
			at += i
			mark(at, at+len(w))
		}
	}
	for i, n := 0, 0; i < len(v); i += n { // what is repeated
		for n = 1; i+n < len(v) && v[i+n] == v[i]; n++ {
		}
		if n >= 4 {
			mark(i, i+n)
		}
	}
	switch {
	case len(lower) > 30 && lower[2:3] == "_" && strings.HasPrefix(lower[3:], "live_51") || strings.HasPrefix(lower[min(3, len(lower)):], "test_51"):
		mark(0, 24) // Stripe's keys hold the account's id, public ones too
	case strings.HasPrefix(lower, "xox"):
		mark(0, bytes.LastIndexByte(v, '-')+1) // Slack's have its workspace and bot
	case strings.HasPrefix(lower, "eyj") && bytes.Count(v, []byte(".")) == 2:
		mark(0, bytes.LastIndexByte(v, '.')+1) // a JSON Web Token but for its signature
	case bytes.HasPrefix(v, []byte("-----BEGIN")):
		markPEM(v, mark)
	case len(v) > 200 && (strings.HasPrefix(lower, "iqoj") || strings.HasPrefix(lower, "fwog") || strings.HasPrefix(lower, "fqog")):
		markToken(v, mark)
	}
}

// markPEM leaves what of a private key is no part of the public one, nor of the
// header that all keys of a kind have.
func markPEM(v []byte, mark func(from, to int)) {
	from := bytes.Index(v[10:], []byte("-----"))
	to := bytes.LastIndex(v, []byte("-----END"))
	if from < 0 || to < from+15 {
		return
	}
	from += 15
	head := string(v[:from])
	first, last := from, to // of what counts
	switch n := to - from; {
	case strings.Contains(head, "OPENSSH"):
		first += n / 2
	case strings.Contains(head, "EC PRIVATE"):
		first, last = from+10, from+54
	case n < 100: // Ed25519 in PKCS #8
		first += 24
	case n < 300: // P-256 in PKCS #8
		first, last = from+49, from+94
	default:
		first += n * 3 / 10
	}
	mark(0, first)
	mark(last, len(v))
}

// markToken marks what the session tokens of one account and region share: the
// beginning, and the account's number.
func markToken(v []byte, mark func(from, to int)) {
	mark(0, 64)
	plain := make([]byte, base64.RawStdEncoding.DecodedLen(len(v)))
	n, _ := base64.RawStdEncoding.Decode(plain, bytes.TrimRight(v, "=")) // what can be decoded is enough
	for i := 0; i+12 <= n; i++ {
		if digits(plain[i:i+12]) == 12 {
			mark(i*4/3-16, (i+12)*4/3+16)
		}
	}
}
