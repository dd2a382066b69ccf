package receiver

import "hash/maphash"

// remembered is how many events are remembered: several batches.
const remembered = 4096

// seen remembers the last events by a hash of 64 bits, seeded so that nobody can
// make two that collide. The Receiver's lock guards it.
type seen struct {
	seed  maphash.Seed
	ring  []uint64
	next  int
	known map[uint64]uint64 // the batch that it came in, by hash
}

// again reports whether e was in an earlier batch. The same line twice in one
// batch is two lines; in two batches it is one batch sent twice.
func (b *batch) again(e event) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &b.seen
	h := s.hash(e)
	first, known := s.known[h]
	if !known {
		s.add(h, b.number)
		return false
	}
	n := b.same[h]
	if n == 0 && first == b.number {
		n = 1
	}
	n++
	if b.same == nil {
		b.same = make(map[uint64]int)
	}
	b.same[h] = n
	if n == 1 {
		return true
	}
	h = nth(h, n)
	if _, known = s.known[h]; !known {
		s.add(h, b.number)
	}
	return known
}

// nth is the hash of the nth of its like in a batch, from 2.
func nth(h uint64, n int) uint64 {
	return h + uint64(n)*0x9e3779b97f4a7c15 // odd: each n has another
}

// hash returns the hash of e's time, type and record.
func (s *seen) hash(e event) uint64 {
	if s.known == nil {
		s.seed, s.known = maphash.MakeSeed(), make(map[uint64]uint64)
	}
	h := maphash.Bytes(s.seed, e.Record)
	h = h*0x9e3779b97f4a7c15 + maphash.Bytes(s.seed, e.Time) // odd: nothing is lost
	return h*0x9e3779b97f4a7c15 + maphash.Bytes(s.seed, e.Type)
}

// add remembers h, which is new.
func (s *seen) add(h, batch uint64) {
	if len(s.ring) < remembered {
		s.ring = append(s.ring, h)
	} else {
		delete(s.known, s.ring[s.next])
		s.ring[s.next] = h
		s.next = (s.next + 1) % remembered
	}
	s.known[h] = batch
}
