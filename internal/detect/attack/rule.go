package attack

import "gatehouse/internal/detect"

// rule is one thing that can be said of a value. Ids never change, and each has a
// corpus, testdata/<rule ID>.txt.
type rule struct {
	id, signature, category string
	severity                detect.Severity
	// score says how sure the rule is: from refuseAt on it refuses by itself, below
	// it does so only beside another one, or in a field where it has no business.
	score int
	// weak rules are asked in the Detect profile only, and never refuse.
	weak bool
}

// Scores. A finding whose score, with what its field adds or takes, is refuseAt or
// more may refuse an event.
const (
	suspect  = 6
	refuseAt = 10
	sure     = 15
	// surely is a score that no field takes below refuseAt.
	surely = refuseAt + 3
)

// RuleIDs returns the ids of all rules.
func RuleIDs() []string {
	var ids []string
	for _, f := range families {
		for i := range f.rules {
			ids = append(ids, f.rules[i].id)
		}
	}
	return ids
}
