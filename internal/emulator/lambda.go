package emulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"
)

// ErrClosed is returned for invocations of a Lambda that was shut down.
var ErrClosed = errors.New("the emulator was shut down")

// Lambda is one function with one sandbox.
type Lambda struct {
	cfg     Config
	addr    string // of the Runtime, Extensions and Telemetry APIs
	server  *http.Server
	journal *journal
	cgroup  *cpuGroup
	slot    chan struct{}  // holds one token: who may use the sandbox on demand
	async   chan struct{}  // bounds waiting invocations of type Event
	wg      sync.WaitGroup // every goroutine of invocations and of the server

	mu      sync.Mutex
	sandbox *sandbox // nil before Init and after a reset
	tried   bool     // Init as a phase of its own is over
	closed  bool
	stats   Stats
}

// Stats counts what happened to the sandbox so far.
type Stats struct {
	Inits       int // processes brought up, successfully or not
	Resets      int // processes ended because of a failure or a time-out
	Invocations int // begun
	Freezes     int
}

// Start checks c and opens the APIs on a free port of 127.0.0.1. No process is
// started before the first Init or Invoke. ctx bounds Start only; Shutdown
// must be called in any case.
func Start(ctx context.Context, c Config) (*Lambda, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("configuring the function: %w", err)
	}
	for _, dir := range []*string{&c.Dir, &c.Layer} {
		if err := absolute(dir, dir == &c.Dir); err != nil {
			return nil, err
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening the Runtime API: %w", err)
	}
	l := &Lambda{
		cfg: c, addr: listener.Addr().String(), journal: newJournal(&c),
		slot: make(chan struct{}, 1), async: make(chan struct{}, maxWaiting),
	}
	if c.CPUShare {
		l.cgroup = l.limitCPU()
	}
	l.server = &http.Server{Handler: l.apis(), MaxHeaderBytes: 4 << 20, ReadHeaderTimeout: 10 * time.Second}
	l.wg.Go(func() { _ = l.server.Serve(listener) }) // ends with ErrServerClosed in Shutdown
	return l, nil
}

// absolute makes *dir an absolute path; processes run in other folders.
func absolute(dir *string, required bool) error {
	if *dir == "" && !required {
		return nil
	}
	path, err := filepath.Abs(*dir)
	if err != nil {
		return fmt.Errorf("finding %q: %w", *dir, err)
	}
	*dir = path
	return nil
}

// Addr is what AWS_LAMBDA_RUNTIME_API holds.
func (l *Lambda) Addr() string { return l.addr }

// Sandboxes counts Inits and resets.
func (l *Lambda) Sandboxes() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

func (l *Lambda) current() *sandbox {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sandbox
}

// acquire waits for the sandbox to be free.
func (l *Lambda) acquire(ctx context.Context) error {
	select {
	case l.slot <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("waiting for the sandbox: %w", ctx.Err())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		<-l.slot
		return ErrClosed
	}
	return nil
}

// Init brings the sandbox up before the first invocation, as provisioned
// concurrency does. An error is not final: the next invocation tries again.
func (l *Lambda) Init(ctx context.Context) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer func() { <-l.slot }()
	if l.current() != nil {
		return nil
	}
	if _, err := l.coldStart(ctx); err != nil {
		return fmt.Errorf("initializing the function: %w", err)
	}
	l.freeze(l.current())
	return nil
}

// coldStart makes a sandbox in the Init phase. On a failure it is gone again.
func (l *Lambda) coldStart(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	s := l.newSandbox("init")
	l.mu.Lock()
	l.tried = true
	l.mu.Unlock()
	err := s.init(ctx, l.cfg.InitTimeout)
	if err != nil {
		l.reset(s, err)
	}
	return time.Since(began), err
}

func (l *Lambda) newSandbox(phase string) *sandbox {
	s := newSandbox(l, phase)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sandbox = s
	l.stats.Inits++
	return s
}

// reset ends s because of err. /tmp is kept, as it is nobody's here.
func (l *Lambda) reset(s *sandbox, err error) {
	l.mu.Lock()
	l.stats.Resets++
	l.mu.Unlock()
	reason := reasonFailure
	if status, _ := outcome(err, 0); status == statusTimeout {
		reason = reasonTimeout
	}
	s.stop(reason)
	l.forget(s)
}

func (l *Lambda) freeze(s *sandbox) {
	if l.cfg.NoFreeze || l.cfg.managed() {
		return
	}
	s.freeze()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Freezes++
}

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

// Shutdown waits for what runs, ends the sandbox with SHUTDOWN and closes the
// APIs. When ctx is done first, everything is killed. Invocations that still
// wait for the sandbox get ErrClosed. A second call does nothing.
func (l *Lambda) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if again {
		return nil
	}
	err := l.end(ctx)
	if e := l.server.Close(); err == nil {
		err = e
	}
	l.wg.Wait()
	l.cgroup.remove()
	return err
}

// end stops the sandbox when nothing uses it any more.
func (l *Lambda) end(ctx context.Context) error {
	select {
	case l.slot <- struct{}{}:
		defer func() { <-l.slot }()
	case <-ctx.Done():
		if s := l.current(); s != nil {
			s.kill() // whoever uses it sees that and cleans up
		}
		return fmt.Errorf("waiting for the last invocation: %w", ctx.Err())
	}
	s := l.current()
	if s == nil {
		return nil
	}
	err := s.awaitAnyway(ctx, func() bool { return len(s.open) == 0 })
	if err != nil {
		s.fail(&fault{kind: "Sandbox.Failure", message: "the emulator was shut down"})
	}
	s.stop(reasonSpindown)
	l.forget(s)
	return err
}

// forget makes the next invocation start anew.
func (l *Lambda) forget(s *sandbox) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sandbox == s {
		l.sandbox = nil
	}
}
