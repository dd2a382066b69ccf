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
	table  bool      // last names a table, so that an alias may follow
	range_ bool      // between BETWEEN and its AND
	part   condition
}

// facts are what was seen in a tail.
type facts struct {
	at       int  // where the tail begins, behind the literal
	doubled  bool // that ends in a quote twice
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
	constant bool // a condition compares what is known beforehand
	fixed    bool // the first condition does
	led      bool // the first operand is compared before any logic
	worded   bool // by LIKE, IS or IN
	harmful  bool // it waits or burns time
	catalog  bool
	file     bool // it writes a file
	comment  bool // the rest is cut off
	rest     int  // how long what a comment cuts off is, in bytes
	reopened bool // the value ends in a string that is left open
	open     int  // how long that string is, in bytes
	dangling bool // an operand is missing at the end
	stacked  bool // a statement follows
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
	p.at = at
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
			return p.logic > 0 && p.constant && (p.quote != 0 || p.closes+p.system > 0)
		}
		if p.stacked || p.reopened {
			p.condition()
			return true
		}
		p.last, p.before = t, before
	}
}

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
	return t.kind != tokenEnd
}

// ends takes the end of the value, or a comment that ends the statement.
func (p *sqlTail) ends(t *token) {
	p.dangling = p.want
	if t.kind == tokenComment {
		p.comment = true
		p.rest = cutOff(p.lexer.value, t)
	}
	p.condition()
}

// cutOff returns how many bytes a comment at t cuts off; maxRest+1 where it is none:
// #2 is a number, and what has a quote in it goes on.
func cutOff(value []byte, t *token) int {
	rest := value[t.end:]
	if len(rest) > maxRest || bytes.ContainsAny(rest, "'\"`") && classesOf(rest)&(letter|digit) != 0 ||
		value[t.start] == '#' && len(rest) > 0 && classOf[rest[0]]&(letter|digit) != 0 {
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

// operand takes a token where an operand is due.
func (p *sqlTail) operand(t *token) bool {
	switch t.kind {
	case tokenNumber:
		p.want = false
	case tokenQuote:
		return p.text(t)
	case tokenAt:
		return p.variable(t)
	case tokenOpen:
		p.depth++
		p.call = false
		return true
	case tokenClose:
		if !p.call {
			return false
		}
		p.depth--
		p.want = false
	case tokenOperator:
		return p.sign(t)
	case tokenDot:
		return classOf[p.lexer.at(0)]&digit != 0
	case tokenOther:
		return p.lexer.value[t.start] == '!' && t.end == t.start+1 ||
			p.lexer.value[t.start] == '\\' && p.skip('N')
	case tokenWord:
		return p.word(t)
	default:
		return false
	}
	p.call = false
	return true
}

// sign takes a sign before an operand, or the star of SELECT * and COUNT(*).
func (p *sqlTail) sign(t *token) bool {
	if p.lexer.value[t.start] != '*' {
		return p.lexer.value[t.start] == '-' || p.lexer.value[t.start] == '+' || p.lexer.value[t.start] == '~'
	}
	p.want = false
	return p.last.word == kwSelect || p.last.word == kwAll || p.last.kind == tokenComma || p.call || p.last.kind == tokenDot
}

// skip reads c if it comes next.
func (p *sqlTail) skip(c byte) bool {
	if p.lexer.at(0) != c {
		return false
	}
	p.lexer.pos++
	p.want = false
	return true
}

// text takes a string, or a quoted name.
func (p *sqlTail) text(t *token) bool {
	l := &p.lexer
	quote := l.value[t.start]
	if quote == ']' {
		return false
	}
	if quote == '[' {
		quote = ']'
	}
	p.strings++
	p.want, p.call = false, false
	for {
		n := bytes.IndexByte(l.value[l.pos:], quote)
		if n < 0 {
			p.reopened = true
			p.open = len(l.value) - l.pos
			return p.quote == 0 || p.quote == l.value[t.start] || p.quote == quote
		}
		l.pos += n + 1
		if l.at(0) != quote || n == 0 && l.pos-1 == t.end && l.at(1) != quote {
			break
		}
		l.pos++ // a doubled quote
	}
	if quote == '`' || quote == ']' {
		p.names++
		p.part.names++
	}
	t.end = l.pos
	return true
}

// variable takes @name, @@name or @'name'.
func (p *sqlTail) variable(t *token) bool {
	p.want, p.call = false, false
	p.known++
	if p.lexer.value[t.end-1] == '@' && t.end-t.start == 2 {
		p.system++
	}
	if classOf[p.lexer.at(0)]&quote != 0 {
		next := p.lexer.next()
		return p.text(&next)
	}
	p.lexer.word()
	for p.lexer.at(0) == '.' {
		p.lexer.pos++
		p.lexer.word()
	}
	return p.lexer.pos > t.end || p.lexer.at(0) != 0
}

// word takes a word where an operand is due.
func (p *sqlTail) word(t *token) bool {
	p.call = false
	switch t.word {
	case kwSelect:
		p.selects++
		return p.last.kind == tokenOpen || p.last.kind == tokenNone || p.last.word == kwUnion || p.last.word == kwAll
	case kwCase:
		p.cases++
		return true
	case kwAll, kwNot, kwLimit:
		return true
	case kwClause: // CASE WHEN
		p.condition()
		return p.last.word == kwCase
	case kwValues:
		return p.last.word == kwUnion || p.last.word == kwAll
	case kwObject:
		if p.last.word == kwUnion || p.last.word == kwAll {
			return true // UNION TABLE t
		}
	case kwFrom, kwOrder, kwBy, kwInto, kwUnion, kwSet:
		return false
	}
	switch roleOf(p.lexer.value[t.start:t.end]) {
	case rolePrefix:
		return true
	case roleNone:
		return p.name(t)
	}
	return p.lexer.at(0) == '(' && p.name(t)
}

// name takes a name: of a column, with those of its table and schema, of a function
// that is called, or a word in front of a string: N'text'.
func (p *sqlTail) name(t *token) bool {
	l := &p.lexer
	parts := 1
	for l.at(0) == '.' && (classOf[l.at(1)]&(letter|star) != 0 || l.at(1) == '_' || l.at(1) == '.') {
		l.pos++
		if !p.skip('*') {
			l.word()
		}
		parts++
	}
	if c := l.at(0); c == '\'' && l.pos-t.start <= 8 && (l.pos-t.start == 1 || l.value[t.start] == '_') {
		next := l.next()
		return p.text(&next)
	}
	is := t.word == kwPackage && parts > 1 || knownName(l.value[t.start:l.pos], t.word)
	if systemName(l.value[t.start:l.pos]) {
		is = true
		p.system++
	}
	if l.at(0) == '(' || is && l.pos < len(l.value) && p.opensNext() {
		l.blank()
		l.pos++
		p.depth++
		p.call = true
		p.called(t, is)
		return true
	}
	p.want = false
	switch {
	case is:
		p.known++
	case t.word == kwSchema || parts > 1 && t.end-t.start <= 5 && systemSchema(l.value[t.start:t.end]):
		p.catalog = true
	default:
		p.names++
		p.part.names++
	}
	t.end = l.pos
	return true
}

// systemSchema reports whether name is a schema in which a database keeps what it
// knows of itself.
func systemSchema(name []byte) bool {
	return bytes.EqualFold(name, []byte("sys")) || bytes.EqualFold(name, []byte("mysql"))
}

// readsFile reports whether name is a function that reads a file or loads code.
func readsFile(name []byte) bool {
	switch len(name) {
	case len("LOAD_FILE"):
		return bytes.EqualFold(name, []byte("LOAD_FILE"))
	case len("LOAD_EXTENSION"):
		return bytes.EqualFold(name, []byte("LOAD_EXTENSION"))
	case len("PG_READ_FILE"):
		return bytes.EqualFold(name, []byte("PG_READ_FILE"))
	}
	return false
}

// opensNext reports whether a parenthesis comes next, behind blanks.
func (p *sqlTail) opensNext() bool {
	l := p.lexer
	return l.next().kind == tokenOpen
}

// called notes the call of a function.
func (p *sqlTail) called(t *token, known bool) {
	if known {
		p.known++
	} else {
		p.names++
		p.part.names++
	}
	switch t.word {
	case kwSleep, kwTime, kwPackage:
		p.harmful = true
	case kwIf:
		p.branches++
	}
	p.harmful = p.harmful || readsFile(p.lexer.value[t.start:t.end])
}

// operator takes a token where an operator is due.
func (p *sqlTail) operator(t *token) bool {
	c := p.lexer.value[t.start]
	switch t.kind {
	case tokenClose:
		if p.depth--; p.depth < 0 {
			p.depth = 0
			p.closes++
		}
		return true
	case tokenLogic:
		if p.range_ && (c|0x20) == 'a' {
			p.range_ = false
		} else {
			p.logic++
			p.condition()
		}
	case tokenCompare:
		p.compare()
		p.worded = p.worded || t.word != notKeyword && t.end-t.start < 5 && p.last.word != kwNot // no RLIKE, no NOT IN
	case tokenOperator:
		if c == '-' {
			p.minus++
		} else {
			p.signs++
		}
	case tokenComma:
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
