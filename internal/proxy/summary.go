package proxy

import (
	"time"

	"gatehouse/internal/record"
)

// Finish closes an invocation and reports its summary: once, whoever comes
// first. status is used where the invocation does not know its own.
func (g *Guard) Finish(requestID, status string) {
	inv, ok := g.Sandbox.Close(requestID)
	if !ok {
		return
	}
	if inv.Status == "" {
		inv.Status = status
	}
	g.Report(summary(inv, g.now()))
}

// FinishOverdue closes the invocations that were to be over by now and that
// nobody told the end of: on a managed instance a time-out goes to the caller
// alone, and the instance lives on.
func (g *Guard) FinishOverdue(now time.Time) {
	open, _ := g.Sandbox.At()
	for _, inv := range open {
		if !inv.Deadline.IsZero() && now.After(inv.Deadline) {
			g.Finish(inv.RequestID, "timeout")
		}
	}
}

func summary(inv Invocation, now time.Time) *record.Record {
	r := &record.Record{
		Kind: record.Invocation, Time: now.UTC(),
		RequestID: inv.RequestID, FunctionARN: inv.ARN, TraceID: inv.TraceID, TenantID: inv.TenantID,
		Status: inv.Status, Action: "allowed", Exceptions: inv.Exceptions,
		BytesIn: inv.BytesIn, BytesOut: inv.BytesOut,
		Connections: inv.Counters.Connections, Inspected: inv.Counters.Inspected, Tunnelled: inv.Counters.Tunnelled,
		Released: inv.Counters.Released, Uninspected: inv.Counters.Uninspected,
		Receipt: inv.Receipt,
	}
	if inv.Status == "refused" {
		r.Action = "blocked"
	}
	if inv.Source != nil {
		r.EventSource = inv.Source.Name
	}
	if !inv.Started.IsZero() {
		r.DurationMS = float64(now.Sub(inv.Started).Microseconds()) / 1000
	}
	return r
}
