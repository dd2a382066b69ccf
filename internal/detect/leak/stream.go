package leak

import (
	"slices"
	"strings"

	"gatehouse/internal/detect"
)

const (
	// piece is how much is looked through at a time, in bytes.
	piece = 16 << 10
	// maxSpread is how long the part of a secret may be that waits, in bytes, with
	// what was put between.
	maxSpread = 4 << 10
)

// stream is a detect.Scanner that counts which bytes of which secret a stream holds.
type stream struct {
	set    *engine
	how    Stream
	signed *scanner // looks for those that may leave in presigned URLs; nil: there is none

	plain, squeezed lane
	origins         []int32 // where what is in squeezed.buf stood, in the stream; nil: not known yet
	tailOrigins     []int32 // of what was there before
	spare           []int32
	chunk           []byte   // what is being looked through
	written, out    int      // bytes of the stream, and how many of them are cleared
	leave           []answer // by secret
	covers          map[int][]uint64
	found           *detect.Finding
}

// Write judges p; see detect.Scanner. After a finding it clears nothing and returns
// the same finding.
func (s *stream) Write(p []byte) (cleared int, f *detect.Finding) {
	if s.found != nil {
		return 0, s.found
	}
	if s.signed != nil {
		if _, s.found = s.signed.Write(p); s.found != nil {
			return 0, s.found
		}
	}
	for len(p) > 0 && s.found == nil {
		n := min(len(p), piece)
		s.look(p[:n])
		p = p[n:]
	}
	if s.found != nil {
		return 0, s.found
	}
	return s.clear(s.waits()), nil
}

// clear lets what is before offset at of the stream leave, and returns how much is new.
func (s *stream) clear(at int) int {
	n := max(0, at-s.out)
	s.out += n
	return n
}

// Flush decides about what waits; see detect.Scanner.
func (s *stream) Flush() (cleared int, f *detect.Finding) {
	if s.found != nil {
		return 0, s.found
	}
	at := s.written
	if s.signed != nil && s.signed.waits >= 0 {
		at = s.written - s.signed.held // a credential whose URL has not ended
	}
	for _, l := range [...]*lane{&s.plain, &s.squeezed} {
		for i := range l.runs {
			if s.count(&l.runs[i], minHeldSecret, true); s.found != nil {
				return 0, s.found
			}
		}
	}
	if s.signed != nil && s.signed.waits < 0 {
		s.signed.held = 0
	}
	return s.clear(at), nil
}

// Close ends the stream; see detect.Scanner.
func (s *stream) Close() *detect.Finding {
	if s.found == nil && s.signed != nil {
		s.found = s.signed.Close()
	}
	if s.found == nil {
		s.Flush()
	}
	return s.found
}

// waits returns where in the stream the first run begins that must wait.
func (s *stream) waits() int {
	at := s.written
	if s.signed != nil {
		at -= s.signed.held
	}
	at = min(at, s.plain.unsure)
	for i := range s.plain.runs {
		if r := &s.plain.runs[i]; !r.ended && s.long(r) {
			at = min(at, r.start)
		}
	}
	floor := s.written - maxSpread
	if s.squeezed.unsure < s.squeezed.end() {
		at = min(at, max(floor, s.origin(s.squeezed.unsure)))
	}
	for i := range s.squeezed.runs {
		if r := &s.squeezed.runs[i]; !r.ended && s.long(r) {
			at = min(at, max(floor, r.origin))
		}
	}
	return at
}

// long reports whether r is worth waiting for: with its last byte, more than seven
// bytes of the secret would have left.
func (s *stream) long(r *run) bool {
	p := r.pattern
	a, b := p.at(r.from), p.at(r.from+r.n)
	least := int32(minHeldSecret-1) * one
	if (p.at(0)|p.at(len(p.text)))&(one-1) != 0 {
		least -= one // what is next to the pattern holds the rest of a byte
	}
	return max(a-b, b-a) > least
}

// look looks through chunk, which goes on with what was before.
func (s *stream) look(chunk []byte) {
	s.chunk, s.origins = chunk, nil
	l := &s.plain
	l.buf = append(l.buf, chunk...)
	s.written += len(chunk)
	l.extend()
	if s.judgeAll(l); s.found == nil {
		s.probePlain()
	}
	if q := &s.squeezed; s.found == nil && len(s.set.squeezed.entries) > 0 {
		q.buf = s.set.squeezer.squeeze(q.buf, chunk)
		q.extend()
		if s.judgeAll(q); s.found == nil {
			s.probeSqueezed()
		}
	}
	if s.found == nil {
		s.unsure()
		s.settle()
	}
}

// settle keeps of both lanes what the next piece needs.
func (s *stream) settle() {
	s.plain.trim()
	q := &s.squeezed
	n := min(len(q.buf), kept)
	tail := s.spare[:0]
	fresh := 0
	from := len(s.chunk)
	for fresh < n && from > 0 {
		from--
		if s.set.squeezer[s.chunk[from]] != 0 {
			fresh++
		}
	}
	if old := n - fresh; old > 0 {
		tail = append(tail, s.tailOrigins[len(s.tailOrigins)-old:]...)
	}
	base := s.written - len(s.chunk)
	for i := from; i < len(s.chunk); i++ {
		if s.set.squeezer[s.chunk[i]] != 0 {
			tail = append(tail, int32(base+i))
		}
	}
	s.tailOrigins, s.spare = tail, s.tailOrigins
	q.trim()
	s.chunk, s.origins = nil, nil
}

// origin returns where in the stream the byte at place i of squeezed stood.
func (s *stream) origin(i int) int {
	if s.origins == nil {
		base := s.written - len(s.chunk)
		s.origins = append(s.origins, s.tailOrigins...)
		for k, c := range s.chunk {
			if s.set.squeezer[c] != 0 {
				s.origins = append(s.origins, int32(base+k))
			}
		}
	}
	at := i - s.squeezed.base
	if at >= len(s.origins) {
		return s.written
	}
	return int(s.origins[at])
}

// probePlain probes what is new of the stream as it is.
func (s *stream) probePlain() {
	e := s.set
	s.probe(&s.plain, e.plainStride, e.plainHit, func(l *lane, i int) {
		word := l.word(i)
		s.meet(l, e.exact, word, i)
		s.meet(l, e.xored, xorWord(word), i)
		s.meet(l, e.moved, addWord(word), i)
	})
}

// probeSqueezed probes what is new of what is left of the stream.
func (s *stream) probeSqueezed() {
	e := s.set
	s.probe(&s.squeezed, e.squeezedStride, e.squeezedHit, func(l *lane, i int) { s.meet(l, e.squeezed, l.word(i), i) })
}

// probe looks at every place of l up to l.dense, and further on at one in a stride. hit
// finds the next place at which there may be something, from from to last, and meet
// deals with it.
func (s *stream) probe(l *lane, stride int, hit func(text []byte, from, last, step int) int, meet func(l *lane, i int)) {
	last := l.end() - gram
	for l.next <= last {
		until, step := last, stride
		if l.next < l.dense {
			until, step = min(last, l.dense-1), 1
		}
		i := hit(l.buf, l.next-l.base, until-l.base, step) + l.base
		if i <= until {
			if meet(l, i); s.found != nil {
				return
			}
			if i += step; step > 1 && i-step < l.dense {
				i += 1 - step // what is round a part of a secret is looked at closely
			}
		}
		if l.next = i; i >= l.dense {
			l.next = (i + stride - 1) / stride * stride
		}
	}
}

// meet follows what a probe may have met. Of several findings, the one that holds most
// is the one.
func (s *stream) meet(l *lane, g *grams, word uint64, i int) {
	h := hash(word)
	if s.found != nil || !g.may(h) {
		return
	}
	var best *detect.Finding
	most := 0
	for e := g.first(h); e != 0; e = g.entries[e-1].next {
		en := &g.entries[e-1]
		p := &g.patterns[en.pattern]
		if g.word(en) != word || s.leaves(p, g.kind) || l.known(p, g.kind, i, int(en.offset)) {
			continue
		}
		r := l.open(p, g.kind, i, int(en.offset))
		if r.n == 0 {
			continue
		}
		l.dense = max(l.dense, i+nearby)
		r.origin = r.start
		if l == &s.squeezed {
			r.origin = s.origin(r.start)
		}
		if s.judge(&r); s.found != nil {
			if r.n > most {
				best, most = s.found, r.n
			}
			s.found = nil
			continue
		}
		l.follow(r, i)
	}
	s.found = best
}

// leaves reports whether p is of a secret that may leave, or that is looked for
// otherwise.
func (s *stream) leaves(p *pattern, k kind) bool {
	if s.leave == nil {
		s.leave = make([]answer, len(s.set.secrets))
	}
	if s.leave[p.secret] == unasked {
		s.leave[p.secret] = no
		if s.how.Allowed != nil && slices.ContainsFunc(s.set.names[p.secret], s.how.Allowed) {
			s.leave[p.secret] = yes
		}
	}
	return s.leave[p.secret] == yes ||
		s.signed != nil && k == same && isText(p.chain) && credentialField(s.set.secrets[p.secret].Name) != ""
}

// answer is one of a yes, a no, and none yet.
type answer uint8

const (
	unasked answer = iota
	no
	yes
)

// isText reports whether chain says that a secret is written as it is, or in what
// URLs and JSON make of it.
func isText(chain []string) bool {
	for _, c := range chain {
		if c != "url" && c != "json" && c != separated {
			return false
		}
	}
	return true
}

// judgeAll judges the runs that have grown.
func (s *stream) judgeAll(l *lane) {
	for i := range l.runs {
		if r := &l.runs[i]; s.found == nil && r.end() >= l.end()-len(s.chunk) {
			s.judge(r)
		}
	}
}

// judge finds a secret where r, and what has gone before, is too much of one. It is
// counted once it is no longer.
func (s *stream) judge(r *run) {
	t := &s.set.targets[r.pattern.secret]
	least := t.near
	if r.start >= surely {
		least = t.far
	}
	if r.kind != same {
		least = max(least, minDifferences)
	}
	s.count(r, least, r.ended)
}

// count is judge for a part of at least that many bytes. final says that it is no
// longer, or leaves as it is: then it is noted.
func (s *stream) count(r *run, least int, final bool) {
	secret := r.pattern.secret
	t := &s.set.targets[secret]
	lo, hi := r.touched(t)
	whole := r.whole()
	if !whole && (t.whole || hi-lo < least) {
		return
	}
	alone := r.cover(t)
	if whole || count(alone) >= t.alarm {
		s.found = s.finding(r, r.chain())
		return
	}
	cover := alone
	for i, c := range s.covers[secret] {
		cover[i] |= c
	}
	var n int
	if final {
		n = s.how.Ledger.add(s.how.Host, t.key, cover, t.alarm)
	} else {
		s.how.Ledger.with(s.how.Host, t.key, cover)
		n = count(cover)
	}
	if n >= t.alarm {
		s.found = s.finding(r, append([]string{"split"}, r.chain()...))
		return
	}
	if final {
		if s.covers == nil {
			s.covers = make(map[int][]uint64)
		}
		s.covers[secret] = cover
	}
}

// chain says what r is written in, outermost first.
func (r *run) chain() []string {
	switch r.kind {
	case xored:
		return []string{"xor"}
	case moved:
		return []string{"shift"}
	}
	return r.pattern.chain
}

// unsure notes where runs begin that reach the end and that the probes, which leave
// out some places, have not met yet.
func (s *stream) unsure() {
	s.plain.unsure, s.squeezed.unsure = s.plain.end(), s.squeezed.end()
	if l := &s.plain; l.next > l.dense {
		for i := max(l.base, l.end()-lookLeft); i <= l.end()-gram; i++ {
			word := l.word(i)
			s.reach(l, s.set.exact, word, i)
			s.reach(l, s.set.xored, xorWord(word), i)
			s.reach(l, s.set.moved, addWord(word), i)
		}
	}
	if l := &s.squeezed; l.next > l.dense {
		for i := max(l.base, l.end()-lookLeft); i <= l.end()-gram; i++ {
			s.reach(l, s.set.squeezed, l.word(i), i)
		}
	}
}

// reach notes the run that a word is in, where it reaches the end.
func (s *stream) reach(l *lane, g *grams, word uint64, i int) {
	h := hash(word)
	if !g.may(h) {
		return
	}
	for e := g.first(h); e != 0; e = g.entries[e-1].next {
		en := &g.entries[e-1]
		p := &g.patterns[en.pattern]
		if g.word(en) != word || s.leaves(p, g.kind) {
			continue
		}
		if r := l.open(p, g.kind, i, int(en.offset)); r.n > 0 && !r.ended && s.long(&r) {
			l.unsure = min(l.unsure, r.start)
		}
	}
}

// finding describes r.
func (s *stream) finding(r *run, chain []string) *detect.Finding {
	secret := &s.set.secrets[r.pattern.secret]
	return &detect.Finding{
		RuleID: RuleOwnSecret, Signature: "Own secret leaves the function",
		Category: "leak", Severity: detect.Critical,
		DecodeChain: chain, Matched: s.excerpt(r), MatchOffset: r.origin,
		Object: secret.Name, Fingerprint: secret.Fingerprint,
	}
}

// excerpt returns what stands round r with every part of a secret in it masked.
// Where r is not the text itself, that is nothing but the mask.
func (s *stream) excerpt(r *run) string {
	mask := s.set.secrets[r.pattern.secret].mask()
	l := &s.plain
	if r.kind != same || len(r.pattern.chain) > 0 && r.pattern.chain[0] == separated || r.start < l.base {
		return mask
	}
	from, to := max(l.base, r.start-around), min(l.end(), r.end()+around)
	var out []byte
	at := from
	for i := max(l.base, from-lookLeft); i < to && i+gram <= l.end(); i++ {
		m := s.longest(l, i)
		if i >= r.start && i < r.end() {
			m = *r
		}
		if m.n == 0 || m.end() <= at {
			continue
		}
		if m.start < to {
			out = append(out, l.buf[at-l.base:max(at, m.start)-l.base]...)
			out = append(out, s.set.secrets[m.pattern.secret].mask()...)
		}
		at = m.end()
		i = max(i, at-1)
	}
	if at < to {
		out = append(out, l.buf[at-l.base:to-l.base]...)
	}
	valid := strings.ToValidUTF8(string(out), "\uFFFD")
	return strings.ToValidUTF8(valid[:min(len(valid), detect.MaxMatched)], "")
}

// longest returns the longest run that has a gram at place i; its n is 0 where there
// is none.
func (s *stream) longest(l *lane, i int) (longest run) {
	word := l.word(i)
	h := hash(word)
	if !s.set.exact.may(h) {
		return longest
	}
	for e := s.set.exact.first(h); e != 0; e = s.set.exact.entries[e-1].next {
		en := &s.set.exact.entries[e-1]
		if s.set.exact.word(en) != word {
			continue
		}
		if r := l.open(&s.set.exact.patterns[en.pattern], same, i, int(en.offset)); r.n > longest.n {
			longest = r
		}
	}
	return longest
}
