package attack

import "bytes"

// evidence is what the grammar of SQL says about a value.
type evidence struct {
	// hard is set where tokens stand together as only SQL puts them, in the way
	// that an injection does. weak is set where they might.
	hard, weak bool
	rule       int // place in sqlRules of the first of the strongest kind
	at         int // where that begins
	words      int // names that are no keywords
	quotes     int
	cited      bool // a statement begins right behind a quote that opens
}

// grammar looks for SQL in a stream of tokens. It remembers the last few tokens
// twice: all of them, and without quotes, opening parentheses and NOT, which an
// injection may put anywhere.
type grammar struct {
	evidence
	value []byte
	all   window
	bare  window
	count int // tokens so far
	run   int // plain words without anything between, up to the latest token
	begun keyword
}

// window is the last tokens of a stream; [0] is the latest.
type window struct {
	tokens [16]token
	n      uint
}

func (w *window) add(t token) {
	w.tokens[w.n&15] = t
	w.n++
}

// back returns the token k places before the latest.
func (w *window) back(k uint) *token { return &w.tokens[(w.n-1-k)&15] }

// sqlEvidence reads value as SQL.
func sqlEvidence(value []byte) evidence {
	g := grammar{value: value}
	l := sqlLexer{value: value}
	for {
		t := l.next()
		g.add(t)
		if t.kind == tokenEnd || g.hard {
			return g.evidence
		}
	}
}

// add takes the next token.
func (g *grammar) add(t token) {
	g.tally(&t)
	g.all.add(t)
	g.count++
	if t.kind != tokenWord || t.word != notKeyword {
		g.run = 0
	} else if g.run++; g.run > 3 {
		g.bare.add(t)
		return // no phrase looks further back than three tokens for its last word
	}
	if t.kind != tokenQuote && t.kind != tokenOpen && t.word != kwNot {
		g.bare.add(t)
		g.compared()
	}
	g.selected()
	g.called()
	g.stacked()
	g.phrased()
	g.ended()
}

func (g *grammar) tally(t *token) {
	switch {
	case t.word != notKeyword:
		if g.count == 0 {
			g.begun = t.word
		}
	case t.kind == tokenWord:
		g.words++
	case t.kind == tokenQuote:
		g.quotes++
	}
}

// note takes down evidence for a rule that begins at t.
func (g *grammar) note(rule int, hard bool, t *token) {
	if hard && !g.hard || !g.weak && !g.hard {
		g.rule, g.at = rule, t.start
	}
	g.hard = g.hard || hard
	g.weak = true
}

// conditional reports whether a condition may follow t.
func conditional(t *token) bool {
	return t.kind == tokenLogic || t.word == kwClause || t.word == kwIf
}

// compared looks for a condition whose two sides are literals: OR 1=1,
// AND 'a' LIKE 'a, HAVING 1=2, WHERE x BETWEEN 1 AND 1.
func (g *grammar) compared() {
	y, op, x, before := g.bare.back(0), g.bare.back(1), g.bare.back(2), g.bare.back(3)
	if before.word == kwBetween && op.kind == tokenLogic && x.kind == y.kind {
		if x.kind == tokenNumber || g.quoted(x) && g.quoted(y) {
			g.note(sqlTautology, conditional(g.bare.back(5)), before)
		}
	}
	if op.kind != tokenCompare || !conditional(before) {
		return
	}
	same := x.kind == y.kind && bytes.EqualFold(g.text(x), g.text(y))
	switch {
	case x.kind == tokenNumber && y.kind == tokenNumber:
		g.note(sqlTautology, (same || g.text(op)[0] == '=' || g.quotes > 0) && g.brokenOut(before), before)
	case x.kind == tokenWord && same && g.text(op)[0] == '=':
		g.note(sqlTautology, true, before)
	case x.kind == tokenWord && y.kind == tokenWord && g.quoted(x) && g.quoted(y):
		g.note(sqlTautology, same || g.text(op)[0] == '=', before)
	case x.kind == tokenNumber || x.kind == tokenWord && g.quoted(x):
		g.note(sqlTautology, false, before)
	}
}

// brokenOut reports whether a condition that begins with t may be an injection:
// nearly no prose leads up to it, or t follows a quote, a parenthesis or a comment.
func (g *grammar) brokenOut(t *token) bool {
	if g.words <= 1 || t.word == kwIf {
		return true
	}
	end := t.start
	for end > 0 && classOf[g.value[end-1]]&(blank|control) != 0 {
		end--
	}
	return end > 0 && (classOf[g.value[end-1]]&(quote|paren|bracket) != 0 || g.value[end-1] == '/')
}

func (g *grammar) text(t *token) []byte { return g.value[t.start:t.end] }

// quoted reports whether a quote stands right before t.
func (g *grammar) quoted(t *token) bool {
	return t.start > 0 && classOf[g.value[t.start-1]]&quote != 0
}
