package attack

// keyword is a word that has a place in SQL's grammar, by the role it plays.
type keyword uint8

const (
	notKeyword keyword = iota
	kwSelect
	kwUnion
	kwAll       // ALL DISTINCT
	kwLogic     // AND OR XOR
	kwNot       //
	kwClause    // WHERE HAVING WHEN: a condition follows
	kwIf        // IF IIF ELT MAKE_SET: a condition follows in parentheses
	kwLike      // LIKE RLIKE REGEXP ILIKE GLOB IS IN
	kwBetween   //
	kwLiteral   // NULL TRUE FALSE
	kwFrom      //
	kwOrder     // ORDER GROUP
	kwBy        //
	kwCase      //
	kwInto      //
	kwOutfile   // OUTFILE DUMPFILE
	kwWaitfor   //
	kwDelay     // DELAY TIME
	kwStatement // a word that can begin a statement after ; and needs an object: DROP CREATE ALTER TRUNCATE
	kwObject    // TABLE DATABASE FUNCTION …
	kwInsert    //
	kwUpdate    //
	kwSet       //
	kwDelete    //
	kwExec      // EXEC EXECUTE CALL
	kwDeclare   //
	kwBegin     // BEGIN SHUTDOWN
	kwImmediate // EXECUTE IMMEDIATE
	kwCopy      // COPY t FROM, COPY (query) TO
	kwTo        //
	kwPragma    //
	kwAttach    // ATTACH LOAD
	kwData      // DATA EXTENSION
	kwValues    //
	kwChar      // CHR CHAR NCHAR
	kwSleep     // SLEEP, a word of English too
	kwTime      // other functions that wait or burn time
	kwProbe     // functions that read, compute or fail on purpose
	kwPackage   // packages of such functions: DBMS_LOCK.SLEEP
	kwSchema    // catalogues
	kwProcedure //
	kwAnalyse   //
	kwLimit     // LIMIT OFFSET TOP
	kwRecursive // WITH RECURSIVE
)

// kind is what the lexer makes of a word with that role.
func (k keyword) kind() tokenKind {
	switch k {
	case kwLogic:
		return tokenLogic
	case kwLike:
		return tokenCompare
	case kwLiteral:
		return tokenNumber
	}
	return tokenWord
}

// longestKeyword is the length of the longest keyword, in bytes.
const longestKeyword = 18

// keywordOf returns the role of word, in any case.
func keywordOf(word []byte) keyword {
	if len(word) < 2 || len(word) > longestKeyword {
		return notKeyword
	}
	var buf [longestKeyword]byte
	for i, c := range word {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		buf[i] = c
	}
	switch string(buf[:len(word)]) {
	case "SELECT":
		return kwSelect
	case "UNION", "EXCEPT", "INTERSECT", "MINUS":
		return kwUnion
	case "ALL", "DISTINCT", "DISTINCTROW", "UNIQUE":
		return kwAll
	case "AND", "OR", "XOR", "DIV":
		return kwLogic
	case "NOT":
		return kwNot
	case "WHERE", "HAVING", "WHEN":
		return kwClause
	case "IF", "IIF", "ELT", "MAKE_SET":
		return kwIf
	case "LIKE", "RLIKE", "REGEXP", "ILIKE", "GLOB", "IS", "IN":
		return kwLike
	case "BETWEEN":
		return kwBetween
	case "NULL", "TRUE", "FALSE":
		return kwLiteral
	case "FROM":
		return kwFrom
	case "ORDER", "GROUP":
		return kwOrder
	case "BY":
		return kwBy
	case "CASE":
		return kwCase
	case "INTO":
		return kwInto
	case "OUTFILE", "DUMPFILE":
		return kwOutfile
	case "WAITFOR":
		return kwWaitfor
	case "DELAY":
		return kwDelay
	case "DROP", "CREATE", "ALTER", "TRUNCATE":
		return kwStatement
	case "TABLE", "DATABASE", "SCHEMA", "VIEW", "INDEX", "FUNCTION", "PROC", "TRIGGER", "USER", "LOGIN", "ROLE", "ALIAS":
		return kwObject
	case "INSERT", "REPLACE":
		return kwInsert
	case "UPDATE":
		return kwUpdate
	case "SET":
		return kwSet
	case "DELETE":
		return kwDelete
	case "EXEC", "EXECUTE", "CALL":
		return kwExec
	case "DECLARE":
		return kwDeclare
	case "BEGIN", "SHUTDOWN":
		return kwBegin
	case "IMMEDIATE":
		return kwImmediate
	case "COPY":
		return kwCopy
	case "TO":
		return kwTo
	case "PRAGMA":
		return kwPragma
	case "ATTACH", "LOAD":
		return kwAttach
	case "DATA", "EXTENSION":
		return kwData
	case "VALUES":
		return kwValues
	case "CHR", "CHAR", "NCHAR":
		return kwChar
	case "SLEEP":
		return kwSleep
	case "PG_SLEEP", "BENCHMARK", "RANDOMBLOB":
		return kwTime
	case "EXTRACTVALUE", "UPDATEXML", "XMLTYPE", "GTID_SUBSET", "GTID_SUBTRACT", "JSON_KEYS", "RAISE_ERROR", "LOAD_FILE",
		"LOAD_EXTENSION", "XP_CMDSHELL", "XP_DIRTREE", "SP_EXECUTESQL", "SP_PASSWORD", "OPENROWSET",
		"CONCAT", "CONCAT_WS", "GROUP_CONCAT", "UNHEX", "CRYPT_KEY", "REGEXP_SUBSTRING", "GENERATE_SERIES",
		"SUBSTR", "SUBSTRING", "ASCII", "ORD", "EXP", "FLOOR", "RAND", "VERSION", "MD5", "CONVERT", "CAST", "NULLIF", "IFNULL", "COALESCE":
		return kwProbe
	case "DBMS_LOCK", "DBMS_PIPE", "DBMS_SESSION", "DBMS_UTILITY", "DBMS_XMLGEN", "UTL_INADDR", "UTL_HTTP", "CTXSYS",
		"USER_LOCK", "DBMS_ALERT", "DBMS_SCHEDULER", "DBMS_LDAP", "DBMS_JAVA", "UTL_TCP", "UTL_SMTP", "UTL_FILE":
		return kwPackage
	case "INFORMATION_SCHEMA", "SQLITE_MASTER", "SQLITE_SCHEMA", "SYSIBM", "SYSCAT", "SYSOBJECTS", "SYSCOLUMNS", "SYSUSERS", "PG_CATALOG",
		"PG_USER", "PG_SHADOW", "ALL_TABLES", "ALL_TAB_COLUMNS", "USER_TAB_COLUMNS", "ALL_USERS", "USER_TABLES", "DUAL", "MSYSOBJECTS", "RDB$DATABASE", "RDB$FIELDS", "SYSMASTER":
		return kwSchema
	case "PROCEDURE":
		return kwProcedure
	case "ANALYSE":
		return kwAnalyse
	case "RECURSIVE":
		return kwRecursive
	case "LIMIT", "OFFSET", "TOP":
		return kwLimit
	}
	return notKeyword
}
