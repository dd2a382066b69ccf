package main

import (
	"context"
	"strings"
	"time"

	"gatehouse/internal/lambdaapi"
)

// shutdown delivers what there is, within the time that Lambda gives.
func (x *extension) shutdown(ctx context.Context, e *lambdaapi.Event) {
	x.wake()
	_ = x.folder.unready() // the next start does it again
	open, _ := x.sandbox.At()
	for _, inv := range open {
		x.guard.Finish(inv.RequestID, statusAt(e.ShutdownReason))
	}
	x.sandbox.Shutdown()
	x.health()
	x.cutEgress() // every connection says what it was
	if n := x.guard.Recovered() + x.egress.Recovered() + int(x.receiver.Stats().Panics); n > 0 || len(x.pipeline.Lost()) > 0 {
		r := x.healthRecord()
		r.Recovered = n
		x.pipeline.Add(r)
	}
	limit := time.Now().Add(maxFlush)
	if end := e.Deadline().Add(-margin); end.Before(limit) {
		limit = end
	}
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	x.lastWords(ctx)
	x.pipeline.Grace = max(0, e.Deadline().Add(-margin/2).Sub(limit)) // the disk gets what Splunk left
	x.pipeline.Shutdown(ctx)
	x.sayLeft()
}

// quiet is how long nothing must come any more before the end: Lambda delivers what it
// still has of the telemetry, beside SHUTDOWN.
const quiet = 50 * time.Millisecond

// lastWords sends what comes until nothing does.
func (x *extension) lastWords(ctx context.Context) {
	if x.hec != nil {
		x.hec.TryNow() // there is no later
	}
	for made := uint64(0); x.telemetry.Load() && (made != x.pipeline.Made() || x.taking.Load() > 0); {
		made = x.pipeline.Made()
		if x.pipeline.Flush(ctx) != nil {
			return
		}
		select {
		case <-time.After(quiet):
		case <-ctx.Done():
			return
		}
	}
}

// statusAt is what became of an invocation that was open at the end of the
// sandbox, as far as Lambda's reason tells.
func statusAt(reason string) string {
	switch strings.ToLower(reason) {
	case "timeout":
		return "timeout"
	case "failure":
		return "error"
	}
	return "unknown"
}
