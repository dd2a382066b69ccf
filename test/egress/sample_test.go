package egress_test

import (
	"os"
	"slices"
	"strconv"
	"testing"

	"gatehouse/test/egress/corpus"
)

const (
	// sampleSeed and sampleSize are of the thefts that are drawn each time. Others are
	// tried with CORPUS_SEED and CORPUS_SIZE in the environment.
	sampleSeed = 1
	sampleSize = 150
)

// TestSample runs thefts that nobody wrote down, without the layer and behind it.
func TestSample(t *testing.T) {
	seed, size := number(t, "CORPUS_SEED", sampleSeed), number(t, "CORPUS_SIZE", sampleSize)
	for _, kind := range []struct {
		name   string
		nested bool
		floor  int // how many of a hundred have to be stopped
	}{{"one encoding", false, 92}, {"one in the other", true, 57}} {
		t.Run(kind.name, func(t *testing.T) {
			t.Logf("seed %d", seed)
			rows := corpus.Sample(uint64(seed), size, kind.nested)
			fail := withoutLayer(t, rows)
			if len(fail)*20 > len(rows) {
				t.Fatalf("%d of %d rows do not arrive whole: %q", len(fail), len(rows), fail)
			}
			rows = slices.DeleteFunc(rows, func(r corpus.Row) bool { return slices.Contains(fail, r.Name) })
			as := 0
			results := behindLayer(t, rows)
			for i := range results {
				if r := &results[i]; r.stopped() {
					as++
				} else {
					t.Logf("leaks: %v", r)
				}
			}
			t.Logf("%d of %d rows stopped", as, len(rows))
			if as*100 < len(rows)*kind.floor {
				t.Errorf("%d of %d stopped, want %d %%", as, len(rows), kind.floor)
			}
		})
	}
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text, set := os.LookupEnv(name)
	if !set {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q: want a number", name, text)
	}
	return n
}
