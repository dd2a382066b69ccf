package proxy

import (
	"slices"
	"strings"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
)

// maxRounds bounds how often what is left of one event is inspected.
const maxRounds = 32

// judged says what the inspections of one event found, after the policy's
// exceptions.
type judged struct {
	found    []detect.Finding
	excepted []string
	taken    []detect.Part // records to take out of the batch
	rest     []byte        // the event without them
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

func (in *inspected) batched() bool { return in.form == detect.FormDrop || in.form == detect.FormFail }

// inspect judges an event. The engine stops looking once it has found enough.
// Nothing may hide behind what does not have the event refused: a value that an
// exception covers, or a record that is taken out of its batch. So what is left
// without those is inspected again, until nothing more is found.
func (g *Guard) inspect(in *inspected) judged {
	var j judged
	b := batch{left: in.o.Event}
	found, passed := g.look(in, b.left, &j)
	for round := 0; ; round++ {
		if in.batched() && b.all == nil && firstStrong(found) != nil {
			b.all = in.source.Batch.Parts(in.o.Event)
			b.bad = make([]bool, len(b.all))
		}
		if more := b.take(found) + b.pass(passed); more == 0 || !in.batched() && firstStrong(j.found) != nil {
			break
		}
		if round == maxRounds {
			j.whole, in.result.Exhausted = true, true // what is left was not inspected to its end
			return j
		}
		found, passed = g.look(in, b.left, &j)
	}
	if in.batched() && firstStrong(j.found) != nil {
		b.decide(in, &j)
	}
	return j
}

// look inspects what is left of an event, and adds what it says to j and to the
// result of all inspections. It returns what was found now, and which of it an
// exception covers.
func (g *Guard) look(in *inspected, left []byte, j *judged) (found, passed []detect.Finding) {
	now := results.Get().(*detect.Result)
	defer results.Put(now)
	now.Reset()
	in.engine.Inspect(left, in.source, now, in.o.Stop)
	found, passed, excepted := g.excepted(in.policy, in.source, now.Findings)
	for _, e := range excepted {
		if !slices.Contains(j.excepted, e) {
			j.excepted = append(j.excepted, e)
		}
	}
	j.found = addNew(j.found, found)
	all := in.result
	all.Findings = addNew(all.Findings, now.Findings)
	all.Strings, all.Work = max(all.Strings, now.Strings), all.Work+now.Work
	all.Exhausted, all.Gaps = now.Exhausted, append(all.Gaps[:0], now.Gaps...) // the last word
	return found, passed
}

// addNew appends to all what it does not hold yet.
func addNew(all, more []detect.Finding) []detect.Finding {
	if len(all) == 0 {
		return append(all, more...)
	}
	type place struct{ path, rule string }
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

// batch is an event of which parts are put aside, and the records of it where it
// is a batch.
type batch struct {
	left   []byte // the event, with blanks in the place of what was put aside
	copied bool
	all    []detect.Part
	bad    []bool // by record
}

// put writes text and blanks over left[start:end], so that all else keeps its
// offset and its path.
func (b *batch) put(start, end int, text string) {
	if !b.copied {
		b.left, b.copied = slices.Clone(b.left), true
	}
	for i := start + copy(b.left[start:end], text); i < end; i++ {
		b.left[i] = ' '
	}
}

// take puts the records aside in which something strong was found, and returns how
// many more they are.
func (b *batch) take(found []detect.Finding) (more int) {
	for i := range found {
		n := recordOf(b.all, &found[i])
		if found[i].Weak || n < 0 || b.bad[n] {
			continue
		}
		b.bad[n] = true
		more++
		b.put(b.all[n].Start, b.all[n].End, "0")
	}
	return more
}

// pass puts the values aside that an exception covers, and returns how many more
// they are. A key stays: the paths below it begin with it.
func (b *batch) pass(passed []detect.Finding) (more int) {
	for i := range passed {
		f := &passed[i]
		value := b.left[f.Start:f.End]
		if f.Weak || len(value) < 2 || value[0] != '"' || strings.HasPrefix(strings.TrimLeft(string(b.left[f.End:min(len(b.left), f.End+16)]), " \t\r\n"), ":") {
			continue
		}
		if string(value[:2]) != `""` {
			b.put(f.Start, f.End, `""`)
			more++
		}
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
