package leak

import (
	"hash/maphash"
	"sync"

	"gatehouse/internal/detect"
)

const (
	// maxTrails is of how many spots a Trail remembers what went out there; the one
	// that was used least recently is forgotten.
	maxTrails = 1024
	// maxPiece is the longest value that may continue what went before it, in bytes. A
	// longer one holds enough of a secret to be found by itself.
	maxPiece = 64
	// maxTrail is how much is remembered of each place, in bytes.
	maxTrail = 64
	// jointBefore is how much of what went before is looked at with what follows, in
	// bytes: eight characters with two between each and the next.
	jointBefore = 24
	// smallPiece is how long a value is that may well be the same once more, in bytes, and
	// maxSame how often: after that it is one that never changes.
	smallPiece, maxSame = 4, 2
)

// Trail remembers the last short values that left at each spot, so that a secret in
// pieces that are too short to be told one's, one in each request, is read in one. It
// holds what was sent, at most 64 KiB. The zero Trail is empty. It is safe for
// concurrent use.
type Trail struct {
	mu    sync.Mutex
	seed  maphash.Seed
	spots map[uint64]*trail // by the hash of a site and a spot
	clock uint64
}

type trail struct {
	text []byte
	last int // length of the value at the end of text
	same int // how often that came once more
	used uint64
}

// Follow notes that value leaves for host at a spot, and returns what went there before
// with value behind it; nil where nothing did, where value is too long to be a piece, or
// where touches reports that there is nothing round where value begins. The hosts below
// one domain are one.
func (t *Trail) Follow(host string, at detect.Spot, value string, touches func([]byte) bool) []byte {
	if value == "" || len(value) > maxPiece {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.at(t.key(host, at))
	before := len(p.text)
	if string(p.text[before-p.last:]) != value {
		p.same = 0
	} else if p.same++; len(value) > smallPiece || p.same > maxSame {
		return nil
	}
	p.text = append(p.text, value...)
	p.last = len(value)
	joint := p.text[max(0, before-jointBefore):min(len(p.text), before+gram)]
	found := before > 0 && len(joint) >= gram && touches(joint)
	p.text = append(p.text[:0], p.text[max(0, len(p.text)-maxTrail):]...)
	if !found {
		return nil
	}
	return append([]byte(nil), p.text...)
}

// at returns what went out at the spot that key stands for.
func (t *Trail) at(key uint64) *trail {
	p := t.spots[key]
	if p == nil {
		t.makeRoom()
		p = new(trail)
		t.spots[key] = p
	}
	t.clock++
	p.used = t.clock
	return p
}

func (t *Trail) key(host string, at detect.Spot) uint64 {
	if t.spots == nil {
		t.seed, t.spots = maphash.MakeSeed(), map[uint64]*trail{}
	}
	var h maphash.Hash
	h.SetSeed(t.seed)
	_, _ = h.WriteString(siteOf(host)) // a hash takes everything
	_ = h.WriteByte(0)
	_, _ = h.WriteString(at.Kind)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(at.Name)
	key := h.Sum64() ^ uint64(at.N)*0x9E3779B97F4A7C15
	if at.Undone {
		key = ^key
	}
	return key
}

// Trim forgets what went to host at a spot but for an end of it that is quiet: what has
// been found there must not be found again in whatever follows, but its rest must.
func (t *Trail) Trim(host string, at detect.Spot, quiet func([]byte) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.spots[t.key(host, at)]
	if p == nil {
		return
	}
	for len(p.text) > 0 && !quiet(p.text) {
		p.text = p.text[1:]
	}
	p.last = min(p.last, len(p.text))
}

// Spots returns how many t remembers.
func (t *Trail) Spots() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.spots)
}

// makeRoom forgets the quarter that was used least recently, once there is no room.
func (t *Trail) makeRoom() {
	if len(t.spots) < maxTrails {
		return
	}
	for key, p := range t.spots {
		if p.used+maxTrails*3/4 < t.clock {
			delete(t.spots, key)
		}
	}
	for key := range t.spots { // all were used since: any
		if len(t.spots) < maxTrails {
			return
		}
		delete(t.spots, key)
	}
}
