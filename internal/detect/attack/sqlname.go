package attack

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
	case "END", "ASC", "DESC", "SOUNDS", "NULLS", "ISNULL", "NOTNULL", "ROLLUP", "WITH", "MODE":
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
