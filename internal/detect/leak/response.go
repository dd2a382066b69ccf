package leak

import (
	"bytes"
	"slices"
	"strings"

	"gatehouse/internal/detect"
)

// lookBehind is how much of a response stays in sight behind what is new, in
// bytes: the beginning of a URL in which a credential stands.
const lookBehind = 4 << 10

// minHeld is the shortest beginning of a secret that a response waits for, in
// bytes. Shorter ones end every other piece of a stream.
const minHeld = 4

// Response is how a response is looked through. Its fields may be left zero.
type Response struct {
	// Signed says to which hosts a presigned URL may go: credentials in one are no
	// leak. nil knows none.
	Signed func(host string) bool
	// Fingerprint stands for a private key in findings; nil leaves it out.
	Fingerprint func(value []byte) string
	// Traces looks for stack traces, too: in answers that say that all is well.
	Traces bool
}

// Sweep returns a sweep for one response of the function. It finds own secrets in
// every form that a Scanner finds, private keys in PEM, and stack traces, each
// kind and secret once: further places are hits without a finding.
func (s *Set) Sweep(how Response) detect.Sweep {
	if s == nil {
		s = New(nil)
	}
	r := &response{set: s, how: how, keys: s.keys()}
	return r.sweep
}

// response is the sweep of one response.
type response struct {
	set  *Set
	how  Response
	keys *index

	// overlap is where the search in the next window begins, in bytes before what
	// is new; settled, how many of them were judged to the end.
	overlap, settled int
	inKey            keyForm  // the key that the last window ended in
	told             []string // what was found already, as rule and secret
	traced           bool
	seen             int // bytes of the response so far
	hits             []detect.Hit
}

func (r *response) sweep(w []byte, fresh int, last bool) detect.Swept {
	r.hits = r.hits[:0]
	from := max(0, fresh-r.overlap)
	settled := max(0, fresh-r.overlap+r.settled)
	waits := len(w) // where what is undecided begins
	waits = min(waits, r.secrets(w, from, settled, last))
	waits = min(waits, r.privateKeys(w, from, fresh, settled, last))
	if r.how.Traces && !r.traced && r.seen < maxTraced {
		r.traces(w, fresh)
	}
	r.seen += len(w) - fresh
	if last {
		r.inKey, r.overlap, r.settled = noKey, 0, 0
		return detect.Swept{Hits: r.hits}
	}
	held := len(w) - waits
	if part := r.begun(w); part > 0 {
		held = max(held, part)
	}
	r.overlap = min(len(w), max(held, gram-1))
	r.settled = r.overlap - (len(w) - waits)
	return detect.Swept{Hits: r.hits, Keep: min(len(w), held+lookBehind), Held: held}
}

// begun returns how long the end of w is that begins a secret or a key.
func (r *response) begun(w []byte) int {
	n := max(r.set.exact().partial(w, nil), r.keys.partial(w, nil))
	if n > 0 {
		return n
	}
	for n = min(gram-1, len(w)); n > 0; n-- {
		end := w[len(w)-n:]
		if n < minHeld && bytes.IndexByte(end, '\\') < 0 {
			continue // an escape must not leave in part
		}
		if r.set.exact().prefixed(end) || r.keys.prefixed(end) {
			return n
		}
	}
	return 0
}

// secrets notes the own secrets in w that were not judged yet, and returns where
// one begins of which the verdict must wait; len(w) without one.
func (r *response) secrets(w []byte, from, settled int, last bool) (waits int) {
	waits = len(w)
	var found []match
	r.set.exact().each(w[from:], func(m match) bool {
		m.start, m.end = m.start+from, m.end+from
		if m.end > settled {
			found = append(found, m)
		}
		return true
	})
	slices.SortFunc(found, func(a, b match) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	end := 0
	for _, m := range found {
		if m.end <= end {
			continue // inside the one before
		}
		m.start = max(m.start, end)
		switch r.set.presigned(r.set.exact(), w, m, r.how.Signed, last) {
		case signed:
		case undecided:
			waits = min(waits, m.start)
		default:
			r.secret(w, m)
		}
		end = m.end
	}
	return waits
}

// secret notes a secret in w.
func (r *response) secret(w []byte, m match) {
	p := &r.set.exact().patterns[m.pattern]
	s := &r.set.secrets[p.secret]
	var f *detect.Finding
	if r.first(RuleOwnSecret, s.Name) {
		f = r.set.finding(r.set.exact(), w, m, m.start)
		f.Matched, f.MatchOffset = withoutRuns(f.Matched), 0
		f.Signature = "Own secret in the function's response"
	}
	m = r.set.exact().widen(w, m)
	fill := fillOf(p.chain)
	for _, part := range parts(w, m.start, m.end, p.chain == nil) {
		r.hits = append(r.hits, detect.Hit{Finding: f, RuleID: RuleOwnSecret, Start: part.start, End: part.end, Fill: fill})
		f = nil
	}
	if f != nil { // nothing of it can be masked: it is told all the same
		r.hits = append(r.hits, detect.Hit{Finding: f, RuleID: RuleOwnSecret, Start: m.start, End: m.end})
	}
}

// first reports whether rule has not seen object in this response before.
func (r *response) first(rule, object string) bool {
	key := rule + " " + object
	if slices.Contains(r.told, key) {
		return false
	}
	r.told = append(r.told, key)
	return true
}

// fillOf is what masks a secret in an encoding: text that can still be decoded.
func fillOf(chain []string) string {
	switch {
	case slices.Contains(chain, "base64"):
		return "Kioq"
	case slices.Contains(chain, "hex"):
		return "2a"
	}
	return "*"
}

type span struct{ start, end int }

// parts returns what of w[start:end] can be replaced in JSON and leave it JSON:
// not the rest of an escape that begins before it, and, where it is written as it
// is, not the marks of JSON in it.
func parts(w []byte, start, end int, plain bool) (out []span) {
	start = min(end, start+escapeLeft(w, start))
	if !plain {
		return []span{{start, end}}
	}
	for i := start; i < end; {
		if n := structure(w[i:end]); n > 0 {
			i += n
			continue
		}
		from := i
		for i < end && structure(w[i:end]) == 0 {
			i++
		}
		out = append(out, span{from, i})
	}
	return out
}

// escapeLeft returns how many bytes at w[at:] belong to an escape that a
// backslash before at begins.
func escapeLeft(w []byte, at int) int {
	slashes := 0
	for slashes < at && w[at-1-slashes] == '\\' {
		slashes++
	}
	switch {
	case slashes%2 == 0 || at == len(w):
		return 0
	case w[at] == 'u':
		return 5
	}
	return 1
}

// structure returns the length of what b begins with that JSON needs as it is: a
// quote, or an escape; 0 for all else.
func structure(b []byte) int {
	switch {
	case b[0] == '"':
		return 1
	case b[0] != '\\':
		return 0
	case len(b) > 1 && b[1] == 'u':
		return min(len(b), 6)
	}
	return min(len(b), 2)
}

// withoutRuns returns an excerpt with its long runs of letters and digits cut:
// next to one secret there may be others that nobody knows.
func withoutRuns(text string) string {
	const long, shown = 24, 4
	var b strings.Builder
	for text != "" {
		if n := masked(text); n > 0 {
			b.WriteString(text[:n])
			text = text[n:]
			continue
		}
		n := 0
		for n < len(text) && isBase64(text[n]) {
			n++
		}
		switch {
		case n >= long:
			b.WriteString(text[:shown] + "…")
		case n == 0:
			n = 1
			b.WriteString(text[:1])
		default:
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

// masked returns the length of the mask that text begins with: {{NAME:fingerprint}}.
func masked(text string) int {
	n := strings.Index(text, "}}")
	if n < 0 || !strings.HasPrefix(text, "{{") {
		return 0
	}
	if colon := strings.LastIndexByte(text[:n], ':'); colon < 0 || n-colon > 16 {
		return 0
	}
	return n + len("}}")
}

// isBase64 reports whether c is of one of base64's alphabets, padding aside.
func isBase64(c byte) bool {
	return alphanumeric(c) || c == '+' || c == '/' || c == '-' || c == '_'
}
