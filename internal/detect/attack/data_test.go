package attack_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// dataDir holds the public data sets that the engine is measured on, beside the
// repository. They are read where they lie.
const dataDir = "../../../../shared/data"

// row is one line of a data set.
type row struct {
	P     string          `json:"p"`
	Cat   string          `json:"cat"`
	Src   string          `json:"src"`
	Event json.RawMessage `json:"event"`
}

// event returns what is inspected: the row's event, or its string as the one
// member of an object.
func (r *row) event(t testing.TB) []byte {
	if r.Event != nil {
		return r.Event
	}
	b, err := json.Marshal(map[string]string{"q": r.P})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rows calls f for every row of a data set, or skips the test.
func rows(t testing.TB, name string, f func(*row)) {
	t.Helper()
	file, err := os.Open(filepath.Join(dataDir, name+".jsonl.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no data set %q in %s", name, dataDir)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f(&r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// share is how much of a class was flagged, in percent.
type share struct{ flagged, all int }

func (s share) percent() float64 { return 100 * float64(s.flagged) / float64(max(s.all, 1)) }

func (s share) add(r *detect.Result) share {
	s.all++
	if len(r.Findings) > 0 {
		s.flagged++
	}
	return s
}

// TestData measures recall and false positives and holds both to limits.
func TestData(t *testing.T) {
	tests := []struct {
		set, class      string
		atLeast, atMost float64 // percent
	}{
		{set: "sqlmap", atLeast: 99.5, atMost: 100},
		{set: "httpparams", class: "sqli", atLeast: 99.5, atMost: 100},
		{set: "httpparams", class: "benign"},
		{set: "libinjection", class: "sqli", atLeast: 97, atMost: 100},
		{set: "libinjection", class: "xss", atLeast: 98, atMost: 100},
		{set: "payloadbox", class: "sqli", atLeast: 80, atMost: 100},
		{set: "payloadbox", class: "xss", atLeast: 93, atMost: 100},
		{set: "commit-messages", atMost: 0.05},
		{set: "fortunes", atMost: 0.02},
		{set: "libinjection-fp", atMost: 0.3},
		{set: "aws-events"},
	}
	measured := make(map[string]map[string]share)
	for _, tt := range tests {
		t.Run(tt.set+"/"+tt.class, func(t *testing.T) {
			if measured[tt.set] == nil {
				measured[tt.set] = measure(t, tt.set)
			}
			got := measured[tt.set][tt.class].percent()
			if got < tt.atLeast || got > tt.atMost {
				t.Errorf("%.2f %% flagged, want %.2f to %.2f", got, tt.atLeast, tt.atMost)
			}
		})
	}
}

// measure inspects a data set and returns the share of each class, and of all
// under "".
func measure(t *testing.T, set string) map[string]share {
	t.Helper()
	var e attack.Engine
	var result detect.Result
	shares := make(map[string]share)
	rows(t, set, func(r *row) {
		event := r.event(t)
		result.Reset()
		e.Inspect(event, e.Source(event), &result, nil)
		shares[""] = shares[""].add(&result)
		if r.Cat != "" {
			shares[r.Cat] = shares[r.Cat].add(&result)
		}
	})
	for _, class := range slices.Sorted(maps.Keys(shares)) {
		s := shares[class]
		t.Logf("%-16s %-28s %6d of %6d  %6.2f %%", set, class, s.flagged, s.all, s.percent())
	}
	return shares
}
