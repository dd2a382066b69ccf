package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in xxeRules.
const (
	xxeExternal = iota
	xxeInternal
	xxeExpansion
	xxeDTD
	xxeInclude
	xxeStylesheet
	xxeEncoding
	xxeCDATA
	xxeRPC
)

var xxeRules = []rule{
	xxeExternal:   {id: "xxe.external-entity", signature: "XML external entity", category: "xxe", severity: detect.Critical, score: sure},
	xxeInternal:   {id: "xxe.internal-entity", signature: "XML entity in a document type", category: "xxe", severity: detect.High, score: refuseAt},
	xxeExpansion:  {id: "xxe.expansion", signature: "XML entity expansion", category: "xxe", severity: detect.High, score: sure},
	xxeDTD:        {id: "xxe.external-dtd", signature: "XML external document type", category: "xxe", severity: detect.High, score: sure},
	xxeInclude:    {id: "xxe.include", signature: "XML inclusion", category: "xxe", severity: detect.High, score: sure},
	xxeStylesheet: {id: "xxe.stylesheet", signature: "XSLT that reads or runs", category: "xxe", severity: detect.Critical, score: sure},
	xxeEncoding:   {id: "xxe.encoding", signature: "XML in an encoding that hides it", category: "xxe", severity: detect.High, score: sure},
	xxeCDATA:      {id: "xxe.cdata", signature: "XML injection by a section of character data", category: "xxe", severity: detect.Medium, score: refuseAt},
	xxeRPC:        {id: "xxe.pingback", signature: "XML-RPC call that makes a server fetch", category: "xxe", severity: detect.High, score: sure},
}

var xxeFamily = family{
	tokens: []string{"<!doctype", "<!entity", ":include", "<include", "xsl:", "wd-xsl", "utf-7", "+adwaiq", "<![cdata[", "pingback."},
	rules:  xxeRules,
	match:  matchXXE,
}

// matchXXE looks for XML that makes its parser read, fetch or multiply something.
func matchXXE(in *inspection, p *probe) (r *rule, at int) {
	b := p.span()
	if !in.spend(len(b)) {
		return nil, 0
	}
	// What is less sure is kept until the end.
	least, leastAt := -1, 0
	if p.from == 0 && startsCDATA(b) {
		least = xxeCDATA
	}
	for i := 0; i < len(b); i++ {
		n := bytes.IndexAny(b[i:], "<+")
		if n < 0 {
			break
		}
		i += n
		found := xxeAt(b[i:])
		if found < 0 {
			continue
		}
		if xxeRules[found].score >= sure {
			return &xxeRules[found], p.from + i
		}
		if least < 0 {
			least, leastAt = found, i
		}
	}
	if least < 0 {
		return nil, 0
	}
	return &xxeRules[least], p.from + leastAt
}

// xxeAt returns which rule the markup breaks that b begins with, -1 for none.
func xxeAt(b []byte) int {
	switch {
	case hasPrefixFold(b, "+adwaiq"):
		return xxeEncoding // <! in UTF-7
	case len(b) < 2 || b[0] != '<':
		return -1
	case hasPrefixFold(b, "<!entity"):
		return entityRule(b[len("<!entity"):])
	case hasPrefixFold(b, "<!doctype"):
		return doctypeRule(b[len("<!doctype"):])
	case hasPrefixFold(b, "<?xml") && declares(b, "utf-7"):
		return xxeEncoding
	}
	if classOf[b[1]]&letter == 0 {
		return -1
	}
	name, rest := tagName(b[1:min(len(b), maxTag)])
	switch {
	case hasPrefixFold(b[1:], "xsl:"):
		return xslRule(untilTagEnd(b))
	case string(name) == "methodName" && hasPrefixFold(rest, ">pingback."):
		return xxeRPC
	case string(name) == "stylesheet" && containsFold(untilTagEnd(b), "/tr/wd-xsl"):
		return xxeStylesheet
	case string(name) == "include" && isXInclude(untilTagEnd(b)[len(name):]):
		return xxeInclude
	}
	return -1
}

// startsCDATA reports whether the value b is a section of character data from its first
// byte on, with a tag in it: who writes XML puts an element round it.
func startsCDATA(b []byte) bool {
	b = skipBlanks(b[:min(len(b), maxTag)])
	if !hasPrefixFold(b, "<![cdata[") {
		return false
	}
	text := skipBlanks(b[len("<![cdata["):])
	return len(text) > 1 && text[0] == '<' && classOf[text[1]]&letter != 0
}

// maxTag is how far a tag is read for its attributes, in bytes.
const maxTag = 512

// untilTagEnd is what follows the < that b begins with, up to the > that ends the tag
// or the < of the next one, which XML does not allow within; at most maxTag bytes.
func untilTagEnd(b []byte) []byte {
	b = b[min(len(b), 1):min(len(b), maxTag)]
	if end := bytes.IndexAny(b, "<>"); end >= 0 {
		return b[:end]
	}
	return b
}

// tagName returns the local name of the tag that b begins with, behind a namespace
// and its colon, and what follows it.
func tagName(b []byte) (name, rest []byte) {
	n := wordLen(b)
	if n < len(b) && b[n] == ':' {
		b = b[n+1:]
		n = wordLen(b)
	}
	return b[:n], b[n:]
}

// declares reports whether the XML declaration that b begins with names encoding.
func declares(b []byte, encoding string) bool { return containsFold(untilTagEnd(b), encoding) }

// entityRule judges a declaration of an entity behind <!ENTITY.
func entityRule(b []byte) int {
	b = b[:min(len(b), maxTag)]
	rest := skipBlanks(b)
	if len(rest) == len(b) || len(rest) == 0 {
		return -1
	}
	parameter := rest[0] == '%'
	if parameter {
		rest = skipBlanks(rest[1:])
	}
	n := bytes.IndexAny(rest, " \t\r\n\"'>")
	if n <= 0 {
		return -1
	}
	rest = skipBlanks(rest[n:])
	if isExternal(rest) {
		return xxeExternal
	}
	value, ok := quotedText(rest)
	switch {
	case !ok:
		return -1
	case parameter && (containsFold(value, "<!") || containsFold(value, "system") || bytes.IndexByte(value, '%') >= 0 || bytes.Contains(value, []byte("&#"))):
		return xxeExternal
	case references(value) >= 2:
		return xxeExpansion
	case bytes.HasPrefix(value, []byte("&#")), classesOf(value)&(letter|digit) == 0:
		return -1 // the name of a character
	}
	return xxeInternal
}

// isExternal reports whether b begins with SYSTEM or PUBLIC and a quotation.
func isExternal(b []byte) bool {
	if !hasPrefixFold(b, "system") && !hasPrefixFold(b, "public") {
		return false
	}
	rest := skipBlanks(b[len("system"):])
	return len(rest) > 0 && (rest[0] == '"' || rest[0] == '\'' || rest[0] == '%' || rest[0] == '\\' || rest[0] == '&')
}

// quotedText returns what stands in the quotes that b begins with, or all of b behind
// the first of them.
func quotedText(b []byte) (text []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' && b[0] != '\'' {
		return nil, false
	}
	text, _, _ = bytes.Cut(b[1:], b[:1])
	return text, true
}

// references counts the references to entities in b that XML does not predefine.
func references(b []byte) (n int) {
	for i := bytes.IndexByte(b, '&'); i >= 0 && i+1 < len(b); {
		name := b[i+1:]
		w := wordLen(name)
		if w > 0 && w < len(name) && name[w] == ';' && !isPredefined(name[:w]) {
			n++
		}
		next := bytes.IndexByte(name, '&')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return n
}

func isPredefined(name []byte) bool {
	switch string(name) {
	case "amp", "lt", "gt", "quot", "apos":
		return true
	}
	return false
}

// doctypeRule judges a document type behind <!DOCTYPE. The entities in it are judged
// by themselves.
func doctypeRule(b []byte) int {
	b = b[:min(len(b), maxTag)]
	rest := skipBlanks(b)
	n := bytes.IndexAny(rest, " \t\r\n[>")
	if n <= 0 {
		return -1
	}
	rest = skipBlanks(rest[n:])
	public := hasPrefixFold(rest, "public")
	if !public && !hasPrefixFold(rest, "system") {
		return -1
	}
	rest = skipBlanks(rest[len("public"):])
	address, ok := quotedText(rest)
	registered := false
	if public && ok {
		registered = bytes.HasPrefix(address, []byte("-//")) || bytes.HasPrefix(address, []byte("+//")) || hasPrefixFold(address, "iso")
		rest = skipBlanks(rest[min(len(rest), len(address)+2):])
		address, ok = quotedText(rest)
	}
	if ok && reaches(address, registered) {
		return xxeDTD
	}
	return -1
}

// reaches reports whether an address makes a parser go further than to the folder
// that the document came from. A registered document type may lie at its publisher.
func reaches(address []byte, registered bool) bool {
	if len(address) > 0 && (address[0] == '/' || address[0] == '\\') || bytes.Contains(address, []byte("..")) {
		return true
	}
	if hasPrefixFold(address, "http://") || hasPrefixFold(address, "https://") {
		return !registered && !isPublisher(address)
	}
	scheme := wordLen(address)
	return scheme > 0 && scheme < len(address) && address[scheme] == ':' && !hasPrefixFold(address, "urn:") && !hasPrefixFold(address, "about:") && !hasPrefixFold(address, "classpath:")
}

// isPublisher reports whether address is at one of those who publish document types
// that programs name without an identifier.
func isPublisher(address []byte) bool {
	_, host, _ := bytes.Cut(address, []byte("://"))
	host, _, ok := bytes.Cut(host, []byte("/"))
	if !ok || len(host) > 64 {
		return false
	}
	for _, domain := range [...]string{"w3.org", "apple.com", "java.sun.com", "oasis-open.org", "jboss.org", "hibernate.org", "mybatis.org", "apache.org", "puppycrawl.com", "checkstyle.org", "springframework.org", "freedesktop.org", "gnome.org"} {
		if n := len(host) - len(domain); n >= 0 && string(host[n:]) == domain && (n == 0 || host[n-1] == '.') {
			return true
		}
	}
	return false
}

// isXInclude reports whether the attributes of an element called include make XML of
// another place, or its text, part of the document.
func isXInclude(b []byte) bool {
	if findFold(b, "parse") >= 0 && containsFold(b, "href") {
		return true
	}
	at := findFold(b, "href")
	if at < 0 {
		return false
	}
	rest := skipBlanks(b[at+len("href"):])
	if len(rest) == 0 || rest[0] != '=' {
		return false
	}
	address, ok := quotedText(skipBlanks(rest[1:]))
	return ok && reaches(address, false)
}
