package leak

import (
	"bytes"

	"gatehouse/internal/detect"
)

// RulePrivateKey is the rule id of a private key in a response.
const RulePrivateKey = "response.private-key"

const (
	// minKey is how much of a key must follow its first line, in characters of
	// base64. It is what the fingerprint is taken of: a key's first half of that is
	// the same for all keys of its kind.
	minKey = 64
	// maxKeyHead bounds what may stand between the first line and the key: the
	// headers of RFC 1421, and line breaks, in bytes.
	maxKeyHead = 256
)

// keyHeads are the first lines of private keys (RFC 7468 and its forerunners).
var keyHeads = [...]string{
	"-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----",
	"-----BEGIN DSA PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----",
	"-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----BEGIN PGP PRIVATE KEY BLOCK-----",
}

// keyPatterns are the first lines as they are and in base64: a response that is
// no text has a body in base64.
func keyPatterns() []pattern {
	var out []pattern
	for i, head := range &keyHeads {
		plain := pattern{text: []byte(head), secret: i, step: one}
		out = append(out, plain)
		for _, p := range base64s(&plain) { // the same in both alphabets
			p.chain = []string{"base64"}
			out = append(out, p)
		}
	}
	return out
}

// keyForm is how a key is written that goes on in the next window.
type keyForm uint8

const (
	noKey keyForm = iota
	keyText
	keyBase64
)

// privateKeys notes what of private keys stands in w and was not noted yet, and
// returns where one begins of which the verdict must wait; len(w) without one.
func (r *response) privateKeys(w []byte, from, fresh, settled int, last bool) (waits int) {
	waits = len(w)
	end := fresh
	if r.inKey != noKey {
		end = r.key(w, fresh, nil)
	}
	r.keys.each(w[from:], func(m match) bool {
		m.start, m.end = m.start+from, m.end+from
		if m.end <= settled || m.start < end && end > fresh {
			return true
		}
		switch begin, sure := keyBegins(w, m.end, r.formOf(m), last); {
		case !sure:
			waits = min(waits, m.start)
		case begin > 0:
			r.inKey = r.formOf(m)
			end = r.key(w, begin, r.keyFinding(w, m, begin))
		}
		return true
	})
	return waits
}

func (r *response) formOf(m match) keyForm {
	if r.keys.patterns[m.pattern].chain != nil {
		return keyBase64
	}
	return keyText
}

// keyBegins returns where behind a first line, which ends at at, the key begins;
// 0 where none follows. It is not sure before minKey characters of it are there.
func keyBegins(w []byte, at int, form keyForm, last bool) (begin int, sure bool) {
	n, header := 0, false
	for i := at; i < len(w); i++ {
		switch c := w[i]; {
		case isBase64(c) && c != '-' && !escaped(w, i):
			if n++; n == 1 {
				begin = i
			}
			if n == minKey {
				return begin, true
			}
		case form == keyBase64, c == '-' && i+1 < len(w) && w[i+1] == '-', i-at > maxKeyHead+minKey, !inKeyText(c):
			return 0, true
		case c == ' ' && n > 0 && !header: // words
			return 0, true
		case c == '\n' || c == '\\':
			header = false
		case c == ':':
			n, header = 0, true
		case c == ',' || c == ' ' || c == '-':
			n = 0
		}
	}
	return 0, last
}

// inKeyText reports whether c may stand between a key's first line and its last:
// base64, what breaks lines, in JSON too, and what headers are made of.
func inKeyText(c byte) bool {
	return isBase64(c) || bytes.IndexByte([]byte("= \t\r\n\\:,"), c) >= 0
}

// escaped reports whether w[i] belongs to an escape that a backslash before it
// begins: n in \n and \\n, u002b in \u002b.
func escaped(w []byte, i int) bool {
	for k := 1; k <= 5 && k <= i; k++ {
		if w[i-k] == '\\' {
			return k == 1 || w[i-k+1] == 'u'
		}
	}
	return false
}

// key notes the key that begins at w[at], line by line, and returns its end in w.
// inKey stays set where it goes on in the next window.
func (r *response) key(w []byte, at int, f *detect.Finding) (end int) {
	fill, i := "*", at
	if r.inKey == keyBase64 {
		fill = "Kioq"
	}
	for i < len(w) {
		from := i
		for i < len(w) && r.ofKey(w, i) {
			i++
		}
		if i > from {
			r.hits = append(r.hits, detect.Hit{Finding: f, RuleID: RulePrivateKey, Start: from, End: i, Fill: fill})
			f = nil
		}
		if i == len(w) {
			return i
		}
		if r.inKey == keyBase64 || !inKeyText(w[i]) || w[i] == '-' {
			r.inKey = noKey
			return i
		}
		i++
	}
	return i
}

// ofKey reports whether w[i] is part of the key, and not of what breaks its lines.
func (r *response) ofKey(w []byte, i int) bool {
	if r.inKey == keyBase64 {
		return isBase64(w[i])
	}
	return isBase64(w[i]) && w[i] != '-' && !escaped(w, i)
}

// keyFinding describes the key behind first line m; nil where it is not the first.
func (r *response) keyFinding(w []byte, m match, begin int) *detect.Finding {
	p := &r.keys.patterns[m.pattern]
	head := keyHeads[p.secret]
	fingerprint := ""
	if r.how.Fingerprint != nil {
		fingerprint = r.how.Fingerprint(keyStart(w, begin))
	}
	if !r.first(RulePrivateKey, fingerprint) {
		return nil
	}
	return &detect.Finding{
		RuleID: RulePrivateKey, Signature: "Private key in the function's response",
		Category: "leak", Severity: detect.Critical, DecodeChain: p.chain,
		Matched: head + " {{" + fingerprint + "}}",
		Object:  string(bytes.Trim([]byte(head), "-")[len("BEGIN "):]), Fingerprint: fingerprint,
	}
}

// keyStart returns the first minKey characters of the key at w[begin], without
// line breaks.
func keyStart(w []byte, begin int) []byte {
	out := make([]byte, 0, minKey)
	for i := begin; i < len(w) && len(out) < minKey; i++ {
		if isBase64(w[i]) && !escaped(w, i) {
			out = append(out, w[i])
		}
	}
	return out
}
