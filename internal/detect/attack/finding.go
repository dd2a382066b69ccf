package attack

import (
	"sort"
	"unicode/utf8"

	"gatehouse/internal/detect"
)

// maxFindings bounds what is kept of one event, and maxWeak the weak ones: what
// is never refused must not be in the way of what is.
const maxFindings, maxWeak = 1024, 512

// before is how much of Matched stands in front of what the rule saw, in bytes.
const before = 128

// found notes what the families say of value. It reports whether the value may be
// refused for it; then nothing else about the value matters.
func (in *inspection) found(o *opinion, value []byte) (refused bool) {
	score := o.score + in.field().bias()
	weak := o.rule.weak || score < refuseAt
	if weak && (in.recorded(o.rule) || in.before(o.rule)) {
		return false
	}
	kept := len(in.result.Findings)
	switch {
	case weak && kept-in.strong >= maxWeak:
		in.gap("findings", in.raw.end-in.raw.start)
		return false
	case kept == maxFindings:
		in.end("budget")
		return true
	}
	if !weak {
		in.values++
		in.strong++
	}
	r := o.rule
	matched, offset := excerpt(value, o.at)
	in.result.Findings = append(in.result.Findings, detect.Finding{
		RuleID: r.id, Signature: r.signature, Category: r.category, Severity: r.severity,
		Weak: weak, Score: score,
		Path: in.path(), DecodeChain: in.chain(),
		Matched: matched, MatchOffset: offset,
		Start: in.raw.start, End: in.raw.end,
	})
	return !weak
}

// excepted reports whether the caller excepts r where the value at hand stands.
func (in *inspection) excepted(r *rule) bool {
	return in.result.Except != nil && in.result.Except(r.id, in.path())
}

// recorded reports whether r is the latest finding, in the string at hand: the same
// weak sign in one encoding and another is one sign.
func (in *inspection) recorded(r *rule) bool {
	n := len(in.result.Findings)
	if n == 0 {
		return false
	}
	f := &in.result.Findings[n-1]
	return f.Weak && f.Start == in.raw.start && f.End == in.raw.end && f.RuleID == r.id
}

// before reports whether an earlier reading found r, which is weak, in the string at
// hand.
func (in *inspection) before(r *rule) bool {
	earlier := in.result.Findings[:in.first]
	i := sort.Search(len(earlier), func(i int) bool { return earlier[i].Start >= in.raw.start })
	for ; i < len(earlier) && earlier[i].Start == in.raw.start; i++ {
		if earlier[i].RuleID == r.id {
			return true
		}
	}
	return false
}

// path writes out where the value at hand stands. JSON and forms inside a string
// go on with the path of that string.
func (in *inspection) path() string {
	var dst []byte
	for i := range in.layers[:in.top+1] {
		l := &in.layers[i]
		switch {
		case l.json:
			dst = l.scanner.appendPath(dst)
		case l.name != nil:
			dst = appendName(dst, l.name)
		}
	}
	return string(dst)
}

// chain lists what was undone, outermost first; nil where nothing was.
func (in *inspection) chain() []string {
	if in.top == 0 {
		return nil
	}
	var chain []string
	for i := range in.layers[1 : in.top+1] {
		chain = append(chain, in.layers[i+1].rungs...)
	}
	return chain
}

// excerpt cuts at most detect.MaxMatched bytes of valid UTF-8 out of value, round
// offset at, and returns them with their offset.
func excerpt(value []byte, at int) (string, int) {
	start := max(0, at-before)
	if start+detect.MaxMatched > len(value) {
		start = max(0, len(value)-detect.MaxMatched)
	}
	for start > 0 && start < len(value) && !utf8.RuneStart(value[start]) && start < at {
		start++
	}
	out := make([]byte, 0, min(len(value)-start, detect.MaxMatched))
	for _, r := range string(value[start:min(len(value), start+detect.MaxMatched+utf8.UTFMax)]) {
		if len(out)+utf8.RuneLen(r) > detect.MaxMatched {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), start
}
