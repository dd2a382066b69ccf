package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestKinds(t *testing.T) {
	seen := make(map[string]bool)
	for _, k := range kinds() {
		e := k.event(small)
		if !json.Valid(e) && !strings.HasPrefix(k.name, "nested ") { // too deep for the standard library
			t.Errorf("%s is no JSON: %.80q", k.name, e)
		}
		if len(e) < small/2 || len(e) > 2*small {
			t.Errorf("%s has %d bytes, want about %d", k.name, len(e), small)
		}
		if seen[k.name] {
			t.Errorf("%s is there twice", k.name)
		}
		seen[k.name] = true
	}
}

// budgetFactor is how much work a byte may cost before a large event exhausts the
// budget.
const budgetFactor = 16

// The work that the engine counts for each byte does not grow with the event, and
// what is harmless neither exhausts the budget nor may be refused.
func TestWorkGrowsWithSize(t *testing.T) {
	for _, k := range kinds() {
		one, many := 0.0, work(t, k, 128<<10)
		for off := range 4 { // three of four lengths are no base64
			one = max(one, work(t, k, 16<<10+off))
		}
		if many > wantGrowth*one || !k.hostile && many >= budgetFactor {
			t.Errorf("%s: work for a byte %.1f at 16 KB, %.1f at 128 KB", k.name, one, many)
		}
	}
}

// work is what a byte of k costs by the engine's own count.
func work(t *testing.T, k kind, size int) float64 {
	t.Helper()
	var p probe
	p.inspect(k.event(size))
	for i := range p.result.Findings {
		if f := &p.result.Findings[i]; !k.hostile && !f.Weak {
			t.Errorf("%s is harmless and flagged: %+v", k.name, *f)
		}
	}
	return float64(p.result.Work) / float64(size)
}

func TestInitTime(t *testing.T) {
	trace := `init internal/bytealg @0.008 ms, 0 ms clock, 0 bytes, 0 allocs
init runtime @0.05 ms, 0.03 ms clock, 0 bytes, 0 allocs
init example.test/a @0.4 ms, 0.25 ms clock, 24 bytes, 1 allocs
init example.test/b @0.7 ms, 0.5 ms clock, 24 bytes, 1 allocs
`
	total, packages := initTime(trace, map[string]bool{"runtime": true, "example.test/b": true})
	if total != 0.25 || len(packages) != 4 || !packages["example.test/a"] {
		t.Errorf("initTime = %v, %v", total, packages)
	}
}

func TestAllocations(t *testing.T) {
	var kept []byte
	if got := allocations(100, func() { kept = make([]byte, 1<<10) }); got != 1 {
		t.Errorf("%v allocations, want 1, of %d bytes", got, len(kept))
	}
}

func TestSpent(t *testing.T) {
	work := 0
	once := spent(1, func() {
		for i := range 100_000 {
			work += i & 3
		}
	})
	if once <= 0 {
		t.Errorf("spent %v on %d", once, work)
	}
}
