// Package attack judges events: it finds every string in an event's JSON, keys
// included, undoes the encodings in which payloads travel, and asks the rules.
// It leaves the event as it is, does no I/O and starts no goroutine. What is done
// about a finding is decided elsewhere.
//
// A rule is one value in its family's rules and one corpus file; a family one value in
// families; an event source one value in
// Sources and one golden event; an encoding one value in rungs.
package attack

import (
	"sync"

	"gatehouse/internal/detect"
)

// Profile is a choice of rules.
type Profile uint8

// The profiles.
const (
	// Block asks the rules that may refuse an event, and those that add to them.
	Block Profile = iota
	// Detect asks weak rules, too: they see more, and are wrong more often. Their
	// findings have Weak set.
	Detect
)

// Engine is a detect.Engine. Its zero value works, and it is safe for concurrent
// use.
type Engine struct {
	// Profile says which rules are asked; the zero value is Block.
	Profile Profile
	// Budget says how much work an event of so many bytes may cost, in bytes that
	// scanner, decoders and rules read; nil: 40 × size + 1 MiB. What it says of 0
	// bytes is for whichever string needs it, the rest is each string's own.
	Budget func(eventBytes int) int

	inspections sync.Pool // of *inspection
}

var _ detect.Engine = (*Engine)(nil)

// Source recognises where event comes from by its shape; what no other source
// claims is "direct". It looks at a bounded part of the event.
func (e *Engine) Source(event []byte) *detect.Source { return sourceOf(event) }

// Inspect judges event and fills result, which the caller has reset. What was
// not or not wholly inspected is in result.Gaps, one for each reason, with the
// path of the first such place. stop, asked about once in 64 KiB of work, ends
// the inspection early; nil never does. At most 1,024 findings are kept, of which
// 512 may be weak: a further one ends the inspection with result.Exhausted and a
// gap of the reason "budget", a further weak one is a gap of the reason "findings".
func (e *Engine) Inspect(event []byte, source *detect.Source, result *detect.Result, stop func() bool) {
	in, _ := e.inspections.Get().(*inspection)
	if in == nil {
		in = new(inspection)
	}
	in.weak, in.slack = e.Profile == Detect, e.budget(0)
	in.begin(event, source, result, stop, e.budget(len(event)))
	in.run(event)
	in.release()
	e.inspections.Put(in)
}

func (e *Engine) budget(size int) int {
	if e.Budget != nil {
		return e.Budget(size)
	}
	return 40*size + 1<<20
}

// Value returns the string at path in event, unescaped: "Records[0].Sns.TopicArn".
// It is how a Source's From is read. At most the first 4,096 strings and marks of
// the event are looked at.
func Value(event []byte, path string) (string, bool) {
	if path == "" {
		return "", false
	}
	var s scanner
	s.reset(event, false)
	s.skim, s.steps = true, maxSourceSteps
	var item str
	for s.next(&item) {
		if !item.key && s.matches(path) {
			return string(unescape(nil, item.body(event))), true
		}
	}
	return "", false
}
