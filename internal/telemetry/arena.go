package telemetry

import (
	"sync"

	"gatehouse/internal/record"
)

const (
	// arenaBytes is how much is allocated at once for encoded lines, and arenaRoom what one
	// line usually takes beside its text.
	arenaBytes = 16 << 10
	arenaRoom  = 1 << 10
)

// arena is room for encoded lines, which are many, short, and forgotten in the order in
// which they were made.
type arena struct {
	mu    sync.Mutex
	free  []byte
	lines record.Lines
}

// encode is r.Encode.
func (a *arena) encode(r *record.Record) ([]byte, error) {
	need := arenaRoom + len(r.Message) + len(r.MessageJSON) + len(r.Platform)
	if need > arenaBytes/4 {
		return r.Encode()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if cap(a.free) < need {
		a.free = make([]byte, 0, arenaBytes)
	}
	out, ok := a.lines.Append(a.free, r)
	if !ok {
		return r.Encode()
	}
	if cap(out) == cap(a.free) { // else it got room of its own
		a.free = out[len(out):]
	}
	return out[:len(out):len(out)], nil
}
