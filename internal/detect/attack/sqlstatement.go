package attack

import "bytes"

// statement reads what stands behind a semicolon. It reports false where that is
// no statement.
func (p *sqlTail) statement() bool {
	l := &p.lexer
	p.closed = true
	t := l.next()
	for t.kind == tokenSemi {
		t = l.next()
	}
	switch {
	case t.kind == tokenOpen:
		next := l.next()
		p.stacked = next.kind == tokenWord && knownName(l.value[next.start:next.end], next.word) && l.at(0) == '('
		return p.stacked
	case t.kind == tokenEnd || t.kind == tokenComment:
		p.ends(&t)
		p.stacked = false
		l.pos = t.start
		return true
	case t.kind == tokenWord && p.statesNext(t):
		p.stacked = true
		return true
	}
	return false
}

// commands reports whether t, the first of the value, begins a statement that only
// attackers send whole: it runs one of SQL Server's own procedures, or waits.
func (p *sqlTail) commands(t *token) bool {
	l := p.lexer
	second := l.next()
	switch t.word {
	case kwExec:
		third := l.next()
		return isProcedure(l.value[second.start:second.end]) || third.kind == tokenDot && l.at(0) == '.'
	case kwDeclare, kwWaitfor:
		return p.statesNext(*t)
	case kwStatement: // CREATE USER x IDENTIFIED BY
		l.next()
		fourth := l.next()
		return second.word == kwObject && bytes.EqualFold(l.value[fourth.start:fourth.end], []byte("IDENTIFIED"))
	}
	return false
}

// statesNext reports whether t begins a statement, by it and the token behind it.
func (p *sqlTail) statesNext(t token) bool {
	l := p.lexer
	second := l.next()
	third := l.next()
	switch t.word {
	case kwSleep:
		p.sleeps = true
	case kwWaitfor, kwTime, kwPackage:
		p.harmful = true
	}
	return beginsStatement(p.lexer.value, &t, &second, &third)
}

// beginsStatement reports whether three tokens are the beginning of a statement, as
// English is not.
func beginsStatement(value []byte, first, second, third *token) bool {
	tight := second.kind == tokenOpen && !second.spaced
	text := func(t *token) []byte { return value[t.start:t.end] }
	switch first.word {
	case kwWaitfor:
		return second.word == kwDelay
	case kwSelect:
		return selectHead(second)
	case kwStatement:
		return second.word == kwObject && (third.kind == tokenWord || third.kind == tokenQuote)
	case kwInsert:
		return second.word == kwInto
	case kwDelete:
		return second.word == kwFrom || third.word == kwFrom
	case kwUpdate:
		return second.kind == tokenWord && third.word == kwSet
	case kwDeclare:
		return second.kind == tokenAt
	case kwBegin:
		return second.kind == tokenComment || second.kind == tokenEnd || second.kind == tokenSemi ||
			second.word == kwPackage || second.word == kwExec || second.word == kwDeclare || second.word == kwBegin ||
			second.word == kwIf && third.kind == tokenOpen || bytes.EqualFold(text(second), []byte("WITH")) && bytes.EqualFold(text(third), []byte("NOWAIT"))
	case kwIf, kwSleep, kwTime, kwPackage:
		return tight || second.kind == tokenDot && first.word == kwPackage || bytes.EqualFold(text(second), []byte("EXISTS")) && third.kind == tokenOpen
	case kwExec:
		return second.kind == tokenAt || second.kind == tokenOpen || second.word == kwProbe || second.kind == tokenQuote && second.spaced ||
			second.word == kwImmediate || isProcedure(text(second)) ||
			second.kind == tokenWord && (third.kind == tokenDot && third.end < len(value) && classOf[value[third.end]]&blank == 0 ||
				third.kind == tokenQuote && third.spaced || third.kind == tokenOpen && !third.spaced)
	case kwCopy:
		return second.kind == tokenOpen || second.kind == tokenWord && (third.word == kwFrom || third.word == kwTo)
	case kwAttach:
		return second.word == kwObject || second.word == kwData || second.kind == tokenQuote && second.spaced ||
			bytes.EqualFold(text(second), []byte("XML"))
	case kwPragma:
		return second.kind == tokenWord && (third.kind == tokenCompare || third.kind == tokenOpen || third.kind == tokenDot)
	case notKeyword, kwSet:
		return administers(text(first), text(third), second, third)
	}
	return false
}

// isProcedure reports whether name is one of SQL Server's own procedures.
func isProcedure(name []byte) bool {
	return len(name) > 4 && name[1]|0x20 == 'p' && name[2] == '_' && (name[0]|0x20 == 's' || name[0]|0x20 == 'x')
}

// administers reports whether verb begins one of the statements that administer a
// database.
func administers(verb, object []byte, second, third *token) bool {
	var buf [8]byte
	if len(verb) > len(buf) {
		return false
	}
	for i, c := range verb {
		buf[i] = c &^ 0x20
	}
	ended := third.kind == tokenSemi || third.kind == tokenEnd || third.kind == tokenComment
	switch string(buf[:len(verb)]) {
	case "GRANT", "REVOKE":
		return second.kind == tokenWord && (third.word == kwTo || third.word == kwFrom)
	case "HANDLER":
		return bytes.EqualFold(object, []byte("OPEN")) || bytes.EqualFold(object, []byte("READ"))
	case "USE", "DESC", "DESCRIBE", "SHOW":
		return second.kind == tokenWord && ended
	case "PRINT", "SET":
		return second.kind == tokenAt
	case "BACKUP":
		return second.word == kwObject && third.kind == tokenWord
	case "BULK":
		return second.word == kwInsert
	}
	return false
}
