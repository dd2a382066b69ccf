package attack

import "gatehouse/internal/detect"

// rule is one thing that values are judged by.
type rule struct {
	id, signature, category string
	severity                detect.Severity
	// applies says from the kinds of byte alone whether match is worth calling.
	applies func(c class) bool
	// passes is how often match reads its input at most: its price in work.
	passes int
	// match reports whether value is an attack, and where in it the reason lies.
	match func(value []byte) (at int, ok bool)
}

// rules are the rules, in the order in which they are asked. The first of them
// that matches a value speaks for it.
var rules = [...]rule{
	{
		id: "sqli.libinjection", signature: "SQL injection", category: "sqli", severity: detect.Critical,
		applies: sqlApplies, passes: 8, match: matchSQL,
	},
	{
		id: "xss.libinjection", signature: "Cross-site scripting", category: "xss", severity: detect.High,
		applies: xssApplies, passes: 6, match: matchXSS,
	},
}
