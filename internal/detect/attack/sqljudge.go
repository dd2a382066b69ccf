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
		if n < 0 || isSuffix(value[n+1:]) || goesOn(value[n+1:]) {
			continue
		}
		is := readTail(value, n, sqlQuotes[i], plus, &p)
		work += p.lexer.pos - n
		if !is {
			if p.suspicious() && wordsIn(value[:n]) <= 1 {
				suspected, where = sqlWeakExpression, n
			}
			continue
		}
		rule = p.outOfQuotes(wordsIn(value[:n]))
		if rule >= 0 && !p.sure(rule) && (sqlQuotes[i] == '`' || sqlQuotes[i] == ']' || opensText(value, n)) {
			// quoted text
			rule = weakIf(!p.worded && p.compares+p.signs+p.minus > 0 && wordsIn(value) <= maxWords-1 && len(value) <= maxHint, sqlWeakExpression)
		}
		if (rule == sqlWeakQuote || rule == sqlOperator) && classesOf(value[:n])&(paren|bracket|equals|angle|quote|star|bar|amp) != 0 {
			rule = -1 // code
		}
		if rule >= 0 && rule < sqlWeak {
			return rule, n, work
		}
		if rule >= 0 {
			suspected, where = rule, n
		}
	}
	if beginsProse(value) {
		return suspected, where, work
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
	} else if p.suspicious() || p.states {
		suspected, where = sqlWeakExpression, 0
	}
	return suspected, where, work
}

// sure reports whether a tail that breaks rule is none by chance, whatever stands
// in front of it.
func (p *sqlTail) sure(rule int) bool {
	switch rule {
	case sqlFunction, sqlSubquery, sqlFile:
		return true
	case sqlTautology:
		return !p.partial
	case sqlCondition:
		return p.compares > 0 && p.names == 0 && p.reopened && p.open <= maxEmpty
	case sqlUnion:
		return p.selects > 0
	case sqlStacked:
		return p.closed
	}
	return false
}

// opensText reports whether the quote at value[n] looks like one that opens text,
// as none does that an injection breaks out with: it follows a blank or a mark that
// calls for a value, or begins a value that its counterpart ends.
func opensText(value []byte, n int) bool {
	if blanks := len(value) - len(bytes.TrimLeft(value, " ")); blanks < n {
		return classOf[value[n-1]]&(blank|equals|amp|bar|angle|slash|star|hash) != 0 || bytes.IndexByte([]byte("([{,:!"), value[n-1]) >= 0
	}
	value = value[n:]
	quotes := bytes.Count(value, value[:1])
	if quotes != 2 {
		return quotes%2 == 0 && wordsIn(value) == 1
	}
	end := 1 + bytes.IndexByte(value[1:], value[0])
	inner := value[1:end]
	switch {
	case len(inner) == 0:
		return false
	case end == len(value)-1: // all of the value is in quotes: '=' but no word
		return classOf[inner[0]]&letter != 0 || classOf[inner[0]]&blank == 0 && len(inner) > maxOperator
	}
	return classOf[inner[0]]&blank == 0 && classOf[inner[len(inner)-1]]&blank == 0
}

// maxOperator is how long an operator in quotes may be, in bytes, with a blank on
// each side.
const maxOperator = 6

// suspicious reports whether what was read of a tail, before it was none, has no
// place in prose.
func (p *sqlTail) suspicious() bool {
	return p.logic > 0 && (p.known > 0 || p.constant) || p.closes > 0 && (p.comment || p.known+p.unions > 0 || p.literal && p.quote != 0) ||
		p.quote != 0 && p.logic > 0 && p.depth > 0 && p.names+p.strings == 0
}

// beginsProse reports whether value begins with two words of which neither has a
// place in SQL's grammar.
func beginsProse(value []byte) bool {
	first := wordLength(value)
	rest := bytes.TrimLeft(value[first:], " \t\r\n")
	if first == 0 || len(rest) == len(value)-first {
		return false
	}
	second := wordLength(rest)
	return second > 0 && isPlain(rest[:second]) && isPlain(value[:first])
}

// wordLength returns how many letters b begins with.
func wordLength(b []byte) (n int) {
	for n < len(b) && classOf[b[n]]&letter != 0 {
		n++
	}
	return n
}

// goesOn reports whether rest, behind a quote, begins with a word that cannot follow
// a literal: O'Brien.
func goesOn(rest []byte) bool {
	n := wordLength(rest)
	return n > 0 && (n == len(rest) || classOf[rest[n]]&(blank|point) != 0) && isPlain(rest[:n])
}

// isPlain reports whether word has no place in SQL's grammar.
func isPlain(word []byte) bool { return keywordOf(word) == notKeyword && roleOf(word) == roleNone }

// isSuffix reports whether rest, behind an apostrophe, is the end of a word of
// English: it's, we're.
func isSuffix(rest []byte) bool {
	n := wordLength(rest)
	return n > 0 && n <= 2 && isPlain(rest[:n]) && (n == len(rest) || classOf[rest[n]]&(blank|point) != 0)
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
	case (p.harmful || p.sleeps) && (p.stacked || !p.dangling):
		return sqlFunction
	case p.stacked:
		return sqlStacked
	case p.file:
		return sqlFile
	case p.dangling && p.unions > 0 && p.selects > 0 && words <= 1:
		return sqlUnion
	case p.dangling:
		return weakIf(p.logic+p.unions+p.clauses+p.compares > 0 && words <= 1 && p.names+p.strings == 0, sqlWeakExpression)
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
		return -1
	case p.compares+p.signs+p.minus > 0:
		return p.outByOperator(words, cut)
	case p.comment:
		if cut && words <= 2 && !p.doubled && !p.requoted {
			return sqlComment
		}
		return weakIf(words <= 2, sqlWeakComment)
	}
	return weakIf(words <= 1 && !p.reopened && p.rest >= 0, sqlWeakQuote)
}

// weakIf returns rule if the condition holds; -1 otherwise.
func weakIf(condition bool, rule int) int {
	if condition {
		return rule
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
	return weakIf(p.compares+p.known > 0, sqlWeakExpression)
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
	case p.reopened && (words == 1 || p.compares > 1) && p.compares > 0 && p.open <= maxRest:
		return sqlOperator
	}
	return weakIf((p.reopened || p.compares > 0 && p.names == 0) && !p.worded, sqlWeakExpression)
}

// outOfNumber judges a tail that no quote begins.
func (p *sqlTail) outOfNumber() int {
	cut := p.comment && p.rest <= maxRest
	broken := p.start.kind != tokenWord && p.start.kind != tokenQuote
	switch {
	case (p.harmful || p.sleeps && (broken || p.names == 0)) && (p.stacked || !p.dangling):
		return sqlFunction
	case p.stacked:
		return sqlStacked
	case p.file:
		return sqlFile
	case p.dangling && p.unions > 0 && broken && (p.selects > 0 || p.start.kind == tokenOperator):
		return sqlUnion
	case p.selects > 0 && p.start.word == kwSelect && (p.columns > 1 || p.columns > 0 && p.dangling):
		return sqlUnion // the columns that fit another query
	case p.dangling:
		return weakIf(p.selects+p.unions > 0 || p.logic+p.clauses > 0 && broken && p.names+p.strings == 0, sqlWeakExpression)
	case p.unions > 0 && p.selects > 0 && (broken || p.start.word == kwUnion):
		return sqlUnion
	case p.reopened && (!broken || !p.constant):
		return weakIf(p.logic > 0 && p.compares > 0, sqlWeakExpression)
	case p.fixed && p.branches > 0 && p.commas > 0:
		return sqlCondition
	case p.constant && p.logic+p.clauses > 0 && (!p.led || p.closes > 0):
		return sqlTautology
	case p.fixed && p.equal && p.logic > 0 && p.names+p.strings == 0 && !p.signed:
		return sqlCondition
	case p.logic > 0 && broken && !p.led:
		return p.byLogic(cut)
	case p.clauses > 0 && p.logic > 0 && p.literal:
		return sqlClause
	case p.clauses > 0 && broken && (p.ordered && (p.names == 0 || p.known > 0) || cut),
		p.clauses > 0 && p.ordered && (p.start.word == kwOrder && p.names == 0 || cut):
		return sqlClause
	case p.selects > 0:
		return p.bySelect(cut)
	case p.names == 0 && p.system > 0 && p.known > 1:
		return sqlFunction
	case p.names == 0 && (p.cases > 0 && p.ended || p.fixed && p.signs > 0 && p.start.kind == tokenOpen):
		return sqlCondition
	case p.names == 0 && cut && p.rest == 0 && (p.start.kind == tokenOpen || p.known+p.signs > 0 || p.last.start == p.start.start && p.dashed):
		return sqlComment
	case p.names == 0 && p.start.kind != tokenQuote && p.unions+p.compares+p.known > 0, p.catalog, broken && p.logic > 0 && p.compares > 0, p.clauses > 0 && p.constant:
		return sqlWeakExpression
	}
	return weakIf(p.names == 0 && cut && broken, sqlWeakComment)
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
	number := p.start.kind == tokenNumber || p.start.kind == tokenOperator
	mention := p.start.kind == tokenAt && p.system == 0 // @anna and @bob
	switch {
	case (sign && p.known > p.system || mention) && !cut:
	case p.names == 0 && (p.known > 0 || p.closes > 0 && p.compares > 0 || cut), number && p.known+p.compares > 0, cut && p.compares > 0:
		return sqlCondition
	}
	return weakIf(p.compares > 0 && !sign || p.literal || p.names == 0 && p.signed, sqlWeakExpression)
}
