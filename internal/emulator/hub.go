package emulator

import (
	"context"
	"slices"
	"sync"
)

// maxEarly bounds the events that wait for the first subscription.
const maxEarly = 10000

// hub hands the events of one sandbox to its subscribers. Until no further
// subscription is possible it keeps what has happened, for those to come.
type hub struct {
	mu          sync.Mutex
	early       []event
	closed      bool
	subscribers []*subscriber
}

func (h *hub) publish(e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed && len(h.early) < maxEarly {
		h.early = append(h.early, e)
	}
	for _, s := range h.subscribers {
		s.add(e)
	}
}

// subscribe starts s with everything that has happened so far, in the place of
// an earlier subscription by the same extension. It reports false when the
// time for it is over.
func (h *hub) subscribe(s *subscriber) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.subscribers = slices.DeleteFunc(h.subscribers, func(old *subscriber) bool {
		if old.name == s.name {
			old.stop()
			return true
		}
		return false
	})
	for _, e := range h.early {
		s.add(e)
	}
	h.subscribers = append(h.subscribers, s)
	return true
}

// close ends the time for subscriptions.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed, h.early = true, nil
}

// flush asks every subscriber to send what it has, without waiting.
func (h *hub) flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subscribers {
		s.flush()
	}
}

// stop ends all subscribers; what they could not send is lost.
func (h *hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subscribers {
		s.stop()
	}
}

// gate holds back everything that leaves the sandbox while it is frozen.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed while the gate is open
}

func newGate() *gate {
	g := &gate{opened: make(chan struct{})}
	close(g.opened)
	return g
}

// set opens or shuts the gate.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	isOpen := g.isOpen()
	if open && !isOpen {
		close(g.opened)
	}
	if !open && isOpen {
		g.opened = make(chan struct{})
	}
}

// isOpen is called with mu held.
func (g *gate) isOpen() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}

// pass waits until the gate is open, or reports false when ctx is done.
func (g *gate) pass(ctx context.Context) bool {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	select {
	case <-opened:
		return true
	case <-ctx.Done():
		return false
	}
}
