package attack

import (
	"bytes"
	"unicode/utf8"

	"gatehouse/internal/detect"
)

// Places in crlfRules.
const (
	crlfHeader = iota
	crlfMail
	crlfCommand
	crlfBreak
)

var crlfRules = []rule{
	crlfHeader:  {id: "crlf.header", signature: "HTTP header injection", category: "crlf", severity: detect.High, score: likely},
	crlfMail:    {id: "mail.header", signature: "Mail header injection", category: "mail", severity: detect.High, score: likely},
	crlfCommand: {id: "mail.command", signature: "SMTP or IMAP command injection", category: "mail", severity: detect.High, score: likely},
	crlfBreak:   {id: "crlf.break", signature: "Header behind a line break", category: "crlf", severity: detect.Low, score: suspect, weak: true},
}

// crlfFamily judges what follows a line break in a value that should have one line:
// a header of HTTP or of a mail, or a command to a mail server.
var crlfFamily = family{
	tokens: []string{
		"set-cookie", "location:", "content-", "http/1", "http/2", "refresh:", "-encoding:", "access-control-", "x-", "host:", "-security:",
		"bcc:", "cc:", "to:", "subject:", "from:", "reply-to:", "mime-version", "rcpt to", "mail from", "capability", " fetch ",
		" logout", "ehlo ", "helo ", "link:", "etag:", "status:", "connection:", "cookie:",
	},
	rules: crlfRules,
	match: matchCRLF,
}

// Bounds of a value that should have one line.
const (
	maxLines     = 3 // in front of what is injected: more are a text
	maxLineWords = 4 // in the line in front of it
	textWords    = 2
)

// line is what is said of the line in front of a break.
type line struct {
	start int
	words int
	at    bool // it has an @
	empty bool // an empty one follows
	other bool // it is a header itself, or begins a request or an answer
}

func matchCRLF(in *inspection, p *probe) (r *rule, at int) {
	value := p.span()
	if !in.spend(2 * len(value)) {
		return nil, 0
	}
	var last line
	for i, lines := 0, 0; i < len(value) && lines <= maxLines; {
		n := breakAt(value[i:])
		if n == 0 {
			last.add(value, i)
			i++
			continue
		}
		if last.other = opensBlock(value[last.start:i]); last.other {
			return nil, 0
		}
		end := i + n
		for end < len(value) {
			if n = breakAt(value[end:]); n == 0 {
				break
			}
			end += n
		}
		last.empty = bytes.Count(value[i:end], []byte("\n")) > 1
		if found := last.injected(value[end:]); found != nil && (in.weak || !found.weak) {
			return found, p.from + i
		}
		i, lines, last = end, lines+1, line{start: end}
	}
	return nil, 0
}

// add takes the byte at i into the line.
func (l *line) add(value []byte, i int) {
	switch c := value[i]; {
	case c == ' ' && i > l.start && value[i-1] != ' ':
		l.words++
	case c == '@':
		l.at = true
	}
}

// breakAt returns the length of the line break at the beginning of b: one that is,
// one written as an escape, or a character whose low byte is one.
func breakAt(b []byte) int {
	switch b[0] {
	case '\r', '\n':
		if len(b) > 3 && b[1] == '0' && (b[2]|0x20 == 'a' || b[2]|0x20 == 'd') {
			return 3 // %%0a0a, decoded once
		}
		return 1
	case '\\':
		if len(b) > 2 && (b[1] == 'r' || b[1] == 'n') && (b[2] == '\\' || classOf[b[2]]&letter != 0) {
			return 2
		}
	case 0xe5, 0xc4:
		switch r, n := utf8.DecodeRune(b); r {
		case 0x560a, 0x560d, 0x10a, 0x10d:
			return n
		}
	}
	return 0
}

// opensBlock reports whether b is a line that has others of its kind below it: a
// header, the first line of a request or an answer.
func opensBlock(b []byte) bool {
	if n := headerName(b); n > 0 && n+1 < len(b) && b[n+1] == ' ' {
		return true
	}
	verb, rest, ok := bytes.Cut(b, []byte(" "))
	if ok && isMethod(verb) && len(rest) > 0 {
		return true
	}
	return hasPrefixFold(b, "http/") || bytes.HasPrefix(b, []byte("--"))
}

func isMethod(b []byte) bool {
	switch string(b) {
	case "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE":
		return true
	}
	return false
}

// maxHeaderName is how long the name of a header can be, in bytes.
const maxHeaderName = 40

// headerName returns the length of a header's name at the beginning of b, before
// its colon; 0 where there is none.
func headerName(b []byte) int {
	for i, c := range b[:min(len(b), maxHeaderName)] {
		if c == ':' {
			return i
		}
		if classOf[c]&(letter|digit|dash) == 0 {
			return 0
		}
	}
	return 0
}

// injected says what rest, which begins a line behind l, adds to what l was meant
// to be.
func (l *line) injected(rest []byte) *rule {
	if n := mailCommand(rest); n && l.words <= maxLineWords {
		return &crlfRules[crlfCommand]
	}
	if l.words > maxLineWords {
		return nil
	}
	if hasPrefixFold(rest, "http/1.") || hasPrefixFold(rest, "http/2 ") || requestLine(rest) {
		return &crlfRules[crlfHeader]
	}
	n := headerName(rest)
	if n == 0 {
		return nil
	}
	name, v := rest[:n], bytes.TrimLeft(rest[n+1:], " \t")
	v = v[:min(len(v), maxLineValue)]
	switch {
	case httpHeader(name, v):
		return &crlfRules[crlfHeader]
	case mailHeader(name, v, l):
		return &crlfRules[crlfMail]
	case l.words <= textWords && knownHeader(name):
		return &crlfRules[crlfBreak]
	}
	return nil
}

// maxLineValue is how much of a header's value is looked at, in bytes.
const maxLineValue = 128

// requestLine reports whether b begins with the first line of a request.
func requestLine(b []byte) bool {
	verb, rest, ok := bytes.Cut(b[:min(len(b), maxLineValue)], []byte(" "))
	return ok && isMethod(verb) && len(rest) > 0 && (rest[0] == '/' || rest[0] == '*' || hasPrefixFold(rest, "http")) &&
		indexFold(rest, " http/") >= 0
}

// httpHeader reports whether an answer, or a request, with this header does what an
// attacker wants.
func httpHeader(name, v []byte) bool {
	switch {
	case equalFold(name, "set-cookie"), equalFold(name, "set-cookie2"):
		return len(v) > 0 && bytes.IndexByte(v, '=') != 0
	case equalFold(name, "location"), equalFold(name, "content-location"):
		return hasPrefixFold(v, "http") || hasPrefixFold(v, "/") || hasPrefixFold(v, "javascript:") || hasPrefixFold(v, "%")
	case equalFold(name, "content-length"), equalFold(name, "refresh"), equalFold(name, "age"):
		return len(v) > 0 && v[0] >= '0' && v[0] <= '9'
	case equalFold(name, "content-type"):
		return mediaType(v) && !hasPrefixFold(v, "multipart/")
	case equalFold(name, "transfer-encoding"):
		return hasPrefixFold(v, "chunked") || hasPrefixFold(v, "identity")
	case hasPrefixFold(name, "access-control-allow-"), equalFold(name, "x-xss-protection"), hasPrefixFold(name, "x-forwarded-"),
		equalFold(name, "x-accel-redirect"), equalFold(name, "x-sendfile"), equalFold(name, "content-security-policy"),
		equalFold(name, "strict-transport-security"), equalFold(name, "clear-site-data"), equalFold(name, "x-original-url"):
		return len(v) > 0
	case hasPrefixFold(name, "x-"):
		return len(name) > 3 && len(v) > 0 && len(v) < maxLineValue/2 && bytes.IndexByte(v, ' ') < 0
	}
	return false
}

// mediaType reports whether v begins like text/html.
func mediaType(v []byte) bool {
	for _, kind := range [...]string{"text/", "application/", "image/", "multipart/", "message/"} {
		if hasPrefixFold(v, kind) {
			return true
		}
	}
	return false
}

// mailHeader reports whether a mail with this header behind l goes to others, or
// says something else, than was meant.
func mailHeader(name, v []byte, l *line) bool {
	switch at := bytes.IndexByte(v, '@') > 0; {
	case equalFold(name, "bcc"):
		return at
	case equalFold(name, "cc"), equalFold(name, "to"), equalFold(name, "reply-to"), equalFold(name, "from"), equalFold(name, "sender"):
		return at && (l.at && l.words <= textWords || l.words == 0 || l.words == 1 && !l.empty)
	case equalFold(name, "content-type"):
		return hasPrefixFold(v, "multipart/")
	case equalFold(name, "subject"):
		return l.at && l.words <= textWords
	case equalFold(name, "mime-version"), equalFold(name, "content-transfer-encoding"):
		return len(v) > 0
	}
	return false
}

// knownHeader reports whether name is a header that a text seldom has.
func knownHeader(name []byte) bool {
	for _, known := range [...]string{"set-cookie", "location", "content-type", "content-length", "host", "connection", "cookie", "link",
		"refresh", "etag", "status", "cc", "bcc", "to", "from", "subject", "reply-to"} {
		if equalFold(name, known) {
			return true
		}
	}
	return hasPrefixFold(name, "x-")
}

// mailCommand reports whether b begins with a command of SMTP, or of IMAP with its
// tag.
func mailCommand(b []byte) bool {
	for _, command := range [...]string{"mail from:", "rcpt to:"} {
		if hasPrefixFold(b, command) {
			v := b[len(command):min(len(b), len(command)+maxLineValue)]
			return bytes.IndexByte(v, '@') >= 0 || bytes.IndexByte(v, '<') >= 0
		}
	}
	tag, rest, ok := bytes.Cut(b[:min(len(b), maxLineValue)], []byte(" "))
	if !ok || len(tag) < 2 || len(tag) > 6 || classOf[tag[0]]&letter == 0 || classOf[tag[len(tag)-1]]&digit == 0 {
		return false
	}
	for _, c := range tag[1:] {
		if classOf[c]&digit == 0 {
			return false
		}
	}
	for _, verb := range [...]string{"CAPABILITY", "FETCH ", "LOGIN ", "LOGOUT", "SELECT ", "EXAMINE ", "CREATE ", "DELETE ", "RENAME ", "STORE ",
		"COPY ", "EXPUNGE", "NOOP", "AUTHENTICATE ", "APPEND ", "UID "} {
		if bytes.HasPrefix(rest, []byte(verb)) {
			return true
		}
	}
	return false
}
