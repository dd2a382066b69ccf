package proxy

import (
	"slices"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
)

// maxRounds bounds how often the rest of one batch is inspected.
const maxRounds = 32

// batch is the judgement of one batch.
type batch struct {
	all []detect.Part
	bad []bool // by record: something was found in it
}

// judged says what an inspection found, after the policy's exceptions.
type judged struct {
	found    []detect.Finding
	excepted []string
	taken    []detect.Part // records to take out of the batch
	all      bool          // these are all
	whole    bool          // a batch that must be refused as a whole
}

// inspected is an event under inspection.
type inspected struct {
	engine detect.Engine
	policy *policy.Policy
	source *detect.Source
	form   detect.Form
	o      *detect.Observation
	result *detect.Result
}

// inspect judges an event. Where its source sends batches and their records are
// refused one by one, what is left is inspected again without those in which
// something was found, until nothing is: the engine stops looking once it has
// found enough, and a record must not hide behind another.
func (g *Guard) inspect(in *inspected) judged {
	var j judged
	in.engine.Inspect(in.o.Event, in.source, in.result, in.o.Stop)
	j.found, j.excepted = g.excepted(in.policy, in.source, in.result.Findings)
	if firstStrong(j.found) == nil || in.form != detect.FormDrop && in.form != detect.FormFail {
		return j
	}
	b := batch{all: in.source.Batch.Parts(in.o.Event)}
	b.bad = make([]bool, len(b.all))
	left, seen := in.o.Event, j.found
	for round := 0; b.mark(seen); round++ {
		if round == maxRounds {
			j.whole = true // fail-closed: what is left was not inspected to its end
			return j
		}
		left = b.blank(left)
		seen = g.again(in, left, &j)
	}
	j.whole = !b.holds(j.found)
	if in.form == detect.FormFail {
		j.whole = j.whole || !b.named()
		b.follow()
	}
	j.taken = b.taken()
	j.all = len(j.taken) == len(b.all)
	return j
}

// again inspects what is left of a batch and adds what it finds to j and to the
// whole inspection's result, of which it is the last word.
func (g *Guard) again(in *inspected, left []byte, j *judged) []detect.Finding {
	more := results.Get().(*detect.Result)
	defer results.Put(more)
	more.Reset()
	in.engine.Inspect(left, in.source, more, in.o.Stop)
	found, excepted := g.excepted(in.policy, in.source, more.Findings)
	res := in.result
	for _, f := range found {
		same := func(old detect.Finding) bool { return old.Path == f.Path && old.RuleID == f.RuleID }
		if !slices.ContainsFunc(j.found, same) {
			j.found = append(j.found, f)
			res.Findings = append(res.Findings, f)
		}
	}
	for _, e := range excepted {
		if !slices.Contains(j.excepted, e) {
			j.excepted = append(j.excepted, e)
		}
	}
	res.Work += more.Work
	res.Exhausted = more.Exhausted
	res.Gaps = append(res.Gaps[:0], more.Gaps...)
	return found
}

// record returns which record f lies in; -1: in none.
func (b *batch) record(f *detect.Finding) int { return recordOf(b.all, f) }

func recordOf(parts []detect.Part, f *detect.Finding) int {
	return slices.IndexFunc(parts, func(p detect.Part) bool { return p.Start <= f.Start && f.End <= p.End && f.End > f.Start })
}

// mark notes the records in which something strong was found. It reports whether
// there was another one.
func (b *batch) mark(found []detect.Finding) (another bool) {
	for i := range found {
		if n := b.record(&found[i]); !found[i].Weak && n >= 0 && !b.bad[n] {
			b.bad[n], another = true, true
		}
	}
	return another
}

// holds reports whether everything strong lies in a record.
func (b *batch) holds(found []detect.Finding) bool {
	for i := range found {
		if !found[i].Weak && b.record(&found[i]) < 0 {
			return false
		}
	}
	return true
}

// blank returns event with a 0 in the place of each bad record, so that all else
// keeps its offset and its path.
func (b *batch) blank(event []byte) []byte {
	left := slices.Clone(event)
	for i, p := range b.all {
		if !b.bad[i] {
			continue
		}
		left[p.Start] = '0'
		for at := p.Start + 1; at < p.End; at++ {
			left[at] = ' '
		}
	}
	return left
}

// named reports whether each record has the id by which an answer can name it.
func (b *batch) named() bool {
	return !slices.ContainsFunc(b.all, func(p detect.Part) bool { return p.ID == "" })
}

// follow marks what must not overtake a bad record: those of its group behind it.
func (b *batch) follow() {
	var held []string
	for i, p := range b.all {
		switch {
		case p.Group == "":
		case b.bad[i]:
			held = append(held, p.Group)
		default:
			b.bad[i] = slices.Contains(held, p.Group)
		}
	}
}

func (b *batch) taken() (parts []detect.Part) {
	for i, p := range b.all {
		if b.bad[i] {
			parts = append(parts, p)
		}
	}
	return parts
}
