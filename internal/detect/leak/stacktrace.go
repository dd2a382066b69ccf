package leak

import (
	"bytes"
	"strings"

	"gatehouse/internal/detect"
)

// RuleStackTrace is the rule id of a stack trace in a response.
const RuleStackTrace = "response.stack-trace"

// maxTraced is how much of a response is looked through for stack traces, in
// bytes: pages that show one are short, and what is long is data.
const maxTraced = 256 << 10

// maxFrame is how much is looked at round one frame of a stack trace, in bytes.
const maxFrame = 256

// traces notes the first stack trace in w: one frame, as Python, Java and its
// kin, Node, Go, .NET and PHP write it, has a round bracket, and Ruby's ".rb:".
// So most text is passed over at the speed of one search for a byte.
func (r *response) traces(w []byte, fresh int) {
	from := max(0, fresh-maxFrame)
	for i := from; ; i++ {
		n := bytes.IndexByte(w[i:], '(')
		if n < 0 {
			break
		}
		i += n
		if language := frame(w[max(0, i-maxFrame):i], w[i+1:min(len(w), i+maxFrame)]); language != "" {
			r.trace(w, i, language)
			return
		}
	}
	for i := from; ; i++ {
		n := bytes.Index(w[i:], []byte(".rb:"))
		if n < 0 {
			return
		}
		i += n
		if isRuby(w[i+len(".rb:") : min(len(w), i+maxFrame)]) {
			r.trace(w, i, "Ruby")
			return
		}
	}
}

// trace notes the stack trace of which a frame stands at w[at].
func (r *response) trace(w []byte, at int, language string) {
	r.traced = true
	r.hits = append(r.hits, detect.Hit{RuleID: RuleStackTrace, Start: at, End: at, Finding: &detect.Finding{
		RuleID: RuleStackTrace, Signature: "Stack trace in the function's response: " + language,
		Category: "disclosure", Severity: detect.Low, Weak: true,
		Matched: r.set.shown(w, at), Object: "stack trace",
	}})
}

// shown returns the line that w[at] stands in, at most 2 × around bytes of it, own
// secrets masked.
func (s *Set) shown(w []byte, at int) string {
	from, to := max(0, at-around), min(len(w), at+around)
	if i := bytes.LastIndexAny(w[from:at], "\"\r\n"); i >= 0 {
		from += i + 1
	}
	if i := bytes.LastIndex(w[from:at], []byte(`\n`)); i >= 0 {
		from += i + len(`\n`)
	}
	if i := bytes.IndexAny(w[at:to], "\"\r\n\\"); i >= 0 {
		to = at + i
	}
	return strings.ToValidUTF8(s.Mask(string(w[from:to])), "\uFFFD")
}

// frame returns the language of the frame of a stack trace whose bracket stands
// between before and behind; "" for none.
func frame(before, behind []byte) string {
	switch {
	case len(behind) == 0:
		return ""
	case behind[0] == 'm' && bytes.HasPrefix(behind, []byte("most recent call last)")) && bytes.HasSuffix(before, []byte("Traceback ")):
		return "Python"
	case behind[0] == '/' || behind[0] == 'f' || behind[0] == 'n':
		if isNode(before, behind) {
			return "Node"
		}
	case behind[0] >= '0' && behind[0] <= '9' && bytes.HasSuffix(before, []byte(".php")):
		if n := digits(behind); n < len(behind) && behind[n] == ')' {
			return "PHP"
		}
	}
	if len(before) == 0 || !nameByte(before[len(before)-1]) {
		return ""
	}
	switch {
	case isJava(behind):
		return "Java"
	default:
		return calls(before, behind)
	}
}

// isJava reports whether behind goes on as in (Handler.java:23).
func isJava(behind []byte) bool {
	n := 0
	for n < len(behind) && nameByte(behind[n]) {
		n++
	}
	for _, kind := range [...]string{".java:", ".kt:", ".scala:", ".groovy:", ".clj:"} {
		if rest, ok := bytes.CutPrefix(behind[n:], []byte(kind)); ok && n > 0 {
			d := digits(rest)
			return d > 0 && d < len(rest) && rest[d] == ')'
		}
	}
	return false
}

// isNode reports whether behind goes on as in (/var/task/index.js:1:2), after
// "at name ".
func isNode(before, behind []byte) bool {
	if !bytes.HasSuffix(before, []byte(" ")) {
		return false
	}
	n := bytes.IndexAny(behind, "()\"<> \n")
	if n < 0 || behind[n] != ')' {
		return false
	}
	at, line := lastNumber(behind[:n])
	if line {
		at, line = lastNumber(behind[:at])
	}
	return line && at > 0 && bytes.Contains(before, []byte("at "))
}

// lastNumber reports whether b ends in a colon and digits, and where.
func lastNumber(b []byte) (at int, ok bool) {
	at = bytes.LastIndexByte(b, ':')
	return at, at >= 0 && at+1 < len(b) && digits(b[at+1:]) == len(b)-at-1
}

// calls recognises frames that show the call with its arguments: in Go the file
// stands on the next line, in .NET behind "in", or the next frame follows.
func calls(before, behind []byte) string {
	n := bytes.IndexByte(behind, ')')
	if n < 0 || bytes.IndexByte(behind[:n], '(') >= 0 {
		return ""
	}
	rest := behind[n+1:]
	if line, ok := bytes.CutPrefix(rest, []byte(" in ")); ok {
		if i := bytes.Index(line, []byte(":line ")); i > 0 && digits(line[i+len(":line "):]) > 0 {
			return ".NET"
		}
		return ""
	}
	broken := bytes.TrimLeft(rest, "\\rn\r\n\t")
	switch {
	case len(broken) == len(rest):
	case bytes.HasPrefix(broken, []byte("   at ")) && bytes.Contains(before, []byte("   at ")):
		return ".NET"
	case bytes.HasPrefix(broken, []byte("/")) || bytes.HasPrefix(broken, []byte("t/")):
		if i := bytes.Index(broken, []byte(".go:")); i > 0 && digits(broken[i+len(".go:"):]) > 0 {
			return "Go"
		}
	}
	return ""
}

// isRuby reports whether rest goes on as in .rb:12:in 'method'.
func isRuby(rest []byte) bool {
	n := digits(rest)
	return n > 0 && bytes.HasPrefix(rest[n:], []byte(":in "))
}

// digits counts the digits that b begins with.
func digits(b []byte) (n int) {
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}

func nameByte(c byte) bool { return alphanumeric(c) || c == '_' || c == '$' || c == '>' }
