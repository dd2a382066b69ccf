package attack

import "bytes"

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
		p.range_ = true
		return true
	case kwNot: // NOT LIKE, NOT IN
		p.want = false
		return true
	case kwFrom:
		p.table = true
		return p.selects > 0 || p.depth > 0
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
	if p.last.kind == tokenNone && p.commands(t) || p.quote != 0 && p.last.kind == tokenQuote && p.statesNext(*t) {
		p.stacked = true // without a semicolon, as SQL Server allows
		return true
	}
	return p.role(t)
}

// role takes a word that is a keyword only here.
func (p *sqlTail) role(t *token) bool {
	word := p.lexer.value[t.start:t.end]
	switch roleOf(word) {
	case roleInfix:
		return true
	case roleCompare:
		p.compare()
		return p.lexer.next().word == kwTo
	case roleSuffix:
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

// statement reads what stands behind a semicolon. It reports false where that is
// no statement.
func (p *sqlTail) statement() bool {
	l := &p.lexer
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
	case kwWaitfor, kwSleep, kwTime, kwPackage:
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
			second.word == kwIf && third.kind == tokenOpen
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

// role is what a word that English has, too, does in an expression.
type role uint8

const (
	roleNone    role = iota
	rolePrefix       // an operand follows it: BINARY x
	roleInfix        // between two operands: a JOIN b
	roleSuffix       // behind an operand: CASE … END
	roleAlias        // a name follows: x AS y
	roleCompare      // SIMILAR TO
)

// roleOf returns the role of word, in any case.
func roleOf(word []byte) role {
	if len(word) < 2 || len(word) > longestRole {
		return roleNone
	}
	var buf [longestRole]byte
	for i, c := range word {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf[i] = c
	}
	switch string(buf[:len(word)]) {
	case "BINARY", "EXISTS", "ANY", "SOME", "INTERVAL", "PRIOR", "ROW", "STRAIGHT_JOIN", "SQL_CALC_FOUND_ROWS", "ANALYSE", "OUTFILE", "DUMPFILE":
		return rolePrefix
	case "JOIN", "CROSS", "NATURAL", "INNER", "ON", "USING", "THEN", "ELSE", "ESCAPE", "FOR", "MATCH", "SEPARATOR", "OVERLAPS":
		return roleInfix
	case "END", "ASC", "DESC", "SOUNDS", "NULLS", "ISNULL", "NOTNULL", "ROLLUP", "WITH", "MODE", "ROWNUM":
		return roleSuffix
	case "AS", "COLLATE":
		return roleAlias
	case "SIMILAR":
		return roleCompare
	}
	return roleNone
}

const longestRole = len("SQL_CALC_FOUND_ROWS")

// knownName reports whether a word with the role kw names a function or a
// constant of databases.
func knownName(word []byte, kw keyword) bool {
	switch kw {
	case kwIf, kwProbe, kwChar, kwSleep, kwTime, kwInsert:
		return true
	}
	if systemName(word) {
		return true
	}
	if len(word) < 2 || len(word) > longestName {
		return false
	}
	var buf [longestName]byte
	for i, c := range word {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf[i] = c
	}
	switch string(buf[:len(word)]) {
	case "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "SYSDATE", "CURDATE", "CURTIME", "NOW", "UTC_DATE", "COERCIBILITY", "COMPRESS", "UNCOMPRESS",
		"PI", "COS", "SIN", "TAN", "ATAN", "COT", "ABS", "POW", "POWER", "SQRT", "ROUND", "TRUNCATE", "CEIL", "CEILING", "SIGN", "LOG", "LN", "MOD",
		"MIN", "MAX", "AVG", "SUM", "COUNT", "HEX", "BIN", "OCT", "CONV", "CRC32", "SHA1", "SHA2", "LENGTH", "LEN", "CHAR_LENGTH", "OCTET_LENGTH",
		"BIT_LENGTH", "LOWER", "UPPER", "LCASE", "UCASE", "LEFT", "RIGHT", "MID", "LPAD", "RPAD", "TRIM", "LTRIM", "RTRIM", "REVERSE", "REPEAT", "SPACE",
		"STRCMP", "INSTR", "LOCATE", "POSITION", "FIELD", "FIND_IN_SET", "ISNULL", "NVL", "NVL2", "DECODE", "GREATEST", "LEAST", "TO_CHAR", "TO_NUMBER",
		"UNICODE", "QUOTE", "SOUNDEX", "UUID", "NAME_CONST", "ROW", "LIKELIHOOD", "LIKELY", "UNLIKELY", "ZEROBLOB", "TYPEOF", "TOTAL", "CTXSYS", "QUOTENAME",
		"BIT_AND", "BIT_OR", "STRING_AGG", "LISTAGG", "ARRAY_AGG", "JSON_EXTRACT", "ROWNUM", "UTL_RAW", "RAWTOHEX", "CHARINDEX", "PATINDEX", "STUFF":
		return true
	}
	return false
}

const longestName = len("CURRENT_TIMESTAMP")

// systemName reports whether word names a function that tells
// about the database, its users or its files.
func systemName(word []byte) bool {
	if len(word) < 4 || len(word) > longestName {
		return false
	}
	var buf [longestName]byte
	for i, c := range word {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf[i] = c
	}
	switch string(buf[:len(word)]) {
	case "USER", "DATABASE", "SCHEMA", "VERSION", "CURRENT_USER", "SYSTEM_USER", "SESSION_USER", "USER_NAME", "SUSER_NAME", "SUSER_SNAME", "DB_NAME",
		"HOST_NAME", "CURRENT_DATABASE", "CURRENT_SCHEMA", "CURRENT_SETTING", "CONNECTION_ID", "LAST_INSERT_ID", "ROW_COUNT", "FOUND_ROWS", "LOAD_FILE",
		"IS_SRVROLEMEMBER", "IS_MEMBER", "SERVERPROPERTY", "SQLITE_VERSION", "LOAD_EXTENSION", "EXTRACTVALUE", "UPDATEXML", "PG_READ_FILE", "PG_LS_DIR":
		return true
	}
	return false
}
