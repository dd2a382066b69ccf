package attack

import "strings"

// sqlApplies leaves out values that cannot be SQL injection: without a blank, a
// quote, a parenthesis or a mark of operation there is no second token.
func sqlApplies(c class) bool {
	return c&(blank|quote|paren|star|hash|semicolon|bar|control) != 0 || c&dash != 0 && c&digit != 0
}

// maxFingerprint is the longest value that libinjection reads whole, in bytes. Of
// a longer one it gets a window round what the grammar noted.
const maxFingerprint = 4096

// sqlCost bounds what matchSQL reads of a value of n bytes: once by the grammar,
// and in five contexts by libinjection.
func sqlCost(n int) int { return n + 5*min(n, maxFingerprint) }

// matchSQL judges value by the grammar of SQL and by libinjection. What the
// grammar is sure of needs nothing else; a fingerprint of libinjection's counts
// by itself where it is one that benign text does not have, and where the text is
// no prose.
func matchSQL(value []byte) (r *rule, at int) {
	ev := sqlEvidence(value)
	if !ev.hard && ev.keywords == 0 && ev.quotes == 0 && ev.comments == 0 {
		return nil, 0
	}
	fingerprint, ok := sqlFingerprint(around(value, ev.at))
	switch {
	case ok && (ev.hard || ev.weak || !isSoft(fingerprint) && !ev.plain()):
		return &rules[ruleSQLLibinjection], ev.at
	case ev.hard:
		return &rules[ruleSQLGrammar], ev.at
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
// it has of SQL may stand in either.
func (ev *evidence) plain() bool {
	signs := ev.quotes + ev.comments + ev.keywords/2
	return ev.marks == 0 || signs == 0 || ev.words > 2+ev.keywords
}

// softFingerprints are those that shop searches, prose and code have too: a
// quotation followed by an operator, a number and a dash, a path with a star.
// They need evidence of the grammar's.
const softFingerprints = " sos s&s 1&1 1c son;n nc vc sc n&1 s1nc nTnkn "

func isSoft(fingerprint string) bool {
	return strings.Contains(softFingerprints, " "+fingerprint+" ") || strings.HasPrefix(fingerprint, "no(s")
}
