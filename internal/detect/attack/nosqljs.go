package attack

import "bytes"

// breaksOutOfJavaScript returns where text closes a string of the JavaScript that
// MongoDB's $where runs and goes on with a condition or a statement, and then
// opens the string again or cuts the rest off. -1 where it does not.
func breaksOutOfJavaScript(text []byte) int {
	for _, q := range []byte{'\'', '"'} {
		n := bytes.IndexByte(text, q)
		if n < 0 || wordsIn(text[:n]) > 2 {
			continue
		}
		rest := bytes.TrimLeft(text[n+1:], " \t\r\n)}]")
		if len(rest) < 2 || !closesJavaScript(rest, q) {
			continue
		}
		switch {
		case string(rest[:2]) == "||" || string(rest[:2]) == "&&":
			if isJavaScript(rest) && len(rest) > 2 && classOf[rest[2]]&(blank|letter|digit|quote|paren|point) != 0 {
				return n
			}
		case rest[0] == ';' && statesJavaScript(bytes.TrimLeft(rest[1:], " \t\r\n;})")):
			return n
		}
	}
	return -1
}

// closesJavaScript reports whether rest, behind a quote that closes a string, opens
// it again, ends in a comment or ends a statement.
func closesJavaScript(rest []byte, quote byte) bool {
	if bytes.Count(rest, []byte{quote})%2 == 1 {
		return true
	}
	end := bytes.TrimRight(rest, " \t\r\n\x00")
	n := bytes.LastIndex(end, []byte("//"))
	return n >= 0 && len(end)-n <= maxRest || len(end) > 0 && (end[len(end)-1] == ';' || end[len(end)-1] == '}') || bytes.HasSuffix(end, []byte("/*"))
}

// isJavaScript reports whether text compares as JavaScript does and SQL does not,
// or reads the document of $where.
func isJavaScript(text []byte) bool {
	return bytes.Contains(text, []byte("==")) || bytes.Contains(text, []byte("this."))
}

// statesJavaScript reports whether text begins with a statement that waits, decides
// or reads the document.
func statesJavaScript(text []byte) bool {
	n := wordLength(text)
	if n == len(text) {
		return false
	}
	next := bytes.TrimLeft(text[n:], " \t\r\n")
	switch string(text[:n]) {
	case "return":
		value := next[:wordLength(next)]
		return isJavaScript(text) || bytes.Contains(text, []byte("!=")) || string(value) == "true" || len(next) > 0 && classOf[next[0]]&digit != 0
	case "while", "do", "for", "sleep", "this", "db":
		return len(next) > 0 && (next[0] == '(' || next[0] == '{' || next[0] == '.')
	case "var", "let":
		return bytes.IndexByte(next, '=') > 0
	}
	return n > 0 && len(next) > 1 && next[0] == '=' && bytes.HasPrefix(bytes.TrimLeft(next[1:], " "), []byte("new Date"))
}
