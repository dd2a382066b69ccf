package attack

import "bytes"

// sqlQuotes are what an injection breaks out of.
const sqlQuotes = "'\"`]"

// judgeTails reads value in every context, and returns the first rule that its
// tail breaks, -1 for none, where the tail begins, and how many bytes it read. With plus set + is a blank. A
// weak rule counts where no other does.
func judgeTails(value []byte, plus bool) (rule, at, work int) {
	var p sqlTail
	suspected, where := -1, 0
	for i := range len(sqlQuotes) {
		n := bytes.IndexByte(value, sqlQuotes[i])
		if n < 0 {
			continue
		}
		is := readTail(value, n, sqlQuotes[i], plus, &p)
		work += p.lexer.pos - n
		if !is {
			continue
		}
		rule = p.outOfQuotes(wordsIn(value[:n]))
		if rule >= 0 && rule < sqlWeak {
			return rule, n, work
		}
		if rule >= 0 {
			suspected, where = rule, n
		}
	}
	is := readTail(value, 0, 0, plus, &p)
	work += p.lexer.pos
	if is {
		rule = p.outOfNumber()
		if rule >= 0 && rule < sqlWeak {
			return rule, 0, work
		}
		if rule >= 0 {
			suspected, where = rule, 0
		}
	}
	return suspected, where, work
}

// maxWords is how many words are counted.
const maxWords = 4

// wordsIn counts the words of b, as far as maxWords.
func wordsIn(b []byte) (n int) {
	for len(b) > 0 && n < maxWords {
		end := bytes.IndexByte(b, ' ')
		if end < 0 {
			return n + 1
		}
		if end > 0 {
			n++
		}
		b = b[end+1:]
	}
	return n
}

const (
	// maxRest is how long what a comment cuts off, or a string that is opened
	// again, may be to count as a sign, in bytes.
	maxRest = 12
	// maxEmpty is how long a string may be that is opened again for nothing else.
	maxEmpty = 2
)

// outOfQuotes judges a tail behind a quote that closes a literal of so many words.
func (p *sqlTail) outOfQuotes(words int) int {
	cut := p.comment && p.rest <= maxRest
	switch {
	case p.harmful && (p.stacked || !p.dangling):
		return sqlFunction
	case p.stacked:
		return sqlStacked
	case p.file:
		return sqlFile
	case p.dangling:
		if p.logic+p.unions+p.clauses+p.compares > 0 && words <= 2 {
			return sqlWeakExpression
		}
		return -1
	case p.unions > 0 && (p.selects > 0 || cut || p.reopened):
		return sqlUnion
	case p.logic > 0:
		return p.outByLogic(words, cut)
	case p.fixed && p.branches > 0:
		return sqlCondition
	case p.clauses > 0 && (cut || p.reopened || p.ordered && p.names == 0 || p.constant):
		return sqlClause
	case p.clauses+p.unions > 0:
		if words <= 2 && p.names == 0 {
			return sqlClause
		}
		return sqlWeakExpression
	case p.compares+p.signs+p.minus > 0:
		return p.outByOperator(words, cut)
	case p.comment:
		if cut && words <= 2 {
			return sqlComment
		}
		return sqlWeakComment
	case words <= 1:
		return sqlWeakQuote
	}
	return -1
}

// outByLogic judges a tail with operators of logic.
func (p *sqlTail) outByLogic(words int, cut bool) int {
	ended := cut || p.reopened && (p.compares > 0 || p.open <= maxEmpty)
	switch {
	case p.constant:
		return sqlTautology
	case ended || p.closes > 0, words <= 2 && !p.doubled && (p.known > 0 || p.compares > 0 || p.names+p.strings == 0):
		return sqlCondition
	}
	return sqlWeakExpression
}

// outByOperator judges a tail with comparisons and arithmetic only.
func (p *sqlTail) outByOperator(words int, cut bool) int {
	switch {
	case p.selects > 0:
		return sqlSubquery
	case cut && words <= 2:
		return sqlComment
	case p.reopened && words <= 1 && p.open <= maxRest && !p.worded && p.names == 0:
		return sqlOperator
	case p.reopened && words == 1 && p.compares > 0 && p.open <= maxRest:
		return sqlOperator
	}
	return sqlWeakExpression
}

// outOfNumber judges a tail that no quote begins.
func (p *sqlTail) outOfNumber() int {
	cut := p.comment && p.rest <= maxRest
	broken := p.start.kind != tokenWord && p.start.kind != tokenQuote
	switch {
	case p.harmful && (p.stacked || !p.dangling):
		return sqlFunction
	case p.stacked:
		return sqlStacked
	case p.file:
		return sqlFile
	case p.dangling:
		if p.logic+p.unions+p.clauses+p.selects > 0 {
			return sqlWeakExpression
		}
		return -1
	case p.unions > 0 && p.selects > 0 && (broken || p.start.word == kwUnion):
		return sqlUnion
	case p.logic > 0 && p.compares > 0 && p.reopened && (!broken || !p.constant):
		return sqlWeakExpression
	case p.fixed && p.branches > 0:
		return sqlCondition
	case p.constant && p.logic+p.clauses > 0 && (!p.led || p.closes > 0):
		return sqlTautology
	case p.logic > 0 && broken && !p.led:
		return p.byLogic(cut)
	case p.clauses > 0 && broken && (p.ordered && (p.names == 0 || p.known > 0) || cut),
		p.clauses > 0 && p.ordered && (p.start.word == kwOrder && p.names == 0 || cut):
		return sqlClause
	case p.selects > 0:
		return p.bySelect(cut)
	case p.names == 0 && p.system > 0 && p.known > 1:
		return sqlFunction
	case p.names == 0 && (p.cases > 0 || p.fixed && p.signs > 0 && p.start.kind == tokenOpen):
		return sqlCondition
	case p.names == 0 && cut && p.rest == 0 && (p.start.kind == tokenOpen && p.known+p.strings+p.signs > 0 || p.known+p.signs > 0):
		return sqlComment
	case p.logic+p.clauses+p.unions+p.compares+p.known > 0 && p.names == 0, broken && p.compares > 0:
		return sqlWeakExpression
	case cut && broken:
		return sqlWeakComment
	}
	return -1
}

// bySelect judges a query without more.
func (p *sqlTail) bySelect(cut bool) int {
	switch {
	case cut && (p.start.kind == tokenOpen || p.rest == 0):
		return sqlSubquery
	case p.catalog || p.system > 0:
		return sqlCatalogue
	}
	return sqlWeakExpression
}

// byLogic judges an operand, or nothing, and operators of logic behind it.
func (p *sqlTail) byLogic(cut bool) int {
	sign := p.lexer.value[p.start.start] == '|' || p.lexer.value[p.start.start] == '&'
	switch {
	case p.known > 0 || p.closes > 0 || cut:
		return sqlCondition
	case p.compares > 0 && !sign:
		return sqlCondition
	}
	return sqlWeakExpression
}
