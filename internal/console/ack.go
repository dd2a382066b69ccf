package console

import "sync"

// Bounds of the acknowledgements that wait to be asked for.
const (
	maxChannels = 1024   // the one idle for longest goes
	maxPending  = 10_000 // ids per channel
)

// acks remembers, per channel, which requests may be acknowledged. A request is
// stored before it is answered, so every id is true until it was asked for once.
type acks struct {
	mu       sync.Mutex
	channels map[string]*channel
	clock    uint64
}

type channel struct {
	next    uint64
	pending map[uint64]struct{}
	used    uint64 // acks.clock at the last use
}

// full reports whether name takes no more requests before it asked for its ids.
func (a *acks) full(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.channel(name).pending) >= maxPending
}

// issue returns the next id of a channel, from 0.
func (a *acks) issue(name string) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.channel(name)
	id := c.next
	c.next++
	c.pending[id] = struct{}{}
	return id
}

// take says which ids are acknowledged and forgets them.
func (a *acks) take(name string, ids []uint64) map[uint64]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.channel(name)
	answer := make(map[uint64]bool, len(ids))
	for _, id := range ids {
		_, ok := c.pending[id]
		answer[id] = answer[id] || ok // an id asked for twice in one request
		delete(c.pending, id)
	}
	return answer
}

// channel returns the channel called name, which it makes when new.
func (a *acks) channel(name string) *channel {
	if a.channels == nil {
		a.channels = map[string]*channel{}
	}
	a.clock++
	c := a.channels[name]
	if c == nil {
		a.evict()
		c = &channel{pending: map[uint64]struct{}{}}
		a.channels[name] = c
	}
	c.used = a.clock
	return c
}

func (a *acks) evict() {
	if len(a.channels) < maxChannels {
		return
	}
	var oldest string
	for name, c := range a.channels {
		if oldest == "" || c.used < a.channels[oldest].used {
			oldest = name
		}
	}
	delete(a.channels, oldest)
}
