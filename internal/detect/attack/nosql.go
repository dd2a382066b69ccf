package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in nosqlRules.
const (
	nosqlKey = iota
	nosqlOperator
	nosqlJavaScript
	nosqlCommand
	nosqlWeakOperator
)

var nosqlRules = []rule{
	nosqlKey:          {id: "nosql.key", signature: "NoSQL injection: operator as a key", category: "nosql", severity: detect.High, score: sure},
	nosqlOperator:     {id: "nosql.operator", signature: "NoSQL injection: operator added", category: "nosql", severity: detect.High, score: likely},
	nosqlJavaScript:   {id: "nosql.javascript", signature: "NoSQL injection: JavaScript in a query", category: "nosql", severity: detect.Critical, score: sure},
	nosqlCommand:      {id: "nosql.command", signature: "NoSQL injection: command of the shell", category: "nosql", severity: detect.High, score: likely},
	nosqlWeakOperator: {id: "nosql.weak-operator", signature: "Name of a NoSQL operator", category: "nosql", severity: detect.Low, score: suspect, weak: true},
}

// nosqlFamily finds operators of MongoDB where a value was expected, and the
// JavaScript that its $where runs.
var nosqlFamily = family{
	tokens: []string{
		"$ne", "$gt", "$lt", "$in", "$ni", "$re", "$wh", "$ex", "$or", "$an", "$no", "$eq", "$fu", "$el", "$co", "$ac", "$js",
		"this.", "==", "return", "new date", "while(", "sleep(", "db.",
	},
	rules: nosqlRules, match: matchNoSQL,
}

// matchNoSQL looks at every $ first, and then for what breaks out of a string of
// JavaScript.
func matchNoSQL(in *inspection, p *probe) (r *rule, at int) {
	text := p.span()
	if !in.spend(len(text)) {
		return nil, 0
	}
	weak := -1
	for i := 0; ; i++ {
		n := bytes.IndexByte(text[i:], '$')
		if n < 0 {
			break
		}
		i += n
		end := i + 1 + wordLength(text[i+1:])
		comment := string(text[i:end]) == "$comment" && classOf[text[0]]&quote != 0 // schemas have it, too
		if !comment && !isMongoOperator(text[i:end]) {
			continue
		}
		switch {
		case !comment && in.atKey() && end-i == len(p.value), memberNamed(text, i, end):
			return &nosqlRules[nosqlKey], p.from + i
		case added(text, i, end):
			return &nosqlRules[nosqlOperator], p.from + i
		}
		weak = i
	}
	if n := breaksOutOfJavaScript(text); n >= 0 {
		return &nosqlRules[nosqlJavaScript], p.from + n
	}
	if n := mongoCommand(text); n >= 0 {
		return &nosqlRules[nosqlCommand], p.from + n
	}
	if weak >= 0 && in.weak {
		return &nosqlRules[nosqlWeakOperator], p.from + weak
	}
	return nil, 0
}

// isMongoOperator reports whether name, which begins with $, changes what a query
// matches. Extended JSON ($oid, $date), schemas ($ref, $id) and variables have
// other names.
func isMongoOperator(name []byte) bool {
	switch string(name) {
	case "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$eq", "$regex", "$where", "$exists", "$or", "$and", "$nor", "$not",
		"$expr", "$function", "$accumulator", "$elemMatch", "$jsonSchema":
		return true
	}
	return false
}

// memberNamed reports whether text[i:end] is the last member in the name of a
// field: user[$ne], a[b][$in][], user.$gt=1.
func memberNamed(text []byte, i, end int) bool {
	if i == 0 || end == len(text) || text[i-1] != '[' || text[end] != ']' {
		return false
	}
	rest := bytes.TrimLeft(text[end+1:], "[]0123456789")
	return (len(rest) == 0 || rest[0] == '=') && (i == 1 || isFieldName(text[i-2]) || text[i-2] == ']')
}

func isFieldName(c byte) bool { return classOf[c]&(letter|digit|dash) != 0 }

// maxBefore is how much in front of an operator is read, in bytes.
const maxBefore = 256

// added reports whether the operator text[i:end] is a member in a fragment of a
// query: behind {, a comma or the end of a string, and in front of a colon.
func added(text []byte, i, end int) bool {
	if i > 0 && (text[i-1] == '"' || text[i-1] == '\'') {
		i--
	}
	before := bytes.TrimRight(text[:i], " \t\r\n")
	if len(before) > 0 && before[len(before)-1] != '{' && before[len(before)-1] != ',' {
		return false
	}
	if before = before[max(0, len(before)-maxBefore):]; wordsIn(before) > 1 && !bytes.ContainsAny(before, "'\"{[]}") {
		return false // prose
	}
	if end < len(text) && (text[end] == '"' || text[end] == '\'') {
		end++
	}
	rest := bytes.TrimLeft(text[end:], " \t\r\n")
	return len(rest) > 1 && rest[0] == ':' && startsValue(bytes.TrimLeft(rest[1:], " \t\r\n"))
}

// startsValue reports whether b begins with a value of JSON or a function.
func startsValue(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch b[0] {
	case '"', '\'', '{', '[', '/', '-':
		return true
	}
	if classOf[b[0]]&digit != 0 {
		return true
	}
	switch string(b[:wordLength(b)]) {
	case "true", "false", "null", "function", "new":
		return true
	}
	return false
}

// maxMongoCommand is how far the parts of a command are looked for, in bytes.
const maxMongoCommand = 64

// mongoCommand returns where text calls a method of a collection that changes or
// reads it, as MongoDB's shell does: db.users.drop(). -1 where it does not.
func mongoCommand(text []byte) int {
	lastEnd := bytes.LastIndexByte(text, ';')
	for i := 0; ; {
		n := bytes.Index(text[i:], []byte("db."))
		if n < 0 {
			return -1
		}
		i += n
		start := i
		i += len("db.")
		if start > 0 && classOf[text[start-1]]&(letter|digit|dash) != 0 {
			continue
		}
		rest := text[i:min(len(text), i+maxMongoCommand)]
		n = wordLength(rest)
		rest = rest[n:]
		if n == 0 || len(rest) == 0 || rest[0] != '.' {
			continue
		}
		n = wordLength(rest[1:]) + 1
		if n < len(rest) && rest[n] == '(' && isMongoMethod(rest[1:n]) && (start == 0 || lastEnd > i) {
			return start
		}
	}
}

// isMongoMethod reports whether name is a method of a collection.
func isMongoMethod(name []byte) bool {
	switch string(name) {
	case "insert", "insertOne", "insertMany", "update", "updateOne", "updateMany", "remove", "deleteOne", "deleteMany", "drop", "find", "findOne",
		"mapReduce", "aggregate", "dropIndex", "renameCollection":
		return true
	}
	return false
}
