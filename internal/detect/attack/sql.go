package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in sqlRules.
const (
	sqlTautology = iota
	sqlCondition
	sqlUnion
	sqlStacked
	sqlSubquery
	sqlFunction
	sqlComment
	sqlOperator
	sqlClause
	sqlCatalogue
	sqlFile
	sqlWeakExpression
	sqlWeakComment
	sqlWeakQuote

	sqlWeak = sqlWeakExpression // weak ones from here on
)

// likely is the score of what refuses by itself, but not in prose.
const likely = 12

var sqlRules = []rule{
	sqlTautology:      {id: "sqli.tautology", signature: "SQL injection: tautology", category: "sqli", severity: detect.Critical, score: sure},
	sqlCondition:      {id: "sqli.condition", signature: "SQL injection: condition", category: "sqli", severity: detect.Critical, score: sure},
	sqlUnion:          {id: "sqli.union", signature: "SQL injection: UNION query", category: "sqli", severity: detect.Critical, score: sure},
	sqlStacked:        {id: "sqli.stacked", signature: "SQL injection: stacked statement", category: "sqli", severity: detect.Critical, score: sure},
	sqlSubquery:       {id: "sqli.subquery", signature: "SQL injection: subquery", category: "sqli", severity: detect.Critical, score: sure},
	sqlFunction:       {id: "sqli.function", signature: "SQL injection: function call", category: "sqli", severity: detect.Critical, score: sure},
	sqlComment:        {id: "sqli.comment", signature: "SQL injection: comment", category: "sqli", severity: detect.Critical, score: likely},
	sqlOperator:       {id: "sqli.operator", signature: "SQL injection: operator", category: "sqli", severity: detect.High, score: likely},
	sqlClause:         {id: "sqli.clause", signature: "SQL injection: clause", category: "sqli", severity: detect.High, score: sure},
	sqlCatalogue:      {id: "sqli.catalogue", signature: "SQL injection: catalogue", category: "sqli", severity: detect.High, score: likely},
	sqlFile:           {id: "sqli.file", signature: "SQL injection: file written", category: "sqli", severity: detect.Critical, score: sure},
	sqlWeakExpression: {id: "sqli.weak-expression", signature: "An expression of SQL", category: "sqli", severity: detect.Low, score: suspect, weak: true},
	sqlWeakComment:    {id: "sqli.weak-comment", signature: "A comment of SQL", category: "sqli", severity: detect.Low, score: suspect, weak: true},
	sqlWeakQuote:      {id: "sqli.weak-quote", signature: "A quote without its counterpart", category: "sqli", severity: detect.Low, score: suspect, weak: true},
}

// sqlFamily reads every value as the tail of an expression, which costs next to
// nothing where it is none.
var sqlFamily = family{applies: sqlApplies, rules: sqlRules, match: matchSQLTail}

// sqlApplies leaves out values that cannot be SQL injection: without a blank, a
// quote, a parenthesis or a mark of operation there is no second token.
func sqlApplies(c class) bool {
	return isSpacedSQL(c) || c&digit != 0 && c&(dash|equals|slash) != 0
}

func isSpacedSQL(c class) bool {
	return c&(blank|quote|paren|star|hash|semicolon|bar|control) != 0
}

// maxDense is the longest value that is read though it has neither blanks nor quotes,
// in bytes: 1or1=1, 1+or+1=1. A longer one is base64.
const maxDense = 256

// isDenseSQL reports whether a value without blanks and quotes may be SQL: it
// compares, ends in a comment, or has + for blanks. Most are identifiers, dates and
// addresses.
func isDenseSQL(p *probe) bool {
	if len(p.value) > maxDense {
		return false
	}
	if p.class&dash != 0 && bytes.Contains(p.value, []byte("--")) || plusBlank(p) {
		return true
	}
	from, to := comparison(p)
	return from < to
}

func matchSQLTail(in *inspection, p *probe) (r *rule, at int) {
	if !isSpacedSQL(p.class) && !isDenseSQL(p) {
		return nil, 0
	}
	rule, at, work := judgeTails(p.value, false)
	if (rule < 0 || rule >= sqlWeak) && plusBlank(p) {
		// + is a blank that nobody undid
		plus, where, more := judgeTails(p.value, true)
		if plus >= 0 && (plus < sqlWeak || rule < 0) {
			rule, at = plus, where
		}
		work += more
	}
	if !in.spend(work) {
		return nil, 0
	}
	if rule < 0 || rule >= sqlWeak {
		if from, to := comparison(p); from < to {
			if r, at := phrase(in, p.value[from:to]); r != nil {
				return r, from + at
			}
		}
		if rule < 0 && in.weak {
			rule, at = hint(p)
		}
	}
	if rule < 0 || rule >= sqlWeak && !in.weak {
		return nil, 0
	}
	return &sqlRules[rule], at
}

// hint returns the weak rule for what tries whether a value reaches SQL at all, -1
// where there is no such sign: a quote that nothing answers, or a comment in front.
func hint(p *probe) (rule, at int) {
	value := p.value
	if len(value) < 3 || len(value) > maxHint || p.class&(control|high) != 0 {
		return -1, 0
	}
	if text := bytes.TrimLeft(value, " "); bytes.HasPrefix(text, []byte("--")) || bytes.HasSuffix(text, []byte(" --")) {
		return sqlWeakComment, 0
	}
	n := bytes.IndexByte(value, '\'')
	if n < 0 || bytes.Count(value, []byte("'"))%2 == 0 || p.class&^(letter|digit|quote|backslash|dash|blank) != 0 || wordsIn(value) > 1 || isSuffix(value[n+1:]) {
		return -1, 0
	}
	return weakIf(n == 0 || classOf[value[n-1]]&(digit|backslash) != 0, sqlWeakQuote), n
}

// maxHint is the longest value that is such a try, in bytes.
const maxHint = 24

// plusBlank reports whether + may stand for a blank in a value: its first stands in
// front of a letter or a comment.
func plusBlank(p *probe) bool {
	if p.class&slash == 0 {
		return false
	}
	n := bytes.IndexByte(p.value, '+')
	return n >= 0 && n+1 < len(p.value) && (classOf[p.value[n+1]]&letter != 0 || p.value[n+1] == '/')
}

// comparison returns the part of the value round comparisons whose two sides look
// like literals of one kind: 1=1, 'a'='b. from is to where there are none.
func comparison(p *probe) (from, to int) {
	if p.class&(equals|angle) == 0 {
		return 0, 0
	}
	v := p.value
	from = len(v)
	for i, c := range v {
		if classOf[c]&(equals|angle) == 0 || i == 0 || i+1 == len(v) {
			continue
		}
		a, b := beside(v, i, -1), beside(v, i, 1)
		if kind := classOf[a] & classOf[b] & (digit | quote); kind == 0 && (a != b || classOf[a]&letter == 0) || kind == quote && a != b {
			continue
		}
		from = min(from, max(0, i-tokenBefore))
		to = min(len(v), i+tokenAfter)
	}
	return min(from, to), to
}

// beside returns the byte next to i, in steps of by, that is no blank, no
// comparison and no parenthesis; 0 where none is near.
func beside(v []byte, i, by int) byte {
	for range 4 {
		i += by
		if i < 0 || i >= len(v) {
			return 0
		}
		if classOf[v[i]]&(blank|equals|angle|paren) == 0 {
			return v[i]
		}
	}
	return 0
}

// sqlPhrases looks for phrases of SQL wherever they stand. Its rules are
// sqlFamily's.
var sqlPhrases = family{tokens: sqlTokens, confirm: confirmSQL, match: matchSQLPhrases}

// sqlTokens are what the phrases have that are no conditions.
var sqlTokens = []string{
	"select", "union", "order by", "recursive", "waitfor", "outfile", "dumpfile", "sleep", "benchmark", "randomblob",
	"procedure", "declare", "iif(", "dbms_", "utl_", "xp_",
	"extractvalue", "updatexml", "drop table", "delete from", "insert into",
}

func matchSQLPhrases(in *inspection, p *probe) (r *rule, at int) {
	r, at = phrase(in, p.span())
	return r, p.from + at
}

// phrase returns the rule of the first phrase in part that only SQL has.
func phrase(in *inspection, part []byte) (r *rule, at int) {
	if !in.spend(len(part)) {
		return nil, 0
	}
	switch ev := sqlEvidence(part); {
	case ev.hard:
		return &sqlRules[ev.rule], ev.at
	case ev.weak && in.weak:
		return &sqlRules[sqlWeakExpression], ev.at
	}
	return nil, 0
}
