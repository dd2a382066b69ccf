package attack

import "bytes"

// operand takes a token where an operand is due.
func (p *sqlTail) operand(t *token) bool {
	switch t.kind {
	case tokenNumber:
		p.want = false
		p.literal = p.literal || t.word == kwLiteral
		if p.selects > 0 && p.calls == 0 && p.clauses == 0 && (p.last.kind == tokenComma || p.last.kind == tokenOpen || p.last.word == kwSelect) {
			p.columns++
		}
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
		p.leave()
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

// maxDoubled is how many doubled quotes a string may have.
const maxDoubled = 8

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
	doubled := 0
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
		if doubled++; doubled > maxDoubled {
			return false
		}
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
	case kwLimit:
		next := p.lexer
		if head := next.next(); head.kind != tokenNumber && head.kind != tokenOpen {
			return p.name(t)
		}
		return true
	case kwAll, kwNot:
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
	if l.at(0) == '\'' && introduces(l.value[t.start:l.pos]) {
		next := l.next()
		return p.text(&next)
	}
	is := t.word == kwPackage && parts > 1 || knownName(l.value[t.start:l.pos], t.word)
	if w := l.value[t.start:l.pos]; (l.at(0) == '(' || bytes.IndexByte(w, '_') > 0) && systemName(w) {
		is = true
		p.system++
	}
	if l.at(0) == '(' || is && l.pos < len(l.value) && p.opensNext() {
		l.blank()
		l.pos++
		p.depth++
		p.call = true
		if p.calls == 0 {
			p.calls = p.depth
		}
		p.called(t, is)
		return true
	}
	p.want = false
	switch {
	case is:
		p.known++
	case t.word == kwSchema || parts > 1 && t.end-t.start <= 5 && systemSchema(l.value[t.start:t.end]):
		p.catalog = true
		p.part.names++
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

// introduces reports whether word may stand right before a string and belong to it:
// N'text', x'1f', _utf8'text'.
func introduces(word []byte) bool {
	return len(word) == 1 && bytes.IndexByte([]byte("nxbeq"), word[0]|0x20) >= 0 || len(word) <= 8 && word[0] == '_'
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
	case kwSleep:
		p.sleeps = true
	case kwTime, kwPackage:
		p.harmful = true
	case kwIf:
		p.branches++
	}
	p.harmful = p.harmful || readsFile(p.lexer.value[t.start:t.end])
}
