package proxy

import (
	"slices"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
)

// maxRounds bounds how often what is left of one event is inspected.
const maxRounds = 32

// judged says what the inspections of one event found, after the policy's
// exceptions.
type judged struct {
	found    []detect.Finding
	excepted []string       // exceptions that applied
	passed   map[place]bool // where
	taken    []detect.Part  // records to take out of the batch
	rest     []byte         // the event without them
	all      bool           // these are all
	whole    bool           // a batch that must be refused as a whole
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

func (in *inspected) batched() bool { return in.form == detect.FormDrop || in.form == detect.FormFail }

// inspect judges an event. Where its source sends batches and their records are
// refused one by one, what is left without those in which something was found is
// inspected again, until nothing is: the engine stops looking once it has found
// enough, and a record must not hide behind another.
func (g *Guard) inspect(in *inspected) judged {
	var j judged
	found := g.look(in, in.o.Event, &j)
	if !in.batched() || firstStrong(found) == nil {
		return j
	}
	b := batch{left: in.o.Event, all: in.source.Batch.Parts(in.o.Event)}
	b.bad = make([]bool, len(b.all))
	for round := 0; b.take(found); round++ {
		if round == maxRounds {
			j.whole = true // fail-closed: what is left was not inspected to its end
			return j
		}
		found = g.look(in, b.left, &j)
	}
	b.decide(in, &j)
	return j
}

// look inspects what is left of an event, and adds what it says to j and to the
// result of all inspections. It returns what was found now.
func (g *Guard) look(in *inspected, left []byte, j *judged) []detect.Finding {
	now := results.Get().(*detect.Result)
	defer giveBack(now)
	if in.policy.Excepts() {
		now.Except = g.except(in, j)
	}
	in.engine.Inspect(left, in.source, now, in.o.Stop)
	found := slices.Clone(now.Findings) // the result goes back to its pool
	j.found = addNew(j.found, found)
	all := in.result
	all.Strings, all.Work = max(all.Strings, now.Strings), all.Work+now.Work
	all.Exhausted, all.Gaps = now.Exhausted, append(all.Gaps[:0], now.Gaps...) // the last word
	return found
}

// maxPassed bounds the places that are counted where an exception applied.
const maxPassed = 1024

// place is where a rule fits.
type place struct{ path, rule string }

// except returns what says whether an exception of the policy covers a rule at a
// path, and notes in j where one did.
func (g *Guard) except(in *inspected, j *judged) func(rule, path string) bool {
	now := g.now()
	return func(rule, path string) bool {
		e := in.policy.Exception(rule, path, in.source.Name, now)
		if e == "" {
			return false
		}
		if !slices.Contains(j.excepted, e) {
			j.excepted = append(j.excepted, e)
		}
		if j.passed == nil {
			j.passed = make(map[place]bool)
		}
		if len(j.passed) < maxPassed {
			j.passed[place{path, rule}] = true
		}
		return true
	}
}

// addNew appends to all what it does not hold yet.
func addNew(all, more []detect.Finding) []detect.Finding {
	if len(all) == 0 {
		return append(all, more...)
	}
	known := make(map[place]bool, len(all)+len(more))
	for _, f := range all {
		known[place{f.Path, f.RuleID}] = true
	}
	for _, f := range more {
		if p := (place{f.Path, f.RuleID}); !known[p] {
			known[p] = true
			all = append(all, f)
		}
	}
	return all
}

// batch is an event of a batch, and its records.
type batch struct {
	left   []byte // the event, with blanks in the place of the bad ones
	copied bool
	all    []detect.Part
	bad    []bool // by record
}

// put writes 0 and blanks over left[start:end], so that all else keeps its offset
// and its path.
func (b *batch) put(start, end int) {
	if !b.copied {
		b.left, b.copied = slices.Clone(b.left), true
	}
	b.left[start] = '0'
	for i := start + 1; i < end; i++ {
		b.left[i] = ' '
	}
}

// take puts the records aside in which something strong was found, and reports
// whether there are more of them.
func (b *batch) take(found []detect.Finding) (more bool) {
	for i := range found {
		n := recordOf(b.all, &found[i])
		if found[i].Weak || n < 0 || b.bad[n] {
			continue
		}
		b.bad[n], more = true, true
		b.put(b.all[n].Start, b.all[n].End)
	}
	return more
}

// recordOf returns which of parts, which are in the event's order, f lies in; -1:
// in none.
func recordOf(parts []detect.Part, f *detect.Finding) int {
	i, _ := slices.BinarySearchFunc(parts, f.Start, func(p detect.Part, at int) int {
		if p.End <= at {
			return -1
		}
		return 1
	})
	if i == len(parts) || f.Start < parts[i].Start || f.End > parts[i].End || f.End <= f.Start {
		return -1
	}
	return i
}

// decide says what becomes of a batch in which something strong was found.
func (b *batch) decide(in *inspected, j *judged) {
	j.whole = !b.holds(j.found)
	if in.form == detect.FormFail {
		j.whole = j.whole || !b.named()
		b.follow()
	}
	for i, p := range b.all {
		if b.bad[i] {
			j.taken = append(j.taken, p)
		}
	}
	j.all = len(j.taken) == len(b.all)
	if !j.whole && !j.all {
		j.rest = detect.AppendCut(b.left[:0], in.o.Event, b.all, b.bad) // left is a copy: something is bad
	}
}

// holds reports whether everything strong lies in a record.
func (b *batch) holds(found []detect.Finding) bool {
	for i := range found {
		if !found[i].Weak && recordOf(b.all, &found[i]) < 0 {
			return false
		}
	}
	return true
}

// named reports whether each record has the id by which an answer can name it.
func (b *batch) named() bool {
	return !slices.ContainsFunc(b.all, func(p detect.Part) bool { return p.ID == "" })
}

// follow marks what must not overtake a bad record: those of its group behind it.
func (b *batch) follow() {
	held := make(map[string]bool) // at most one for each of the batch's records
	for i, p := range b.all {
		switch {
		case p.Group == "":
		case b.bad[i]:
			held[p.Group] = true
		default:
			b.bad[i] = held[p.Group]
		}
	}
}
