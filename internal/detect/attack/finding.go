package attack

import (
	"unicode/utf8"

	"gatehouse/internal/detect"
)

// before is how much of Matched stands in front of what the rule saw, in bytes.
const before = 128

// found notes that r matched value for what stands at at.
func (in *inspection) found(r *rule, value []byte, at int) {
	in.values++
	if len(in.result.Findings) == maxFindings {
		in.end("budget")
		return
	}
	matched, offset := excerpt(value, at)
	in.result.Findings = append(in.result.Findings, detect.Finding{
		RuleID: r.id, Signature: r.signature, Category: r.category, Severity: r.severity,
		Path: in.path(), DecodeChain: in.chain(),
		Matched: matched, MatchOffset: offset,
		Start: in.raw.start, End: in.raw.end,
	})
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
	chain := make([]string, in.top)
	for i := range chain {
		chain[i] = in.layers[i+1].rung
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
