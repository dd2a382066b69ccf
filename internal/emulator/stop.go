package emulator

import (
	"syscall"
	"time"
)

// Why a sandbox ends, as the SHUTDOWN event words it.
const (
	reasonSpindown = "SPINDOWN"
	reasonTimeout  = "TIMEOUT"
	reasonFailure  = "FAILURE"
)

// How long the end may take: nothing without extensions, less when all of them
// live inside the runtime. The runtime gets 30 % of it to obey SIGTERM.
const (
	stopExternal = 2 * time.Second
	stopInternal = 500 * time.Millisecond
	runtimeShare = 0.3
)

// stop ends the sandbox in Lambda's order: SIGTERM to the runtime, the SHUTDOWN
// event to the extensions that want it, SIGKILL to whatever is left. When it
// returns no process of the sandbox is alive.
func (s *sandbox) stop(reason string) {
	s.change(func() { s.stopping = true })
	s.thaw()
	s.hub.flush()
	limit := s.stopLimit()
	deadline := time.Now().Add(limit)
	if limit > 0 {
		s.stopRuntime(time.Now().Add(time.Duration(float64(limit) * runtimeShare)))
		s.stopExtensions(reason, deadline)
	}
	for _, p := range s.processes() {
		p.signal(syscall.SIGKILL)
	}
	for _, p := range s.processes() {
		<-p.exited // SIGKILL leaves it no choice
	}
	s.hub.stop()
}

func (s *sandbox) stopLimit() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var limit time.Duration
	for _, e := range s.extensions {
		if !e.internal {
			return s.cfg.StopTimeout
		}
		limit = min(stopInternal, s.cfg.StopTimeout)
	}
	return limit
}

func (s *sandbox) stopRuntime(deadline time.Time) {
	s.mu.Lock()
	p := s.runtime
	s.mu.Unlock()
	if p == nil {
		return
	}
	p.signal(syscall.SIGTERM)
	p.wait(deadline)
	p.signal(syscall.SIGKILL)
}

func (s *sandbox) stopExtensions(reason string, deadline time.Time) {
	var told []*process
	s.change(func() {
		for _, e := range s.extensions {
			if e.process == nil {
				continue
			}
			e.next = nil
			e.offer(eventShutdown, &extensionEvent{
				EventType: eventShutdown, DeadlineMs: deadline.UnixMilli(), ShutdownReason: reason,
			})
			if e.next == nil {
				e.process.signal(syscall.SIGKILL)
				continue
			}
			told = append(told, e.process)
		}
	})
	for _, p := range told {
		p.wait(deadline)
	}
}

// wait returns when p has exited or at the deadline.
func (p *process) wait(deadline time.Time) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
	}
}

// kill ends the sandbox at once; those who use it see that and clean up.
func (s *sandbox) kill() {
	s.fail(shutDown())
	for _, p := range s.processes() {
		p.signal(syscall.SIGKILL)
	}
}

// shutDown is the fault of a sandbox that nobody is to use any more.
func shutDown() *fault {
	return &fault{kind: "Sandbox.Failure", message: ErrClosed.Error()}
}
