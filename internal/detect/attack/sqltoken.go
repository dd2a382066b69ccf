package attack

import "bytes"

// confirmSQL reports whether the token of SQL at value[start:end] may be one: it is a
// word of its own, and what follows is what SQL has there. Most that stand in prose
// are not.
func confirmSQL(value []byte, start, end int) bool {
	if start > 0 && classOf[value[start-1]]&letter != 0 && classOf[value[start]]&letter != 0 {
		return value[start-1]|0x20 == 'n' && start > 1 && value[start-2] == '\\' // \nselect
	}
	next := afterBlank(value, end)
	switch value[start] | 0x20 {
	case 's':
		if end-start == len("select") {
			return confirmSelect(value, end, next)
		}
		return next < len(value) && value[next] == '(' // sleep
	case 'u':
		if end-start == len("union") {
			return confirmUnion(value[next:])
		}
	case 'b', 'r': // benchmark, randomblob, recursive
		return value[end-1]|0x20 == 'e' || next < len(value) && value[next] == '('
	case 'd':
		if end-start == len("declare") {
			return next < len(value) && value[next] == '@'
		}
	case 'p': // procedure analyse
		return next < len(value) && value[next]|0x20 == 'a'
	}
	return true
}

// afterBlank returns where, from i on, blanks, comments and what stands for blanks
// end.
func afterBlank(value []byte, i int) int {
	for i < len(value) {
		switch c := value[i]; {
		case classOf[c]&(blank|control) != 0 || c == '+':
			i++
		case c == '/' && i+1 < len(value) && value[i+1] == '*':
			n := bytes.Index(value[i+2:min(len(value), i+maxComment)], []byte("*/"))
			if n < 0 {
				return i
			}
			i += 2 + n + 2
		case c == '*' && i+1 < len(value) && value[i+1] == '/':
			i += 2
		default:
			return i
		}
	}
	return i
}

// confirmSelect reports whether SELECT, which ends at end, has something to select at
// value[next:]: no word of prose.
func confirmSelect(value []byte, end, next int) bool {
	if next == len(value) || next == end && classOf[value[end]]&(letter|digit) != 0 {
		return false
	}
	n := wordLength(value[next:])
	if n == 0 {
		return value[next] != '.' && value[next] != ')' && value[next] != '?' || next > end
	}
	switch keywordOf(value[next : next+n]) {
	case kwCase, kwProbe, kwPackage, kwChar, kwSleep, kwTime, kwIf, kwLimit, kwAll, kwNot, kwLiteral, kwSelect, kwSchema:
		return true
	}
	// a name: the query goes on behind it
	rest := next + n
	for rest < len(value) && (classOf[value[rest]]&(letter|digit) != 0 || value[rest] == '_' || value[rest] == '$') {
		rest++
	}
	after := afterBlank(value, rest)
	if after == len(value) {
		return false
	}
	if n = wordLength(value[after:]); n == 0 {
		return value[after] != '.' || after == rest
	}
	switch keywordOf(value[after : after+n]) {
	case kwFrom, kwInto, kwUnion, kwLimit, kwClause:
		return after > rest
	}
	return hasPrefixFold(value[after:], "as ")
}

// confirmUnion reports whether rest, behind UNION, begins another query.
func confirmUnion(rest []byte) bool {
	if len(rest) == 0 {
		return false
	}
	n := wordLength(rest)
	if n == 0 {
		return bytes.IndexByte([]byte(".,)?!;:"), rest[0]) < 0
	}
	switch keywordOf(rest[:n]) {
	case kwSelect, kwAll, kwValues, kwObject:
		return true
	}
	return n > len("select") && hasPrefixFold(rest, "select")
}
