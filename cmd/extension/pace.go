package main

import "time"

// flushMode says when records go that may wait: all but findings and health, which
// never do.
type flushMode int

const (
	flushAdaptive flushMode = iota // as flushEnd, and where invocations are many as flushPeriodic, each second
	flushEnd                       // at the end of each invocation
	flushPeriodic                  // every ten seconds
	flushShutdown                  // at the end of the sandbox, or half a memory full
)

const (
	// Invocations are many where so many of them take less time than this.
	manyInvocations = 10
	manyTime        = 10 * time.Second

	adaptiveAge = time.Second
	periodicAge = 10 * time.Second
)

// urgentBytes is how much may wait at all: more is sent while the function runs.
func (m flushMode) urgentBytes(managed bool) int {
	switch {
	case m == flushShutdown:
		return 4 << 20
	case managed:
		return 256 << 10
	}
	return 1 << 20
}

// pace decides at the end of an invocation whether what may wait goes now. There is
// no timer behind it, since the sandbox freezes: what waits then goes with a later
// invocation, or at SHUTDOWN. It is the event loop's own.
type pace struct {
	mode flushMode
	last time.Time                  // of the last flush of everything
	ends [manyInvocations]time.Time // of the last invocations, a ring
	n    int
	busy bool // invocations are many
}

// due reports whether everything goes at the end of an invocation.
func (p *pace) due(now time.Time) bool {
	now = now.Round(0) // the other clock may stand still in a freeze
	p.busy = now.Sub(p.ends[p.n]).Abs() < manyTime
	p.ends[p.n] = now
	p.n = (p.n + 1) % len(p.ends)
	switch p.mode {
	case flushEnd:
		return true
	case flushShutdown:
		return false
	case flushPeriodic:
		return p.aged(now, periodicAge)
	}
	return !p.busy || p.aged(now, adaptiveAge)
}

// ticks reports whether everything goes at a tick of a managed instance, which has no
// invocations that we know of.
func (p *pace) ticks(now time.Time) bool {
	switch p.mode {
	case flushShutdown:
		return false
	case flushPeriodic:
		return p.aged(now.Round(0), periodicAge)
	}
	return true
}

// aged reports whether what waits may be older than age, or nobody can tell because
// the clock was set.
func (p *pace) aged(now time.Time, age time.Duration) bool {
	return now.Sub(p.last).Abs() >= age
}

// flushed notes that everything was offered.
func (p *pace) flushed(now time.Time) { p.last = now.Round(0) }
