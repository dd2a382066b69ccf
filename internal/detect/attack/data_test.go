package attack_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	Y     int             `json:"y"`
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

// floor is a line of testdata/floors.txt, which says what the words mean.
type floor struct {
	state, profile, set, class string
	wrong                      float64
	percent                    bool
}

func floors(t *testing.T) []floor {
	t.Helper()
	var all []floor
	for _, line := range lines(t, "floors.txt") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		w := strings.Fields(line)
		if len(w) != 5 || w[0] != "holds" && w[0] != "pending" || profiles[w[1]] == nil {
			t.Fatalf("floors.txt: %q: want holds or pending, profile, set, class, wrong", line)
		}
		number, percent := strings.CutSuffix(w[4], "%")
		wrong, err := strconv.ParseFloat(number, 64)
		if err != nil {
			t.Fatalf("floors.txt: %q: %v", line, err)
		}
		all = append(all, floor{w[0], w[1], w[2], w[3], wrong, percent})
	}
	return all
}

// atMost is how many of n rows may be judged wrongly.
func (f *floor) atMost(n int) int {
	if f.percent {
		return int(float64(n)*f.wrong/100 + 1e-9)
	}
	return int(f.wrong)
}

// profile is a way to run the engine, and what then counts as flagged.
type profile struct {
	rules   attack.Profile
	flagged func(*detect.Result) bool
}

var profiles = map[string]*profile{
	"block": {attack.Block, func(r *detect.Result) bool {
		return slices.ContainsFunc(r.Findings, func(f detect.Finding) bool { return !f.Weak })
	}},
	"detect": {attack.Detect, func(r *detect.Result) bool { return len(r.Findings) > 0 }},
}

// judged is what was said of every row of a class, in their order.
type judged struct {
	attack  bool
	flagged map[string][]bool // by profile
}

// TestData measures what is missed and what is flagged wrongly, and holds both to
// testdata/floors.txt.
func TestData(t *testing.T) {
	sets := make(map[string][]floor)
	for _, f := range floors(t) {
		sets[f.set] = append(sets[f.set], f)
	}
	for _, set := range slices.Sorted(maps.Keys(sets)) {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			classes := judgeSet(t, set, sets[set])
			for _, f := range sets[set] {
				f.check(t, classes)
			}
		})
	}
}

// check holds a class to f; what is pending must not be reached.
func (f *floor) check(t *testing.T, classes map[string]*judged) {
	t.Helper()
	c := classes[f.class]
	if c == nil {
		t.Fatalf("no class %q in the data", f.class)
	}
	flagged := c.flagged[f.profile]
	wrong := 0
	for _, is := range flagged {
		if is != c.attack {
			wrong++
		}
	}
	most := f.atMost(len(flagged))
	t.Logf("%-7s %-6s %-30s %5d of %5d wrong, may be %d", f.state, f.profile, f.class, wrong, len(flagged), most)
	switch {
	case f.state == "holds" && wrong > most:
		t.Errorf("%s: %s: %d of %d wrong, may be %d", f.profile, f.class, wrong, len(flagged), most)
	case f.state == "pending" && wrong <= most:
		t.Errorf("%s: %s: %d of %d wrong, may be %d: reached, so make it \"holds\" in floors.txt", f.profile, f.class, wrong, len(flagged), most)
	}
}

// battery is how many of sqlmap's plain rows stand for one run of it.
const battery = 1300

// judgeSet inspects a data set in the profiles of its floors.
func judgeSet(t *testing.T, set string, floors []floor) map[string]*judged {
	t.Helper()
	engines := make(map[string]*attack.Engine)
	for _, f := range floors {
		if engines[f.profile] == nil {
			engines[f.profile] = &attack.Engine{Profile: profiles[f.profile].rules}
		}
	}
	var result detect.Result
	classes := make(map[string]*judged)
	rows(t, set, func(r *row) {
		event, class := r.event(t), cmp.Or(r.Cat, "events")
		if classes[class] == nil {
			classes[class] = &judged{attack: r.Y == 1, flagged: make(map[string][]bool)}
		}
		for name, e := range engines {
			result.Reset()
			e.Inspect(event, e.Source(event), &result, nil)
			classes[class].flagged[name] = append(classes[class].flagged[name], profiles[name].flagged(&result))
		}
	})
	if plain := classes["sqli"]; set == "sqlmap" && plain != nil {
		classes["battery"] = plain.evenly(battery)
	}
	return classes
}

// evenly takes n rows at equal distances.
func (c *judged) evenly(n int) *judged {
	some := &judged{attack: c.attack, flagged: make(map[string][]bool)}
	for profile, all := range c.flagged {
		for i := range min(n, len(all)) {
			some.flagged[profile] = append(some.flagged[profile], all[i*len(all)/n])
		}
	}
	return some
}
