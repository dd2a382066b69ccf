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

func summary(inv Invocation, now time.Time) *record.Record {
	r := &record.Record{
		Kind: record.Invocation, Time: now.UTC(),
		RequestID: inv.RequestID, FunctionARN: inv.ARN, TraceID: inv.TraceID, TenantID: inv.TenantID,
		Status: inv.Status, Action: "allowed", Exceptions: inv.Exceptions,
		BytesIn: inv.BytesIn, BytesOut: inv.BytesOut,
		Connections: inv.Counters.Connections, Inspected: inv.Counters.Inspected, Tunnelled: inv.Counters.Tunnelled,
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
