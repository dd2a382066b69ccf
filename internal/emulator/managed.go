package emulator

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// maxLate bounds the ids of timed-out invocations that are remembered.
const maxLate = 1000

// startManaged gives inv to a managed instance, which has many invocations
// open at a time, never freezes, and outlives a time-out. It is brought up
// again after a crash.
func (l *Lambda) startManaged(ctx context.Context, inv *invocation) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer func() { <-l.slot }()
	l.mu.Lock()
	s := l.sandbox
	l.stats.Invocations++
	l.mu.Unlock()
	if s != nil && s.broken() != nil {
		l.reset(s, s.broken())
		s = nil
	}
	if s == nil {
		if _, err := l.coldStart(ctx); err != nil {
			inv.begin(l.cfg.Timeout)
			inv.fail(asFault(err, l.cfg.InitTimeout))
			close(inv.ended) // it never began
			return nil
		}
		s = l.current()
	}
	inv.begin(l.cfg.Timeout)
	if !s.reserve(inv) {
		inv.unavailable()
		return nil
	}
	l.journal.follow(inv)
	l.wg.Go(func() { s.serveManaged(inv) })
	return nil
}

// serveManaged takes inv through a managed instance. There is no event that
// tells extensions about it, and none that says when the runtime is done.
func (s *sandbox) serveManaged(inv *invocation) {
	defer close(inv.ended)
	defer s.journal.tail(inv)
	s.journal.platform("start", startRecord{
		RequestID: inv.id, Version: version, FunctionARN: inv.arn, Tracing: inv.trace(), TenantID: inv.in.TenantID,
	})
	s.change(func() { s.queue = append(s.queue, inv) })
	ctx, cancel := context.WithDeadline(context.Background(), inv.deadline)
	defer cancel()
	err := s.await(ctx, func() bool { return inv.answered })
	if err != nil {
		f := *asFault(err, s.cfg.Timeout)
		if f.body == nil {
			f.body = errorBody(f.kind, f.message)
		}
		inv.fail(&f)
	}
	s.retire(inv, err)
	s.drain()
	status, kind := s.verdict(inv, err)
	inv.mu.Lock()
	spans := newSpan("responseLatency", inv.began, inv.firstByte)
	spans = append(spans, newSpan("responseDuration", inv.firstByte, inv.toward)...)
	inv.mu.Unlock()
	s.journal.platform("report", reportRecord{
		RequestID: inv.id, Status: status, ErrorType: kind, Spans: spans, Tracing: inv.trace(), TenantID: inv.in.TenantID,
		Metrics: durationMetrics{milliseconds(time.Since(inv.began))},
	})
}

// reserve makes inv one of the open invocations. It waits for a runtime that
// is at rest, or about to be: one has answered but not asked again yet, or is
// still coming up. It reports false when all are taken, or the id is.
func (s *sandbox) reserve(inv *invocation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[inv.id] != nil || len(s.open) >= s.cfg.Concurrency {
		return false
	}
	s.open[inv.id] = inv
	return true
}

// unavailable answers that no runtime is at rest.
func (inv *invocation) unavailable() {
	defer close(inv.ended)
	inv.finish(func(o *Output) {
		o.StatusCode, o.FunctionError, o.ContentType = http.StatusBadRequest, unhandled, "application/json"
		o.Payload = errorBody("Runtime.Unavailable", "no idle runtimes")
	})
}

// retire closes inv. After a time-out the function works on, and its answer
// will get 410.
func (s *sandbox) retire(inv *invocation, err error) {
	s.change(func() {
		delete(s.open, inv.id)
		s.queue = slices.DeleteFunc(s.queue, func(other *invocation) bool { return other == inv })
		if err != nil && inv.delivered && !inv.claimed {
			s.late = append(s.late, inv.id)
			s.late = s.late[max(0, len(s.late)-maxLate):]
		}
	})
}

// takeLate says whether id timed out, once. The lock is held.
func (s *sandbox) takeLate(id string) bool {
	i := slices.Index(s.late, id)
	if i < 0 {
		return false
	}
	s.late = slices.Delete(s.late, i, i+1)
	return true
}
