package attack_test

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect/attack"
)

// fuzzFamily runs a family's rules, weak ones too, over any text: found or not, the
// work is bounded, and what is found lies within the text.
func fuzzFamily(f *testing.F, prefix string) {
	for _, id := range attack.RuleIDs() {
		if strings.HasPrefix(id, prefix) {
			for _, line := range lines(f, id+".txt") {
				_, text, _ := strings.Cut(line, " ")
				f.Add(text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if work := workOn(t, text); work > 200*len(text)+1000 {
			t.Errorf("%q: %d of work for %d bytes", text, work, len(text))
		}
		for _, found := range findings(t, text) {
			if !slices.Contains(attack.RuleIDs(), found.RuleID) || found.MatchOffset < 0 {
				t.Errorf("%q: %+v", text, found)
			}
		}
	})
}

func FuzzSQL(f *testing.F)   { fuzzFamily(f, "sqli.") }
func FuzzNoSQL(f *testing.F) { fuzzFamily(f, "nosql.") }
