package attack

// clause takes a word where an operator is due.
func (p *sqlTail) clause(t *token) bool {
	p.want, p.table = true, false
	switch t.word {
	case kwUnion:
		p.unions++
		p.condition()
		return true
	case kwClause:
		p.clauses++
		p.condition()
		return true
	case kwBetween:
		p.compare()
		p.ranged = true
		return true
	case kwNot: // NOT LIKE, NOT IN
		p.want = false
		return true
	case kwFrom:
		p.table = true
		next := p.lexer
		name := next.next()
		return p.selects > 0 || p.depth > 0 || name.word == kwSchema
	case kwOrder:
		p.clauses++
		p.ordered = true
		return p.lexer.next().word == kwBy
	case kwLimit, kwProcedure:
		p.clauses++
		return true
	case kwInto:
		p.clauses++
		next := p.lexer.next()
		p.file = next.word == kwOutfile
		return p.file || next.kind == tokenAt && p.variable(&next)
	case kwIf, kwSelect:
		return false
	}
	out := p.quote != 0 && p.last.kind == tokenQuote || p.closes > 0 && p.last.kind == tokenClose
	if p.last.kind == tokenNone && p.commands(t) || out && p.statesNext(*t) {
		p.stacked = true // without a semicolon, as SQL Server allows
		return true
	}
	return p.role(t)
}

// size skips the size of a type: VARCHAR(40), DECIMAL(8,2).
func (p *sqlTail) size() {
	l := p.lexer
	if l.at(0) != '(' {
		return
	}
	l.pos++
	for classOf[l.at(0)]&digit != 0 || l.at(0) == ',' || l.at(0) == ' ' {
		l.pos++
	}
	if l.at(0) == ')' {
		p.lexer.pos = l.pos + 1
	}
}

// role takes a word that is a keyword only here.
func (p *sqlTail) role(t *token) bool {
	word := p.lexer.value[t.start:t.end]
	switch roleOf(word) {
	case roleInfix:
		return p.calls > 0 || t.end-t.start != len("FOR") // substring(x from 1 for 2)
	case roleCompare:
		p.compare()
		return p.lexer.next().word == kwTo
	case roleSuffix:
		p.ended = p.ended || p.cases > 0
		p.want = false
		return true
	case roleAlias:
		p.want = false
		next := p.lexer.next()
		if next.kind == tokenWord {
			p.size()
			return true
		}
		return next.kind == tokenQuote && p.text(&next)
	}
	p.want = false
	if p.last.kind == tokenWord && p.selects > 0 && t.isName() {
		return p.before == tokenWord || p.before == tokenComma // an alias of a table
	}
	return false
}
