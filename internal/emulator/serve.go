package emulator

import (
	"context"
	"fmt"
	"math"
	"time"
)

// serve takes inv through an on-demand sandbox: the event goes to the runtime
// and to the extensions that want it; the invocation ends when all of them
// have asked for the next. An error means that the sandbox must be reset.
func (s *sandbox) serve(ctx context.Context, inv *invocation, initTook time.Duration) error {
	s.journal.platform("start", startRecord{
		RequestID: inv.id, Version: version, FunctionARN: inv.arn, Tracing: inv.trace(), TenantID: inv.in.TenantID,
	})
	s.release(inv)
	err := s.await(ctx, func() bool { return inv.answered })
	if err == nil {
		err = s.await(ctx, func() bool { return inv.returned })
	}
	runtimeDone := time.Now()
	s.drain()
	s.reportRuntimeDone(inv, err, runtimeDone)
	var overhead []span
	if invoked := s.subscribed(eventInvoke); err == nil && len(invoked) > 0 {
		err = s.await(ctx, func() bool { return waiting(invoked) })
		s.drain()
		overhead = newSpan("extensionOverhead", runtimeDone, time.Now())
	}
	s.conclude(inv, err, initTook, overhead)
	return err
}

// release hands inv to the runtime and to the extensions.
func (s *sandbox) release(inv *invocation) {
	s.change(func() {
		s.queue = append(s.queue, inv)
		s.open[inv.id] = inv
		for _, e := range s.extensions {
			e.offer(eventInvoke, &extensionEvent{
				EventType: eventInvoke, DeadlineMs: inv.deadline.UnixMilli(), RequestID: inv.id,
				FunctionARN: inv.arn, Tracing: inv.trace(),
			})
		}
	})
}

// waiting says whether all have come back for their next event; the lock is
// held.
func waiting(extensions []*extension) bool {
	for _, e := range extensions {
		if e.state != stateReady || e.next != nil {
			return false
		}
	}
	return true
}

// conclude answers the caller if nobody has and writes the report.
func (s *sandbox) conclude(inv *invocation, err error, initTook time.Duration, spans []span) {
	took := time.Since(inv.began)
	if err != nil {
		f := asFault(err, s.cfg.Timeout)
		inv.fail(f)
		s.noteFault(inv, f)
		if f.status == statusTimeout {
			took = s.cfg.Timeout
		}
	}
	s.change(func() { delete(s.open, inv.id) })
	status, kind := s.verdict(inv, err)
	s.journal.platform("report", reportRecord{
		RequestID: inv.id, Status: status, ErrorType: kind, Spans: spans, Tracing: inv.trace(), TenantID: inv.in.TenantID,
		Metrics: reportMetrics{
			DurationMs:       milliseconds(took),
			BilledDurationMs: int64(math.Ceil(milliseconds(took + initTook))),
			MemorySizeMB:     s.cfg.MemoryMB,
			MaxMemoryUsedMB:  s.memoryUsed(),
			InitDurationMs:   milliseconds(initTook),
		},
	})
}

// verdict is how the invocation ended: by the sandbox's error, or by the one
// that the function answered with.
func (s *sandbox) verdict(inv *invocation, err error) (status, kind string) {
	status, kind = outcome(err, s.cfg.Timeout)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if err == nil && inv.errorType != "" {
		return statusError, inv.errorType
	}
	return status, kind
}

// noteFault prints what CloudWatch shows of f.
func (s *sandbox) noteFault(inv *invocation, f *fault) {
	if f.status == statusTimeout {
		s.journal.note(fmt.Sprintf("%s %s %s\n", time.Now().UTC().Format(stamp), inv.id, f.message))
		return
	}
	s.journal.note(fmt.Sprintf("RequestId: %s Error: %s\n%s", inv.id, f.message, f.kind))
}

// reportRuntimeDone says that the runtime is done with inv. A function that
// answered with an error and came back is a success to the platform.
func (s *sandbox) reportRuntimeDone(inv *invocation, err error, at time.Time) {
	status, kind := outcome(err, s.cfg.Timeout)
	inv.mu.Lock()
	spans := newSpan("responseLatency", inv.began, inv.firstByte)
	spans = append(spans, newSpan("responseDuration", inv.firstByte, inv.toward)...)
	if !inv.toward.IsZero() {
		spans = append(spans, newSpan("runtimeOverhead", inv.toward, at)...)
	}
	produced := inv.produced
	inv.mu.Unlock()
	s.journal.platform("runtimeDone", runtimeDoneRecord{
		RequestID: inv.id, Status: status, ErrorType: kind, Spans: spans, Tracing: inv.trace(), TenantID: inv.in.TenantID,
		Metrics: &runtimeDoneMetrics{DurationMs: milliseconds(at.Sub(inv.began)), ProducedBytes: produced},
	})
}
