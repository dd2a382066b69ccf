package leak

import "sync/atomic"

// Memory is what the decompressors of all streams may take, in bytes. The zero
// value has none. It is safe for concurrent use.
type Memory struct {
	// Limit is how much there is.
	Limit int64

	used atomic.Int64
}

// Used returns how much is taken, in bytes.
func (m *Memory) Used() int64 { return m.used.Load() }

// lease is what one stream has of a Memory.
type lease struct {
	memory *Memory
	n      atomic.Int64
}

// take adds n to the lease unless that is more than there is.
func (l *lease) take(n int) bool {
	if l.memory.used.Add(int64(n)) > l.memory.Limit {
		l.memory.used.Add(-int64(n))
		return false
	}
	l.n.Add(int64(n))
	return true
}

// free gives all of it back. It may be called more than once, and on nil.
func (l *lease) free() {
	if l != nil {
		l.memory.used.Add(-l.n.Swap(0))
	}
}
