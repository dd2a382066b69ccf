package attack

import (
	"strings"

	"gatehouse/internal/detect"
)

// Places in sqlRules.
const (
	sqlLibinjection = iota
	sqlGrammar
)

var sqlRules = []rule{
	sqlLibinjection: {id: "sqli.libinjection", signature: "SQL injection", category: "sqli", severity: detect.Critical, score: sure},
	sqlGrammar:      {id: "sqli.grammar", signature: "SQL injection", category: "sqli", severity: detect.Critical, score: sure},
}

var sqlFamily = family{applies: sqlApplies, rules: sqlRules, match: matchSQL}

// sqlApplies leaves out values that cannot be SQL injection: without a blank, a
// quote, a parenthesis or a mark of operation there is no second token.
func sqlApplies(c class) bool {
	return c&(blank|quote|paren|star|hash|semicolon|bar|control) != 0 || c&dash != 0 && c&digit != 0
}

// maxFingerprint is the longest value that libinjection reads whole, in bytes. Of
// a longer one it gets a window round what the grammar noted.
const maxFingerprint = 4096

// matchSQL judges value by the grammar of SQL and by libinjection. What the
// grammar is sure of needs nothing else. Beside weaker evidence any fingerprint of
// libinjection's counts; by itself one that benign text does not have, and only
// where the value is not plain text.
func matchSQL(in *inspection, p *probe) (r *rule, at int) {
	value := p.span()
	if !in.spend(len(value)) {
		return nil, 0
	}
	ev := sqlEvidence(value)
	if !ev.hard && (ev.prose() || !ev.weak && ev.plain()) {
		return nil, 0
	}
	part := around(value, ev.at)
	if !in.spend(5 * len(part)) { // in five contexts
		return nil, 0
	}
	fingerprint, ok := sqlFingerprint(part)
	switch {
	case ok && (ev.weak || !isSoft(fingerprint)):
		return &sqlRules[sqlLibinjection], p.from + ev.at
	case ev.hard:
		return &sqlRules[sqlGrammar], p.from + ev.at
	}
	return nil, 0
}

// around returns the part of value round at that libinjection reads.
func around(value []byte, at int) []byte {
	if len(value) <= maxFingerprint {
		return value
	}
	start := max(0, at-maxFingerprint/8)
	return value[start:min(len(value), start+maxFingerprint)]
}

// plain reports whether value reads like prose or code of another language: what
// it has of SQL may stand in either, or is a statement that it quotes.
func (ev *evidence) plain() bool {
	signs := ev.quotes > 0 || ev.words == 0 && ev.keywords > 0 || ev.words <= 1 && ev.comments > 0
	return ev.cited || ev.marks == 0 || !signs || ev.words > 2+ev.keywords
}

// prose reports whether names outnumber by far what SQL is made of.
func (ev *evidence) prose() bool { return ev.words > 6+2*ev.keywords }

// softFingerprints are those that shop searches, prose and code have too: a
// quotation followed by an operator, a number and a dash, a path with a star.
// They need evidence of the grammar's.
const softFingerprints = " sos s&s 1&1 1c son;n nc vc sc n&1 s1nc nTnkn "

func isSoft(fingerprint string) bool {
	return strings.Contains(softFingerprints, " "+fingerprint+" ") || strings.HasPrefix(fingerprint, "no(s")
}
