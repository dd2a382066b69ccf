package attack

import "bytes"

// selected looks for SELECT where it joins another query, and for a subquery.
func (g *grammar) selected() {
	head := g.all.back(0)
	k := uint(1)
	if g.all.back(k).word != kwSelect {
		if name := g.all.back(1); !name.isName() || g.all.back(2).word != kwSelect {
			return
		}
		// SELECT name: what follows must go on with the query
		switch {
		case head.kind == tokenComma, head.word == kwFrom:
		case (head.kind == tokenOpen || head.kind == tokenDot || head.kind == tokenQuote) && !head.spaced:
		default:
			return
		}
		k = 2
	} else if !selectHead(head) {
		return
	}
	g.selectAt(k)
}

// isName reports whether t may name a column, a function or a table.
func (t *token) isName() bool {
	return t.kind == tokenWord && (t.word == notKeyword || t.word == kwObject)
}

// selectHead reports whether t, as the first thing selected, is no English.
func selectHead(t *token) bool {
	switch t.kind {
	case tokenNumber, tokenOpen, tokenAt, tokenQuote:
		return true
	case tokenOperator:
		return true // SELECT *
	}
	switch t.word {
	case kwCase, kwProbe, kwPackage, kwChar, kwSleep, kwTime, kwIf, kwLimit:
		return true
	}
	return false
}

// selectAt judges the SELECT k tokens back by what stands before it.
func (g *grammar) selectAt(k uint) {
	selects := g.all.back(k)
	k, inner := g.beforeCall(k + 1)
	before := g.all.back(k)
	switch {
	case g.opens(before):
		g.cited = true
	case before.word == kwUnion:
		g.note(sqlUnion, true, before)
	case before.kind == tokenSemi:
		g.note(sqlStacked, g.broken(k), before)
	case inner && (g.cited || g.statement()):
		// a subquery of its own statement
	case inner:
		switch before.kind {
		case tokenLogic, tokenCompare, tokenOperator, tokenComma, tokenNumber, tokenQuote, tokenClose:
			g.note(sqlSubquery, true, before)
		default:
			g.note(sqlSubquery, before.word == kwIf || before.word == kwClause || before.kind == tokenNone, selects)
		}
	case before.kind == tokenNumber || before.kind == tokenQuote || before.kind == tokenClose:
		g.note(sqlSubquery, false, before)
	}
}

// opens reports whether t is a quote that opens: a blank or a mark that calls for
// a value stands before it, and none behind.
func (g *grammar) opens(t *token) bool {
	if t.kind != tokenQuote || t.start == 0 || t.end == len(g.value) || classOf[g.value[t.end]]&blank != 0 {
		return false
	}
	before := g.value[t.start-1]
	return classOf[before]&blank != 0 || bytes.IndexByte([]byte("(=,:[{"), before) >= 0
}

// beforeCall returns how far back the token before a call lies whose last argument
// begins k-1 places back: parentheses, ALL, and names of functions are passed
// over. inner says that there was a parenthesis.
func (g *grammar) beforeCall(k uint) (before uint, inner bool) {
	for ; k < 12; k++ {
		t, after := g.all.back(k), g.all.back(k-1)
		switch {
		case t.kind == tokenOpen:
			inner = true
		case t.word == kwAll:
		case inner && t.kind == tokenDot:
		case inner && t.kind == tokenWord && !conditional(t) && t.word != kwSelect && t.word != kwFrom &&
			(after.kind == tokenOpen || after.kind == tokenDot) && !after.spaced:
		default:
			return k, inner
		}
	}
	return k, inner
}

// statement reports whether the value is a whole statement of SQL, as opposed to
// something that is put into one.
func (g *grammar) statement() bool {
	switch g.begun {
	case kwSelect, kwInsert, kwUpdate, kwDelete, kwStatement, kwDeclare:
		return true
	}
	return false
}

// broken reports whether the token k places back follows the end of a literal, or
// stands near the value's beginning: where an injection breaks out.
func (g *grammar) broken(k uint) bool {
	if g.statement() {
		return false
	}
	switch before := g.all.back(k + 1); before.kind {
	case tokenQuote, tokenNumber, tokenClose, tokenNone:
		return true
	}
	return g.count <= int(k)+3
}

// called looks for functions that wait, read or fail on purpose, where an
// expression may stand.
func (g *grammar) called() {
	open, name := g.all.back(0), g.all.back(1)
	if open.spaced || name.kind != tokenWord || name.word == notKeyword {
		return
	}
	switch open.kind {
	case tokenOpen:
		g.function(name, g.all.back(2))
	case tokenDot:
		switch before := g.all.back(2); name.word {
		case kwPackage:
			g.note(sqlFunction, expression(before) || within(before), name)
		case kwSchema:
			g.note(sqlCatalogue, before.word == kwFrom, name)
		}
	}
}

// expression reports whether t calls for an expression to follow.
func expression(t *token) bool {
	switch t.kind {
	case tokenLogic, tokenCompare, tokenOperator, tokenSemi:
		return true
	}
	return t.word == kwSelect || t.word == kwClause || t.word == kwBegin
}

// within reports whether an argument may follow t, or t ends what an injection
// breaks out of.
func within(t *token) bool {
	switch t.kind {
	case tokenOpen, tokenComma, tokenQuote, tokenNumber:
		return true
	}
	return false
}

// function judges the call of a function behind before.
func (g *grammar) function(name, before *token) {
	switch name.word {
	case kwSleep:
		if expression(before) || within(before) {
			g.note(sqlFunction, expression(before) || g.weak, name)
		}
	case kwTime:
		if expression(before) || within(before) {
			g.note(sqlFunction, true, name)
		}
	case kwProbe, kwIf:
		if g.words < 8 && (expression(before) || within(before)) {
			g.note(sqlFunction, before.kind == tokenLogic && g.quotes > 0, name)
		}
	case kwChar:
		// CHR(65)||CHR(66), CHAR(65)+CHAR(66)
		joined := before.kind == tokenLogic || before.kind == tokenOperator
		if first := g.all.back(6); joined && g.all.back(3).kind == tokenClose && first.word == kwChar {
			g.note(sqlFunction, true, first)
		}
	}
}

// stacked looks for a statement behind a semicolon.
func (g *grammar) stacked() {
	for k := uint(1); k <= 3; k++ {
		if g.all.back(k).kind == tokenSemi {
			if g.begins(k) {
				g.note(sqlStacked, g.broken(k), g.all.back(k))
			}
			return
		}
	}
}

// begins reports whether the tokens behind the one k places back begin a
// statement, the latest of them completing its beginning.
func (g *grammar) begins(k uint) bool {
	first := g.all.back(k - 1)
	if k == 1 {
		return first.word == kwWaitfor
	}
	second := g.all.back(k - 2)
	if k == 2 {
		switch first.word {
		case kwStatement:
			return second.word == kwObject
		case kwInsert:
			return second.word == kwInto
		case kwDelete:
			return second.word == kwFrom
		case kwDeclare:
			return second.kind == tokenAt
		case kwBegin:
			return second.kind == tokenComment || second.kind == tokenEnd || second.kind == tokenSemi ||
				second.word == kwPackage || second.word == kwExec
		case kwIf, kwSleep, kwTime, kwPackage:
			return second.kind == tokenOpen && !second.spaced
		case kwExec:
			return second.kind == tokenAt || second.kind == tokenOpen || second.word == kwProbe || second.kind == tokenQuote || second.word == kwImmediate
		case kwCopy:
			return second.kind == tokenOpen
		case kwAttach:
			return second.word == kwObject || second.word == kwData || second.kind == tokenQuote
		}
		return false
	}
	third := g.all.back(0)
	return first.word == kwUpdate && second.kind == tokenWord && third.word == kwSet ||
		first.word == kwCopy && second.kind == tokenWord && (third.word == kwFrom || third.word == kwTo) ||
		first.word == kwPragma && second.kind == tokenWord && (third.kind == tokenCompare || third.kind == tokenOpen || third.kind == tokenDot) ||
		first.word == kwExec && second.kind == tokenWord && (third.kind == tokenDot || third.kind == tokenQuote)
}

// phrased looks for phrases that no other language has.
func (g *grammar) phrased() {
	t, before := g.all.back(0), g.all.back(1)
	switch {
	case t.word == kwDelay && before.word == kwWaitfor:
		g.note(sqlFunction, true, before)
	case before.word == kwOutfile && g.all.back(2).word == kwInto && namesFile(t):
		g.note(sqlFile, true, g.all.back(2))
	case t.word == kwAnalyse && before.word == kwProcedure:
		g.note(sqlClause, true, before)
	case (t.kind == tokenOpen || t.kind == tokenNumber) && before.word == kwValues && g.unions(2):
		g.note(sqlUnion, true, before)
	case t.kind == tokenWord && t.word != kwObject && before.word == kwObject && g.unions(2):
		g.note(sqlUnion, true, before)
	case t.word == kwRecursive && bytes.EqualFold(g.text(before), []byte("WITH")) && g.all.back(2).kind == tokenOpen:
		switch g.all.back(3).kind {
		case tokenCompare, tokenLogic, tokenOperator, tokenOpen, tokenComma:
			g.note(sqlSubquery, true, before)
		}
	case t.word == kwClause && before.word == kwCase:
		g.note(sqlSubquery, false, before)
	case t.kind == tokenWord && before.kind == tokenAt && !t.spaced && g.value[before.start] == '@' && before.end-before.start == 2:
		g.note(sqlCatalogue, false, before)
	case before.kind == tokenNumber && g.all.back(2).word == kwBy && g.all.back(3).word == kwOrder:
		g.ordered(t)
	}
}

// namesFile reports whether t begins the name of a file: in quotes, or as 0x….
func namesFile(t *token) bool { return t.kind == tokenQuote || t.kind == tokenNumber }

// unions reports whether UNION or UNION ALL stands k places back.
func (g *grammar) unions(k uint) bool {
	if g.all.back(k).word == kwAll {
		k++
	}
	return g.all.back(k).word == kwUnion
}

// ordered judges ORDER BY 3, which t follows.
func (g *grammar) ordered(t *token) {
	if t.kind != tokenEnd && t.kind != tokenComment && t.kind != tokenComma {
		return
	}
	switch g.all.back(4).kind {
	case tokenNumber, tokenQuote, tokenClose:
		g.note(sqlClause, true, g.all.back(3))
	default:
		g.note(sqlClause, false, g.all.back(3))
	}
}

// ended looks for a comment that cuts off the rest of a query: admin'--, ') #,
// ' OR 1 --.
func (g *grammar) ended() {
	t, comment := g.all.back(0), g.all.back(1)
	if t.kind != tokenEnd || comment.kind != tokenComment {
		return
	}
	k := uint(2)
	for g.all.back(k).kind == tokenClose {
		k++
		if k > 12 {
			return
		}
	}
	last := g.all.back(k)
	switch {
	case last.kind == tokenQuote:
		g.note(sqlComment, g.words <= 2 && g.quotes == 1, last)
	case last.kind == tokenNumber && conditional(g.all.back(k+1)):
		g.note(sqlTautology, g.words <= 4, g.all.back(k+1))
	}
}
