package main

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"gatehouse/internal/telemetry/hec"
)

// restTime is how long we may have been frozen without the HEC having closed connections
// that we take for open.
const restTime = 500 * time.Millisecond

// rest comes before a freeze. Where invocations are many, connections are kept: a
// handshake costs more than what is sent.
func (x *extension) rest() {
	x.rested = time.Now().Round(0) // the other clock may stand still in a freeze
	if !x.pace.busy {
		x.closeIdleSink()
	}
}

// wake closes connections that are older than a freeze of some length.
func (x *extension) wake() {
	if !x.rested.IsZero() && time.Now().Round(0).Sub(x.rested).Abs() >= restTime {
		x.closeIdleSink()
	}
	x.rested = time.Time{}
}

// flushLate sends findings that were made while the rest was sent: no freeze comes
// before them.
func (x *extension) flushLate(ctx context.Context, end time.Time) {
	select {
	case <-x.pipeline.Urgent():
		x.flush(ctx, end, findings)
	default:
	}
}

// load is what a flush sends.
type load int

const (
	findings   load = iota // and health
	batches                // and the rest as far as it makes whole batches
	everything             // and all of the rest
)

// load is what is to go now: everything where it is due.
func (x *extension) load(due bool) load {
	switch {
	case due:
		return everything
	case x.pipeline.Heavy():
		return batches
	}
	return findings
}

// flush sends what, until end at the latest. A failure is said when it starts and when it
// ends.
func (x *extension) flush(ctx context.Context, end time.Time, what load) {
	if what == batches {
		x.startIsOver() // there is much to do
	}
	if !x.bulky && x.pipeline.Made() > bulkRecords {
		x.bulky = true
		debug.SetGCPercent(bulkGCPercent)
	}
	limit := time.Now().Add(maxFlush)
	if end.Before(limit) {
		limit = end
	}
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	x.cut.Store(&cancel)
	if x.ending.Load() {
		return
	}
	err := x.send(ctx, what)
	if errors.Is(err, hec.ErrConfig) {
		err = nil // the client has said it
	}
	if failed := err != nil; failed != x.flushFailed && !x.ending.Load() {
		x.flushFailed = failed
		if failed {
			x.log.Warn("records are not delivered", zap.Error(err))
		} else {
			x.log.Warn("records are delivered again")
		}
	}
}

func (x *extension) send(ctx context.Context, what load) error {
	flush := x.pipeline.FlushUrgent
	switch what {
	case batches:
		flush = x.pipeline.FlushFull
	case everything:
		flush = x.pipeline.Flush
		x.pace.flushed(time.Now())
	}
	if err := flush(ctx); err != nil || !x.tellLosses() {
		return err
	}
	return x.pipeline.FlushUrgent(ctx)
}
