package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in xpathRules.
const (
	xpathInjection = iota
	xpathExpression
)

var xpathRules = []rule{
	xpathInjection:  {id: "xpath.injection", signature: "XPath injection", category: "xpath", severity: detect.High, score: sure},
	xpathExpression: {id: "xpath.expression", signature: "Expression of XPath", category: "xpath", severity: detect.Low, score: suspect, weak: true},
}

// xpathFamily finds functions and axes of XPath where a condition was broken out of,
// and those that read a document from its root.
var xpathFamily = family{
	tokens: []string{
		"name()", "text()", "node()", "position()", "last()", "comment()", "count(/", "string-length(", "substring(/", "substring((/",
		"substring(name", "substring(doc", "name(/", "::*", "::node", "child::", "parent::", "ancestor::", "sibling::", "doc('", "doc(\"", "doc(concat",
		"|//", "| //", "|/*", "| /*", "//*", "or ''='", "//@", "/@*",
	},
	rules: xpathRules,
	match: matchXPath,
}

func matchXPath(in *inspection, p *probe) (r *rule, at int) {
	value := p.span()
	if !in.spend(2 * len(value)) {
		return nil, 0
	}
	broken := false // a string or a predicate was closed
	for i, c := range value {
		switch c {
		case '\'', '"', ']':
			broken = true
		case '(':
			if i > 0 && rooted(value, i) || broken && xpathCondition(value, i) {
				return &xpathRules[xpathInjection], p.from + i
			}
		case '|':
			if broken && joined(value[i+1:]) {
				return &xpathRules[xpathInjection], p.from + i
			}
		}
	}
	if in.weak && len(value) == len(p.value) && isWord(value) && xpathPath(value) {
		return &xpathRules[xpathExpression], 0
	}
	return nil, 0
}

// maxFunction is how long the name of a function can be, in bytes.
const maxFunction = 16

// function returns the name before the ( at i.
func function(value []byte, i int) []byte {
	start := i
	for start > 0 && i-start < maxFunction && (classOf[value[start-1]]&letter != 0 || value[start-1] == '-') {
		start--
	}
	return value[start:i]
}

// rooted reports whether the call whose ( stands at i is one of a function of XPath
// over a path from the root: count(/*), string-length(name(/*[1])), doc('http://…').
func rooted(value []byte, i int) bool {
	rest := value[i+1:]
	switch name := function(value, i); string(name) {
	case "count", "name", "local-name", "string-length", "substring", "string", "boolean", "normalize-space", "namespace-uri", "contains", "starts-with":
		return fromRoot(bytes.TrimLeft(rest[:min(len(rest), maxFunction)], "("))
	case "doc", "unparsed-text", "doc-available":
		return opensURL(rest)
	}
	return false
}

// fromRoot reports whether b begins with a path from a document's root: /*, //user,
// /child::node().
func fromRoot(b []byte) bool {
	b, ok := bytes.CutPrefix(b, []byte("/"))
	if !ok || len(b) < 2 {
		return false
	}
	if b[0] == '*' {
		return b[1] == ')' || b[1] == '[' || b[1] == '/'
	}
	if b[0] == '/' {
		return classOf[b[1]]&letter != 0 || b[1] == '*' || b[1] == '@'
	}
	return hasPrefixFold(b, "child::") || hasPrefixFold(b, "descendant") || hasPrefixFold(b, "comment()") || hasPrefixFold(b, "node()") ||
		hasPrefixFold(b, "text()")
}

// opensURL reports whether b begins with a string that is a URL, or one put together.
func opensURL(b []byte) bool {
	if hasPrefixFold(b, "concat(") {
		return true
	}
	if len(b) < 2 || b[0] != '\'' && b[0] != '"' {
		return false
	}
	return hasPrefixFold(b[1:], "http") || hasPrefixFold(b[1:], "file:") || hasPrefixFold(b[1:], "//")
}

// xpathCondition reports whether the ( at i is of a function that only XPath has, behind or
// or and, and goes on as a condition.
func xpathCondition(value []byte, i int) bool {
	name := function(value, i)
	before := bytes.TrimRight(value[max(0, i-len(name)-maxFunction):i-len(name)], " ")
	args := value[i+1 : min(len(value), i+2*maxFunction)]
	switch string(name) {
	case "name", "text", "node", "position", "last", "comment", "local-name", "namespace-uri":
		rest, empty := bytes.CutPrefix(args, []byte(")"))
		if rest = bytes.TrimLeft(rest, " "); !empty || len(rest) == 0 || bytes.IndexByte([]byte("=<>!"), rest[0]) < 0 {
			return false
		}
	case "count", "string-length", "starts-with", "contains":
		if bytes.IndexByte(args, '/') < 0 && !bytes.HasPrefix(args, []byte("name(")) {
			return false
		}
	default:
		return false
	}
	return conjunction(before)
}

// conjunction reports whether b ends with or, and.
func conjunction(b []byte) bool {
	n := len(b)
	for _, word := range [...]string{"or", "and"} {
		if hasSuffixFold(b, word) && n > len(word) && classOf[b[n-len(word)-1]]&(letter|digit|dash) == 0 {
			return true
		}
	}
	return false
}

// joined reports whether b, behind a |, goes on with a path from the root.
func joined(b []byte) bool {
	b = bytes.TrimLeft(b[:min(len(b), 2*maxFunction)], " ")
	rest, ok := bytes.CutPrefix(b, []byte("//"))
	if !ok {
		return fromRoot(b)
	}
	rest = bytes.TrimPrefix(rest, []byte("@"))
	if len(rest) == 0 {
		return false
	}
	if rest[0] == '*' {
		return true
	}
	n := 0
	for n < len(rest) && classOf[rest[n]]&letter != 0 {
		n++
	}
	return n > 0 && n < len(rest) && (rest[n] == '[' || rest[n] == '/' && n+1 < len(rest) && hasPrefixFold(rest[n+1:], "text()"))
}

// xpathPath reports whether a value that is one word is a path of XPath with a
// predicate or an axis.
func xpathPath(value []byte) bool {
	for _, axis := range [...]string{"::node(", "::*", "/text()", "/comment()", "/node()", "/@*"} {
		if bytes.Contains(value, []byte(axis)) {
			return true
		}
	}
	return bytes.HasPrefix(value, []byte("//")) && bytes.IndexByte(value, '[') > 2 && bytes.IndexByte(value, ']') > 0
}
