package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in ssiRules.
const (
	ssiDirective = iota
	ssiESI
)

var ssiRules = []rule{
	ssiDirective: {id: "ssi.directive", signature: "Server-side include", category: "ssi", severity: detect.High, score: sure},
	ssiESI:       {id: "ssi.esi", signature: "Edge-side include", category: "ssi", severity: detect.High, score: sure},
}

var ssiFamily = family{tokens: []string{"<!--", "<esi:"}, rules: ssiRules, match: matchSSI}

// matchSSI looks for what a web server, or a cache in front of it, runs where a page
// has it.
func matchSSI(in *inspection, p *probe) (r *rule, at int) {
	b := p.span()
	if !in.spend(len(b)) {
		return nil, 0
	}
	for i := 0; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '<')
		if n < 0 {
			return nil, 0
		}
		i += n
		switch {
		case bytes.HasPrefix(b[i:], []byte("<!--")) && isSSI(b[i+len("<!--"):]):
			return &ssiRules[ssiDirective], p.from + i
		case hasPrefixFold(b[i:], "<esi:") && isESI(b[i+len("<esi:"):]):
			return &ssiRules[ssiESI], p.from + i
		}
	}
	return nil, 0
}

// maxSSIBlanks is how many blanks stand between the words of a directive at most.
const maxSSIBlanks = 16

// isSSI reports whether a comment that begins with b is a directive of Apache, nginx
// or IIS: # with the name of an element, and the name of an attribute with =.
func isSSI(b []byte) bool {
	b = b[:min(len(b), 3*maxSSIBlanks)]
	spaced := len(b) > 0 && b[0] == ' '
	b = skipBlanks(b) // IIS takes a blank before #
	if len(b) == 0 || b[0] != '#' {
		return false
	}
	n := wordLen(b[1:])
	var buf wordBuf
	element := buf.fold(b[1 : 1+n])
	switch string(element) {
	case "printenv":
		return !spaced
	case "exec", "include", "echo", "set", "config", "fsize", "flastmod", "if", "elif":
		return isSSIAttribute(skipBlanks(b[1+n:]))
	}
	return false
}

func isSSIAttribute(b []byte) bool {
	n := wordLen(b)
	var buf wordBuf
	switch string(buf.fold(b[:n])) {
	case "cmd", "cgi", "file", "virtual", "var", "expr", "value", "errmsg", "echomsg", "sizefmt", "timefmt", "encoding", "decoding", "default", "stub", "wait":
		rest := skipBlanks(b[n:])
		return len(rest) > 0 && rest[0] == '='
	}
	return false
}

// isESI reports whether b begins with the name of an element of Edge Side Includes.
func isESI(b []byte) bool {
	var buf wordBuf
	switch string(buf.fold(b[:wordLen(b)])) {
	case "include", "vars", "inline", "debug", "remove", "try", "attempt", "except", "choose", "when", "otherwise", "assign", "eval", "function", "foreach", "text":
		return true
	}
	return false
}
