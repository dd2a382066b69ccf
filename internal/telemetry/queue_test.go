package telemetry

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestQueue holds that a queue gives items back in their order, whatever comes between.
func TestQueue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var q queue
	var want []uint64
	next := uint64(0)
	for range 20_000 {
		switch random.IntN(4) {
		case 0, 1:
			for range random.IntN(40) {
				next++
				q.push(Item{order: next})
				want = append(want, next)
			}
		case 2:
			for range min(random.IntN(50), len(want)) {
				if it := q.pop(); it.order != want[0] {
					t.Fatalf("item %d, want %d", it.order, want[0])
				}
				want = want[1:]
			}
			q.trim()
		case 3: // a batch that was not taken
			var batch []Item
			for range min(random.IntN(50), len(want)) {
				batch = append(batch, q.pop())
			}
			q.unpop(batch)
		}
		if q.len() != len(want) || q.bytes != len(want)*itemSize {
			t.Fatalf("%d items of %d bytes, want %d", q.len(), q.bytes, len(want))
		}
	}
	if slices.ContainsFunc(q.ring[:len(q.ring)/2], func(it Item) bool { return it.order > 0 && !slices.Contains(want, it.order) }) {
		t.Error("a ring holds on to what is gone")
	}
}
