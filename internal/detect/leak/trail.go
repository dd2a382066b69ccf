package leak

import (
	"hash/maphash"
	"sync"
)

const (
	// maxTrails is of how many places a Trail remembers what went out there; the one
	// that was used least recently is forgotten.
	maxTrails = 1024
	// maxPiece is the longest value that may continue what went before it, in bytes. A
	// longer one holds enough of a secret to be found by itself.
	maxPiece = 64
	// maxTrail is how much is remembered of each place, in bytes.
	maxTrail = 64
	// smallPiece is how long a value is that may well be the same once more, in bytes, and
	// maxSame how often: after that it is one that never changes.
	smallPiece, maxSame = 4, 2
)

// Trail remembers the last short values that left through each place, so that a secret
// in pieces that are too short to be told one's, one in each request, is read in one. It
// holds what was sent, at most 64 KiB. The zero Trail is empty. It is safe for
// concurrent use.
type Trail struct {
	mu     sync.Mutex
	seed   maphash.Seed
	places map[uint64]*trail
	clock  uint64
}

type trail struct {
	text []byte
	last int // length of the value at the end of text
	same int // how often that came once more
	used uint64
}

// Follow notes that value leaves for host through place, and returns what went there
// before with value behind it; nil where nothing did, where value is too long to be a
// piece, or where it is the same as ever. The hosts below one domain are one.
func (t *Trail) Follow(host, place, value string) []byte {
	if value == "" || len(value) > maxPiece {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.places == nil {
		t.seed, t.places = maphash.MakeSeed(), map[uint64]*trail{}
	}
	key := t.key(host, place)
	p := t.places[key]
	if p == nil {
		t.makeRoom()
		p = new(trail)
		t.places[key] = p
	}
	t.clock++
	p.used = t.clock
	if string(p.text[len(p.text)-p.last:]) != value {
		p.same = 0
	} else if p.same++; len(value) > smallPiece || p.same > maxSame {
		return nil
	}
	alone := len(p.text) == 0
	p.text = append(p.text, value...)
	p.text = append(p.text[:0], p.text[max(0, len(p.text)-maxTrail):]...)
	p.last = len(value)
	if alone || len(p.text) < gram {
		return nil
	}
	return append([]byte(nil), p.text...)
}

// Trim forgets what went to host through place but for an end of it that is quiet: what has
// been found there must not be found again in whatever follows, but its rest must.
func (t *Trail) Trim(host, place string, quiet func([]byte) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.places == nil {
		return
	}
	p := t.places[t.key(host, place)]
	if p == nil {
		return
	}
	for len(p.text) > 0 && !quiet(p.text) {
		p.text = p.text[1:]
	}
	p.last = min(p.last, len(p.text))
}

func (t *Trail) key(host, place string) uint64 {
	return maphash.String(t.seed, siteOf(host)+"\x00"+place)
}

// Places returns how many places t remembers.
func (t *Trail) Places() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.places)
}

// makeRoom forgets the quarter that was used least recently, once there is no room.
func (t *Trail) makeRoom() {
	if len(t.places) < maxTrails {
		return
	}
	for key, p := range t.places {
		if p.used+maxTrails*3/4 < t.clock {
			delete(t.places, key)
		}
	}
	for key := range t.places { // all were used since: any
		if len(t.places) < maxTrails {
			return
		}
		delete(t.places, key)
	}
}
