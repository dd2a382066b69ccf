package receiver

import (
	"encoding/binary"
	"hash/maphash"
)

// window is how many events are remembered: several batches.
const window = 4096

// seen remembers the last events by a hash of 64 bits, seeded so that nobody can
// make two that collide. The Receiver's lock guards it.
type seen struct {
	seed  maphash.Seed
	ring  []uint64
	next  int
	known map[uint64]struct{}
}

// nth is the hash of the nth of its like in a batch, from 1.
func nth(h uint64, n int) uint64 {
	h += uint64(n) * 0x9e3779b97f4a7c15 // odd: each n has another
	return h
}

// hash returns the hash of e's time, type and record.
func (s *seen) hash(e event) uint64 {
	if s.known == nil {
		s.seed, s.known = maphash.MakeSeed(), make(map[uint64]struct{})
	}
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, part := range [][]byte{e.Time, e.Type, e.Record} {
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
		// A maphash.Hash takes everything.
		_, _ = h.Write(size[:])
		_, _ = h.Write(part)
	}
	return h.Sum64()
}

// add remembers h and reports whether it is new.
func (s *seen) add(h uint64) bool {
	if _, ok := s.known[h]; ok {
		return false
	}
	if len(s.ring) < window {
		s.ring = append(s.ring, h)
	} else {
		delete(s.known, s.ring[s.next])
		s.ring[s.next] = h
		s.next = (s.next + 1) % window
	}
	s.known[h] = struct{}{}
	return true
}
