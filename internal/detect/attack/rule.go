package attack

import "gatehouse/internal/detect"

// rule is one thing that can be said of a value. Ids never change.
type rule struct {
	id, signature, category string
	severity                detect.Severity
}

// Places in rules.
const (
	ruleSQLLibinjection = iota
	ruleSQLGrammar
	ruleXSSLibinjection
)

// rules are all rules. Each has a corpus, testdata/<rule ID>.txt.
var rules = [...]rule{
	ruleSQLLibinjection: {"sqli.libinjection", "SQL injection", "sqli", detect.Critical},
	ruleSQLGrammar:      {"sqli.grammar", "SQL injection", "sqli", detect.Critical},
	ruleXSSLibinjection: {"xss.libinjection", "Cross-site scripting", "xss", detect.High},
}

// family is what finds the rules of one kind of attack.
type family struct {
	// applies says from the kinds of byte alone whether match is worth calling.
	applies func(c class) bool
	// match returns the rule that value breaks, nil for none, and where in value
	// the reason begins. What it reads it takes from the budget of in.
	match func(in *inspection, value []byte) (r *rule, at int)
}

// families are asked in this order. The first that finds something speaks for
// the value.
var families = [...]family{
	{applies: sqlApplies, match: matchSQL},
	{applies: xssApplies, match: matchXSS},
}

// RuleIDs returns the ids of all rules, in the order in which they came to be.
func RuleIDs() []string {
	ids := make([]string, len(rules))
	for i := range rules {
		ids[i] = rules[i].id
	}
	return ids
}
