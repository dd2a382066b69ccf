package main

import (
	"slices"
	"sync"
)

// endings knows which invocations are over. The relay and the telemetry receiver
// tell it, in any order and more than once; the event loop waits on it.
type endings struct {
	mu      sync.Mutex
	ids     [64]string // the last ones
	next    int
	changed chan struct{} // closed and replaced at every ending
}

// end notes that an invocation is over. It never blocks.
func (e *endings) end(requestID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Contains(e.ids[:], requestID) {
		return
	}
	e.ids[e.next%len(e.ids)] = requestID
	e.next++
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

// over reports whether the invocation is over; if not, the channel is closed at
// the next ending, whosever it is.
func (e *endings) over(requestID string) (bool, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Contains(e.ids[:], requestID) {
		return true, nil
	}
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return false, e.changed
}
