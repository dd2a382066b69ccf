package attack_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// TestRuleIDsOnlyGrow holds the rules to a list that nothing is ever taken from.
// New ids go to its end.
func TestRuleIDsOnlyGrow(t *testing.T) {
	golden, got := lines(t, "rules.golden"), attack.RuleIDs()
	for _, id := range got {
		if !slices.Contains(golden, id) {
			t.Errorf("rule %q is not in testdata/rules.golden: append it", id)
		}
	}
	for _, id := range golden {
		if !slices.Contains(got, id) {
			t.Errorf("rule %q of testdata/rules.golden is gone: ids never change", id)
		}
	}
}

// TestRuleCorpora holds every rule to its corpus: "+ text" must be found, and by the
// rule if no family before it is sure; "- text" must not be found at all by what may
// refuse, nor by the rule.
// "+q" and "-q" precede a quoted string of Go, for what fits on no line.
func TestRuleCorpora(t *testing.T) {
	for _, id := range attack.RuleIDs() {
		t.Run(id, func(t *testing.T) {
			var hits, passes int
			for _, line := range lines(t, id+".txt") {
				kind, text, ok := strings.Cut(line, " ")
				if strings.HasSuffix(kind, "q") {
					var err error
					if text, err = strconv.Unquote(text); err != nil {
						t.Fatalf("line %q: %v", line, err)
					}
				}
				found := findings(t, text)
				by := slices.IndexFunc(found, func(f detect.Finding) bool { return f.RuleID == id })
				switch {
				case !ok:
					t.Fatalf("line %q has no blank", line)
				case kind[0] == '+':
					hits++
					if by < 0 && (len(found) == 0 || !breaks(id, text)) {
						t.Errorf("%q is found by %v, want %q", text, ids(found), id)
					}
				case kind[0] == '-':
					passes++
					if by >= 0 || slices.ContainsFunc(found, func(f detect.Finding) bool { return !f.Weak }) {
						t.Errorf("%q is found by %v, want it to pass", text, ids(found))
					}
				default:
					t.Fatalf("line %q does not begin with + or -", line)
				}
			}
			if hits == 0 || passes == 0 {
				t.Errorf("the corpus has %d lines that match and %d that do not, want both", hits, passes)
			}
		})
	}
}

// breaks reports whether the rule's own family finds that text breaks it.
func breaks(id, text string) bool {
	found, _, _ := attack.Match(id, []byte(text))
	return found == id
}

// findings returns what is found in text as a value, by weak rules, too.
func findings(t *testing.T, text string) []detect.Finding {
	t.Helper()
	event, err := json.Marshal(map[string]string{"q": text})
	if err != nil {
		t.Fatal(err)
	}
	e := attack.Engine{Profile: attack.Detect}
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, nil)
	return r.Findings
}

func ids(found []detect.Finding) []string {
	out := make([]string, len(found))
	for i := range found {
		out[i] = found[i].RuleID
	}
	return out
}

// lines returns the lines of a file in testdata.
func lines(t testing.TB, name string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if s.Text() != "" {
			out = append(out, s.Text())
		}
	}
	return out
}
