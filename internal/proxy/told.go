package proxy

import (
	"slices"
	"sync"
)

// maxToldHosts bounds what told remembers.
const maxToldHosts = 64

// told remembers what was reported, so that a client that asks five times for a host
// makes one record of it. It is safe for concurrent use.
type told struct {
	mu   sync.Mutex
	keys [maxToldHosts]string
	at   int // where the next one goes
}

// first reports whether key is new, and remembers it.
func (t *told) first(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.Contains(t.keys[:], key) {
		return false
	}
	t.keys[t.at%maxToldHosts] = key
	t.at++
	return true
}
