package main

import (
	"sync"
	"sync/atomic"

	"gatehouse/internal/policy"
	"gatehouse/internal/record"
	"gatehouse/internal/telemetry/receiver"
)

// lines are the function's log on its way to the pipeline.
type lines struct {
	leftOut atomic.Uint64

	mu   sync.Mutex
	said map[printedSecret]bool
}

// printedSecret is one in the log of an invocation.
type printedSecret struct{ requestID, object string }

// maxPrinted bounds what is remembered of secrets in logs.
const maxPrinted = 1024

// first reports whether p is new.
func (l *lines) first(p printedSecret) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said[p] {
		return false
	}
	if l.said == nil || len(l.said) >= maxPrinted {
		l.said = make(map[printedSecret]bool)
	}
	l.said[p] = true
	return true
}

// line takes what Lambda's telemetry says. A secret in a line is reported, whether the
// policy wants the line or not.
func (x *extension) line(r *record.Record) {
	if r.Kind == record.Log {
		x.findPrinted(r)
		if leavesOut(&x.policy.get().Records, r) {
			x.lines.leftOut.Add(1)
			return
		}
	}
	x.pipeline.Add(r)
}

// findPrinted reports the function's own secrets in r, each once for an invocation.
func (x *extension) findPrinted(r *record.Record) {
	text := r.Message
	if r.MessageJSON != nil {
		text = string(r.MessageJSON)
	}
	for _, f := range x.secrets.get().All(text) {
		if x.lines.first(printedSecret{r.RequestID, f.Object}) {
			x.guard.Printed(r.RequestID, f)
		}
	}
}

// leavesOut reports whether the policy does not want the line r.
func leavesOut(p *policy.Records, r *record.Record) bool {
	if p.NoLogs || !p.Sampled(r.RequestID) {
		return true
	}
	return p.Level != policy.LevelNone && p.Below(receiver.Level(r))
}
