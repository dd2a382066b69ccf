package emulator

import (
	"context"
	"fmt"
	"time"
)

// Invoke runs the function once and returns what the caller of a synchronous
// invocation gets, as soon as it is there. The error is for what never reached
// the function: ctx was done first, or the Lambda is shut down. An invocation
// that has begun goes on when ctx is done.
func (l *Lambda) Invoke(ctx context.Context, in Input) (*Output, error) {
	inv := newInvocation(in, &l.cfg)
	if l.cfg.managed() {
		if err := l.startManaged(ctx, inv); err != nil {
			return nil, err
		}
	} else {
		if err := l.acquire(ctx); err != nil {
			return nil, err
		}
		l.wg.Go(func() { l.run(inv) })
	}
	return inv.result(ctx)
}

// result waits for the answer, and for the end of the invocation when the
// caller wants its log.
func (inv *invocation) result(ctx context.Context) (*Output, error) {
	select {
	case out := <-inv.answer:
		if inv.in.LogTail {
			<-inv.ended // bounded by the function's time-out
			out.LogTail = inv.tail
		}
		return out, nil
	case <-ctx.Done():
		inv.mu.Lock()
		inv.in.Stream = nil // the caller takes it back
		inv.mu.Unlock()
		return nil, fmt.Errorf("waiting for the response: %w", ctx.Err())
	}
}

// run takes inv through its life; it holds the slot.
func (l *Lambda) run(inv *invocation) {
	defer func() { <-l.slot }()
	defer close(inv.ended)
	l.journal.follow(inv)
	defer l.journal.tail(inv)
	s, initTook := l.warm(inv)
	if s == nil {
		return
	}
	ctx, cancel := context.WithDeadline(context.Background(), inv.deadline)
	defer cancel()
	if err := s.serve(ctx, inv, initTook); err != nil {
		l.reset(s, err)
		return
	}
	l.freeze(s)
}

// warm returns a sandbox that is ready for inv and starts inv's clock. Without
// one it goes through Init; if that fails, or was not the first, Init is
// repeated inside the invocation, under its own time-out.
func (l *Lambda) warm(inv *invocation) (s *sandbox, initTook time.Duration) {
	l.mu.Lock()
	s, tried := l.sandbox, l.tried
	l.stats.Invocations++
	l.mu.Unlock()
	if s != nil && s.broken() != nil { // it died in its sleep
		l.reset(s, s.broken())
		s = nil
	}
	if s == nil && !tried {
		if took, err := l.coldStart(context.Background()); err == nil {
			s, initTook = l.current(), took
		}
	}
	inv.begin(l.cfg.Timeout)
	if s == nil {
		return l.initInside(inv), 0
	}
	s.thaw()
	return s, initTook
}

// initInside repeats Init as a part of inv, which fails when that does.
func (l *Lambda) initInside(inv *invocation) *sandbox {
	s := l.newSandbox("invoke")
	err := s.init(context.Background(), l.cfg.Timeout)
	if err == nil {
		return s
	}
	s.journal.platform("start", startRecord{
		RequestID: inv.id, Version: version, FunctionARN: inv.arn, Tracing: inv.trace(), TenantID: inv.in.TenantID,
	})
	s.conclude(inv, err, 0, nil)
	l.reset(s, err)
	return nil
}
