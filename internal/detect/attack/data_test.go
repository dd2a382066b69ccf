package attack_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
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

// TestData measures recall and false positives, and holds both to floors. Classes
// without a floor are printed for the record.
func TestData(t *testing.T) {
	always := func(got float64) bool { return true }
	atLeast := func(want float64) func(float64) bool { return func(got float64) bool { return got >= want } }
	atMost := func(want float64) func(float64) bool { return func(got float64) bool { return got <= want } }
	tests := []struct {
		set, class string
		ok         func(percent float64) bool
	}{
		{"sqlmap", "", atLeast(97)},
		{"httpparams", "benign", atMost(0)},
		{"httpparams", "sqli", always},
		{"httpparams", "xss", always},
		{"libinjection", "", always},
		{"libinjection-fp", "", always},
		{"commit-messages", "", atMost(0.2)},
		{"fortunes", "", atMost(0.1)},
		{"aws-events", "", atMost(0)},
		{"payloadbox", "", always},
		{"payloadsallthethings", "", always},
		{"grananqvist", "", always},
	}
	measured := make(map[string]map[string]share)
	for _, tt := range tests {
		t.Run(tt.set+"/"+tt.class, func(t *testing.T) {
			if measured[tt.set] == nil {
				measured[tt.set] = measure(t, tt.set)
			}
			got := measured[tt.set][tt.class]
			t.Logf("%s %q: %d of %d, %.2f %%", tt.set, tt.class, got.flagged, got.all, got.percent())
			if !tt.ok(got.percent()) {
				t.Errorf("%s %q: %.2f %% flagged", tt.set, tt.class, got.percent())
			}
		})
	}
}

// measure inspects a data set and returns the share of each class, and of all
// under "". GATEHOUSE_MISSES in the test's flags is no such thing: -v prints them.
func measure(t *testing.T, set string) map[string]share {
	var e attack.Engine
	var result detect.Result
	shares := make(map[string]share)
	rows(t, set, func(r *row) {
		event := r.event(t)
		result.Reset()
		e.Inspect(event, e.Source(event), &result, nil)
		for _, class := range []string{"", r.Cat} {
			s := shares[class]
			s.all++
			if len(result.Findings) > 0 {
				s.flagged++
			}
			shares[class] = s
		}
	})
	var classes []string
	for c := range shares {
		classes = append(classes, c)
	}
	sort.Strings(classes)
	for _, c := range classes {
		t.Logf("%-24s %-28s %6d of %6d  %6.2f %%", set, c, shares[c].flagged, shares[c].all, shares[c].percent())
	}
	return shares
}
