package attack_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// TestRuleIDsOnlyGrow holds the rules to a list that nothing is ever taken from.
func TestRuleIDsOnlyGrow(t *testing.T) {
	golden := lines(t, "rules.golden")
	if got := attack.RuleIDs(); !slices.Equal(got, golden) {
		t.Errorf("rules = %q, want those in testdata/rules.golden, %q; append new ones there", got, golden)
	}
}

// TestRuleCorpora holds every rule to its corpus: "+ " must be found by the rule,
// "- " must not be found at all.
func TestRuleCorpora(t *testing.T) {
	for _, id := range attack.RuleIDs() {
		t.Run(id, func(t *testing.T) {
			var hits, passes int
			for _, line := range lines(t, id+".txt") {
				kind, text, ok := strings.Cut(line, " ")
				if !ok || kind != "+" && kind != "-" {
					t.Fatalf("line %q does not begin with + or -", line)
				}
				got := ruleFor(t, text)
				if kind == "+" {
					hits++
					if got != id {
						t.Errorf("%q is found by %q, want %q", text, got, id)
					}
					continue
				}
				passes++
				if got != "" {
					t.Errorf("%q is found by %q, want it to pass", text, got)
				}
			}
			if hits == 0 || passes == 0 {
				t.Errorf("the corpus has %d lines that match and %d that do not, want both", hits, passes)
			}
		})
	}
}

// ruleFor returns the id of the rule that finds text as a value, or "".
func ruleFor(t *testing.T, text string) string {
	t.Helper()
	event, err := json.Marshal(map[string]string{"q": text})
	if err != nil {
		t.Fatal(err)
	}
	var e attack.Engine
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, nil)
	if len(r.Findings) == 0 {
		return ""
	}
	return r.Findings[0].RuleID
}

// lines returns the lines of a file in testdata.
func lines(t *testing.T, name string) []string {
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
