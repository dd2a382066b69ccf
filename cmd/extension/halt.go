package main

import (
	"context"
	"os"
	"time"

	"go.uber.org/zap"

	"gatehouse/internal/proxy"
)

// halt ends the sandbox after a leak: the guard has closed egress and relay; the
// invocation fails, the evidence goes out, and Lambda is told to reset. It does
// not return.
func (x *extension) halt(v proxy.Verdict) {
	ctx := context.Background()
	if x.sandbox.Phase() == proxy.Init {
		<-x.sandbox.Opened() // nothing to fail yet: the first invocation will
	}
	limit := x.haltLimit(time.Now())
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	if err := x.relay.FailUnanswered(ctx, v); err != nil {
		x.log.Warn("failing the invocation", zap.Error(err)) // best effort: Lambda may know already
	}
	if err := x.pipeline.Flush(ctx); err != nil {
		x.log.Warn("sending the evidence", zap.Error(err)) // Shutdown tries again, and prints it as a last resort
	}
	x.cutEgress() // only now: code that waits for it goes on, and may end the invocation
	x.pipeline.Shutdown(ctx)

	// The evidence may have used up the time; Lambda must be told all the same.
	last, cancel := context.WithTimeout(context.Background(), margin)
	defer cancel()
	if err := x.api.ExitError(last, "Extension.GatehouseHalt", v.Message()); err != nil {
		x.log.Warn("telling lambda to reset", zap.Error(err))
	}
	os.Exit(1)
}

// cutEgress ends what goes out, and has each connection report what it was.
func (x *extension) cutEgress() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = x.egress.Shutdown(now) // cut short on purpose
}

// haltLimit is until when the evidence may take: a second, and never into the
// last of the invocation's time.
func (x *extension) haltLimit(now time.Time) time.Time {
	limit := now.Add(maxFlush)
	open, _ := x.sandbox.At()
	for _, inv := range open {
		if end := inv.Deadline.Add(-margin); !inv.Deadline.IsZero() && end.Before(limit) {
			limit = end
		}
	}
	return limit
}
