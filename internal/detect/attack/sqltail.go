package attack

import "bytes"

// sqlTail reads a value as what an injection is: the end of a literal, and then
// the rest of an expression, in which operands and operators take turns up to the
// end of the value, a comment, or a quote that opens again what was broken out of.
// Prose fails at its second word, so that hardly anything is read of it.
type sqlTail struct {
	lexer sqlLexer
	quote byte // what the value breaks out of; 0: nothing, it begins as an expression
	facts
	want   bool // an operand comes next
	depth  int  // of parentheses
	last   token
	before tokenKind // of the token before last
	call   bool      // last is the parenthesis of a call
	calls  int       // the depth at which the outermost open call began
	table  bool      // last names a table, so that an alias may follow
	ranged bool      // between BETWEEN and its AND
	part   condition
}

// facts are what was seen in a tail.
type facts struct {
	doubled  bool // the literal ends in a quote twice
	start    token
	logic    int
	compares int
	signs    int // operators of arithmetic, minus excepted
	minus    int
	names    int // of columns
	known    int // functions and variables of databases
	system   int // those of them that tell about the database
	cases    int
	branches int // calls of IF and its like
	strings  int
	closes   int // parentheses that were not opened here
	clauses  int
	ordered  bool // by ORDER BY or GROUP BY
	unions   int
	selects  int
	columns  int  // numbers that are selected, outside of calls
	constant bool // a condition compares what is known beforehand
	fixed    bool // the first condition does
	led      bool // the first operand is compared before any logic
	worded   bool // by LIKE, IS or IN
	literal  bool // TRUE, FALSE or NULL is an operand
	signed   bool // logic is written || or &&
	states   bool // the value begins as a statement
	harmful  bool // it waits, burns time or reads files
	sleeps   bool // it calls SLEEP, as other languages do
	catalog  bool
	file     bool // it writes a file
	comment  bool // the rest is cut off
	rest     int  // how long what a comment cuts off is, in bytes
	reopened bool // the value ends in a string that is left open
	open     int  // how long that string is, in bytes
	dangling bool // an operand is missing at the end
	stacked  bool // a statement follows
	closed   bool // behind a semicolon
	partial  bool // what follows is no SQL any more
	requoted bool // the quote stands again in what a comment cuts off
	ended    bool // CASE has its END
	dashed   bool // the comment is -- behind a blank, or an open /*
	equal    bool // a comparison is =
	commas   int
}

// condition is what lies between two operators of logic.
type condition struct {
	compares, names int
	behind          bool // an operator of logic or a clause stands before it
}

// readTail reads value from at on, in the quotes given; 0 for none. It reports
// whether that is the tail of an expression.
func readTail(value []byte, at int, quote byte, plus bool, p *sqlTail) bool {
	*p = sqlTail{lexer: sqlLexer{value: value, pos: at, plus: plus}, quote: quote}
	if quote != 0 {
		p.lexer.pos++
		for p.lexer.at(0) == quote {
			p.lexer.pos++
			p.doubled = true
		}
		p.last.kind = tokenQuote
	} else if !p.begins() {
		return false
	}
	return p.read()
}

// read reads the tail to its end.
func (p *sqlTail) read() bool {
	for {
		t := p.lexer.next()
		if p.start.kind == tokenNone {
			p.start = t
		}
		if t.kind == tokenEnd || t.kind == tokenComment {
			p.ends(&t)
			return true
		}
		before := p.last.kind
		ok := false
		if p.want {
			ok = p.operand(&t)
		} else {
			ok = p.operator(&t)
		}
		if !ok {
			// what comes then may be anything
			p.condition()
			p.partial = true
			return p.logic > 0 && p.constant && (p.quote != 0 || p.closes+p.system > 0)
		}
		if p.stacked || p.reopened {
			p.condition()
			return true
		}
		p.last, p.before = t, before
	}
}

// maxStatement is the longest value whose first word, no keyword, may begin a
// statement, in bytes.
const maxStatement = 128

// begins reports whether an expression, or its tail, may begin with the first
// token, and says which of the two is expected.
func (p *sqlTail) begins() bool {
	l := p.lexer
	t := l.next()
	p.want = true
	switch t.kind {
	case tokenClose, tokenLogic, tokenSemi, tokenComma:
		p.want = false
	case tokenWord:
		switch t.word {
		case kwUnion, kwClause, kwOrder, kwLimit, kwInto, kwProcedure, kwWaitfor, kwDeclare, kwExec, kwStatement:
			p.want = false
		}
		p.want = p.want && roleOf(l.value[t.start:t.end]) != roleAlias
	}
	if t.kind == tokenWord && (t.word != notKeyword || len(l.value) <= maxStatement) {
		second := l.next()
		third := l.next()
		p.states = beginsStatement(l.value, &t, &second, &third)
	}
	return t.kind != tokenEnd
}

// ends takes the end of the value, or a comment that ends the statement.
func (p *sqlTail) ends(t *token) {
	p.dangling = p.want
	if t.kind == tokenComment {
		p.dashed = p.lexer.value[t.start] == '/' || p.lexer.value[t.start] == '-' && t.spaced
		p.rest = cutOff(p.lexer.value, t, p.last.kind == tokenQuote && p.before == tokenNone)
		p.comment = p.rest >= 0
		p.requoted = p.quote != 0 && bytes.IndexByte(p.lexer.value[t.end:], p.quote) >= 0
	}
	p.condition()
}

// cutOff returns how many bytes a comment at t cuts off: maxRest+1 where they are
// many, or have a quote among them; -1 where it is no comment but a number: #2, which
// may only be first.
func cutOff(value []byte, t *token, first bool) int {
	rest := value[t.end:]
	switch {
	case first && value[t.start] == '#' && len(rest) > 0 && classOf[rest[0]]&(letter|digit) != 0:
		return -1
	case len(rest) > maxRest, bytes.ContainsAny(rest, "'\"`") && classesOf(rest)&(letter|digit) != 0:
		return maxRest + 1
	}
	return len(rest)
}

// condition ends the condition that was read last.
func (p *sqlTail) condition() {
	if p.part.compares > 0 && p.part.names == 0 {
		p.constant = p.constant || p.part.behind
		p.fixed = true
	}
	p.part = condition{behind: true}
}

// leave takes a closing parenthesis.
func (p *sqlTail) leave() {
	if p.depth--; p.depth < 0 {
		p.depth = 0
		p.closes++
	}
	if p.depth < p.calls {
		p.calls = 0
	}
}

// operator takes a token where an operator is due.
func (p *sqlTail) operator(t *token) bool {
	c := p.lexer.value[t.start]
	switch t.kind {
	case tokenClose:
		p.leave()
		return true
	case tokenLogic:
		if p.ranged && (c|0x20) == 'a' {
			p.ranged = false
		} else {
			p.logic++
			p.signed = p.signed || t.word == notKeyword
			p.condition()
		}
	case tokenCompare:
		p.compare()
		p.equal = p.equal || c == '='
		p.worded = p.worded || t.word != notKeyword && t.end-t.start < 5 && p.last.word != kwNot // no RLIKE, no NOT IN
	case tokenOperator:
		if c == '-' {
			p.minus++
		} else {
			p.signs++
		}
	case tokenComma:
		p.commas++
	case tokenSemi:
		p.condition()
		return p.statement()
	case tokenQuote:
		// strings that stand side by side are one
		return p.strings > 0 && p.last.kind == tokenQuote && p.before != tokenNone && p.text(t)
	case tokenOther:
		switch {
		case c == ':' && p.lexer.at(0) == ':': // 1::int
			p.lexer.pos++
			p.lexer.word()
			p.size()
			return true
		case c == '<' || c == '>':
			p.signs++
		default:
			return false
		}
	case tokenWord:
		return p.clause(t)
	default:
		return false
	}
	p.want, p.table = true, false
	return true
}

// compare takes a comparison.
func (p *sqlTail) compare() {
	p.compares++
	p.part.compares++
	if p.logic == 0 && p.clauses == 0 {
		p.led = true
	}
}
