package proxy

import (
	"slices"
	"strings"

	"gatehouse/internal/detect"
	"gatehouse/internal/record"
)

const (
	// maxEventRecords bounds the attack records that one event can make: each holds
	// the whole event.
	maxEventRecords = 8
	// maxTakenRecords bounds them where records are taken out of a batch: each holds
	// its own, all together no more than the event.
	maxTakenRecords = 256
)

// evidence chooses which findings of an event become records, and what of the
// event each of them holds.
type evidence struct {
	g     *Guard
	o     *detect.Observation
	v     *Verdict
	paths []string
	shown []int          // records of the batch, as indices of v.Taken
	first *record.Record // holds the size and the hash of the event
}

// wants reports whether f is to have a record of its own: one for each path, and
// one at least for each record that is taken out.
func (e *evidence) wants(f *detect.Finding) bool {
	if slices.Contains(e.paths, f.Path) {
		return false
	}
	if n := len(e.paths); n >= maxEventRecords {
		part := recordOf(e.v.Taken, f)
		if n == maxTakenRecords || part < 0 || slices.Contains(e.shown, part) {
			return false
		}
	}
	e.paths = append(e.paths, f.Path)
	return true
}

// show puts the event into r, and who sent it. The first record has the event as
// it is; where records are taken out of a batch, each further one has its own.
func (e *evidence) show(r *record.Record, f *detect.Finding) {
	part := recordOf(e.v.Taken, f)
	e.shown = append(e.shown, part)
	r.Src = e.from(part)
	if e.first == nil || part < 0 {
		r.SetEvent(e.o.Event, f)
	}
	if e.first == nil {
		e.first = r
	}
	if p := part; p >= 0 && (e.first != r || r.EventTruncated) {
		taken := e.v.Taken[p]
		r.SetPart(e.first, taken.Path, e.o.Event[taken.Start:taken.End])
	}
}

// from returns who sent the event, or this record of it.
func (e *evidence) from(part int) string {
	if e.v.Source == nil || e.g.Value == nil {
		return ""
	}
	event, path := e.o.Event, e.v.Source.From
	if part >= 0 {
		taken := e.v.Taken[part]
		if own, ok := strings.CutPrefix(path, strings.TrimSuffix(e.v.Source.Batch.Records, "[]")+"[0]."); ok {
			event, path = event[taken.Start:taken.End], own
		}
	}
	from, _ := e.g.Value(event, path)
	return from
}
