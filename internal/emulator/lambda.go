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
	if l.closed { // Init fails at its first wait
		s.fault = shutDown()
	}
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
			s.kill()
		}
		return fmt.Errorf("waiting for the last invocation: %w", ctx.Err())
	}
	s := l.current()
	if s == nil {
		return nil
	}
	err := s.awaitAnyway(ctx, func() bool { return len(s.open) == 0 })
	if err != nil {
		s.fail(shutDown())
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
