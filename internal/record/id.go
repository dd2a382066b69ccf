package record

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"
)

// NewID makes a record's id: a ULID, 26 characters that sort by time, of 48 bits
// of milliseconds and 80 random ones (https://github.com/ulid/spec). The random
// ones come from the kernel, because sandboxes restored from one snapshot share
// every generator that lives in memory; ids of the same millisecond count on from the
// first, as the specification says, so that they sort as they were made.
//
// It is written here because the library for it seeds a generator of its own when
// the process starts, and links database/sql: 50 µs of every cold start.
func NewID() string { return encodeID(ids.next(uint64(time.Now().UnixMilli()))) }

var ids monotonic

// monotonic makes the 128 bits of ids.
type monotonic struct {
	mu   sync.Mutex
	last [16]byte
}

func (m *monotonic) next(ms uint64) [16]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if binary.BigEndian.Uint64(m.last[:8])>>16 == ms {
		// 64 of the 80 bits count: that they come round in a millisecond takes 2^64 ids, and
		// where they do, the next one is as random as the first.
		if low := binary.BigEndian.Uint64(m.last[8:]) + 1; low != 0 {
			binary.BigEndian.PutUint64(m.last[8:], low)
			return m.last
		}
	}
	binary.BigEndian.PutUint64(m.last[:8], ms<<16)
	_, _ = rand.Read(m.last[6:]) // never fails: crypto/rand ends the process instead
	return m.last
}

// crockford is the alphabet of ULIDs: no I, L, O or U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// encodeID writes the 128 bits of id as 26 characters of five bits each, of which
// the first two bits are zero.
func encodeID(id [16]byte) string {
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	var text [26]byte
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = crockford[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
	return string(text[:])
}
