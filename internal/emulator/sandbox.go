package emulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"
)

// sandbox is one generation of processes: a runtime and its extensions, from
// Init until the reset or shutdown that ends them.
type sandbox struct {
	cfg     *Config
	journal *journal
	hub     *hub
	gate    *gate
	apiAddr string
	stream  string // log stream, the instance's id
	phase   string // of Init: "init", or "invoke" when it is repeated there
	cgroup  *cpuGroup

	mu                 sync.Mutex
	changed            chan struct{} // closed and replaced at every change
	extensions         []*extension
	registrationClosed bool
	runtimeUp          bool // the runtime has asked for its first event
	initError          *fault
	queue              []*invocation // to be delivered
	open               map[string]*invocation
	late               []string // timed out on a managed instance, newest last
	fault              *fault   // the first; the sandbox is unusable from then on
	stopping           bool     // exits are expected
	runtime            *process
}

func newSandbox(l *Lambda, phase string) *sandbox {
	s := &sandbox{
		cfg: &l.cfg, journal: l.journal, hub: &hub{}, gate: newGate(), apiAddr: l.addr, phase: phase,
		stream:  fmt.Sprintf("%s/[%s]%x", time.Now().UTC().Format("2006/01/02"), version, randomBytes(16)),
		changed: make(chan struct{}), open: map[string]*invocation{}, cgroup: l.cgroup,
	}
	s.journal.publishTo(s.hub)
	return s
}

// change runs f with the lock held and wakes everybody who awaits something.
func (s *sandbox) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.notify()
}

// notify is called with mu held.
func (s *sandbox) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await returns nil as soon as ok holds, else the sandbox's fault or the
// context's error. ok is called with the lock held.
func (s *sandbox) await(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		done, broken, changed := ok(), s.fault, s.changed
		s.mu.Unlock()
		if done {
			return nil
		}
		if broken != nil {
			return broken
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fail makes f the sandbox's fault, unless there is one or it is being
// stopped, when processes may go as they like.
func (s *sandbox) fail(f *fault) {
	s.change(func() {
		if s.fault == nil && !s.stopping {
			s.fault = f
		}
	})
}

// runtimeExited is called when the runtime's process is gone.
func (s *sandbox) runtimeExited(status string) {
	f := &fault{kind: "Runtime.ExitError", message: "Runtime exited with error: " + status}
	if status == "exit status 0" {
		f.message = "Runtime exited without providing a reason"
	}
	s.mu.Lock()
	if s.initError != nil { // it said why before it went
		f.kind, f.body = s.initError.kind, s.initError.body
	}
	s.mu.Unlock()
	s.fail(f)
}

// extensionExited is called when an extension's process is gone.
func (s *sandbox) extensionExited(e *extension, status string) {
	f := &fault{kind: "Extension.Crash", message: status}
	if status == "exit status 0" {
		f.message = "exit code 0"
	}
	s.mu.Lock()
	if e.state == stateInitError || e.state == stateExitError {
		f.kind = "Extension." + string(e.state)
	}
	s.mu.Unlock()
	s.fail(f)
}

// processes are all that were started.
func (s *sandbox) processes() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*process
	for _, e := range s.extensions {
		if e.process != nil {
			list = append(list, e.process)
		}
	}
	if s.runtime != nil {
		list = append(list, s.runtime)
	}
	return list
}

// drain reads what the processes have printed so far.
func (s *sandbox) drain() {
	for _, p := range s.processes() {
		p.drain()
	}
}

// freeze stops time for the processes, and for what is sent to them.
func (s *sandbox) freeze() {
	s.gate.set(false)
	for _, p := range s.processes() {
		p.signal(syscall.SIGSTOP)
	}
}

// thaw undoes freeze.
func (s *sandbox) thaw() {
	for _, p := range s.processes() {
		p.signal(syscall.SIGCONT)
	}
	s.gate.set(true)
}

// subscribed are the extensions that get the given event.
func (s *sandbox) subscribed(kind string) []*extension {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.extensions), func(e *extension) bool {
		return !slices.Contains(e.events, kind)
	})
}

// asFault says what err, from await, means for an invocation or Init that had
// limit to finish.
func asFault(err error, limit time.Duration) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	return timedOut(limit)
}

// broken is why the sandbox cannot be used again, nil while it can.
func (s *sandbox) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		return nil
	}
	return s.fault
}
