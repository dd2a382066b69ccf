package redact

import "strings"

// Text returns s with what is to be hidden in it replaced. Where there is nothing, it
// is s itself. What Text returns, it leaves alone when it sees it again.
func (m *Masks) Text(s string) string {
	if m == nil {
		return s
	}
	return m.text(s, "")
}

// text is Text that leaves shown in sight wherever it stands; "": nothing.
func (m *Masks) text(s, shown string) string {
	s = m.hideNamed(s, shown)
	if m.cards {
		s = hideCards(s, shown)
	}
	for _, re := range m.patterns {
		s = replace(s, re.FindAllStringSubmatchIndex(s, -1), shown)
	}
	return s
}

// cover appends what stands for s[from:to] to b: mask, and between masks what of it
// belongs to shown.
func cover(b []byte, s string, from, to int, mask, shown string) []byte {
	// What reaches into the span begins at most len(shown)-1 before it.
	for at := max(0, from-len(shown)+1); shown != "" && from < to; {
		i := strings.Index(s[at:min(len(s), to+len(shown)-1)], shown)
		if i < 0 {
			break
		}
		start, end := at+i, min(at+i+len(shown), to)
		at += i + len(shown)
		if start > from {
			b = append(b, mask...)
		}
		b = append(b, s[max(start, from):end]...)
		from = end
	}
	if from < to {
		b = append(b, mask...)
	}
	return b
}

// replace masks what a pattern found: its groups, or without any, all of it.
func replace(s string, found [][]int, shown string) string {
	if len(found) == 0 {
		return s
	}
	var b []byte
	at := 0
	for _, f := range found {
		spans := f[2:]
		if len(spans) == 0 {
			spans = f
		}
		for i := 0; i+1 < len(spans); i += 2 {
			from, to := spans[i], spans[i+1]
			if from < at || from == to || masked(s[from:to]) {
				continue // in another group, or nothing
			}
			b = cover(append(b, s[at:from]...), s, from, to, "{{masked}}", shown)
			at = to
		}
	}
	return string(append(b, s[at:]...))
}

// hideNamed masks what stands behind a name and a colon or an equals sign: in JSON that
// is text, in forms, headers and what languages print of their values.
func (m *Masks) hideNamed(s, shown string) string {
	var b []byte
	var next ahead
	at := 0
	for i := 0; i < len(s); i++ {
		n := strings.IndexAny(s[i:], ":=")
		if n < 0 {
			break
		}
		i += n
		word := wordBefore(s[at:i])
		name := m.lookup(word)
		if name == nil || s[i] == ':' && strings.HasSuffix(s[at:i], ":"+word) { // arn:aws:secretsmanager:…:secret:NAME
			continue
		}
		if end := inMark(s, at, i); end > 0 {
			i = end - 1
			continue
		}
		from, to := valueAfter(s, i+1, name.header, &next)
		if from == to || masked(s[from:to]) {
			continue
		}
		b = cover(append(b, s[at:from]...), s, from, to, mask(name.shown), shown)
		at, i = to, max(i, to-1)
	}
	if at == 0 {
		return s
	}
	return string(append(b, s[at:]...))
}

// inMark returns the end of the mask that s[i] stands in, which begins behind s[from];
// 0: it stands in none.
func inMark(s string, from, i int) (end int) {
	from = max(from, i-maxMark)
	start := strings.LastIndex(s[from:i], "{{")
	if start < 0 {
		return 0
	}
	end = markEnd(s, from+start)
	if end <= i || strings.ContainsAny(s[from+start:end], " \"") {
		return 0
	}
	return end
}

// maxMark bounds a mask, in bytes.
const maxMark = 512

// wordBefore returns the name at the end of s, without quotes round it.
func wordBefore(s string) string {
	end := len(s)
	for least := max(0, end-16); end > least && strings.IndexByte(" \t\"'`\\]", s[end-1]) >= 0; {
		end--
	}
	start := end
	for least := max(0, end-maxName-1); start > least && wordByte(s[start-1]); {
		start--
	}
	return s[start:end]
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c >= 0x80
}

// valueAfter returns where the value begins and ends that follows a separator, which
// stands before s[i].
func valueAfter(s string, i int, header bool, next *ahead) (from, to int) {
	for i < len(s) && strings.IndexByte(" \t=>", s[i]) >= 0 {
		i++
	}
	open := i
	for i < len(s) && s[i] == '\\' {
		i++
	}
	if i == len(s) {
		return open, open
	}
	switch c := s[i]; {
	case c == '"' || c == '\'' || c == '`':
		return i + 1, quoteEnd(s, i+1, c, i-open)
	case i > open:
		return open, open // an escape that is no quote: nothing stands there
	case (c == '[' || c == '{') && !strings.HasPrefix(s[i:], "{{"):
		return i, bracketEnd(s, i)
	case header:
		return i, headerEnd(s, i, next)
	}
	return i, bareEnd(s, i)
}

// quoteEnd returns where the quote ends that q began with escapes backslashes before
// it: a quote with more of them belongs to the value.
func quoteEnd(s string, i int, q byte, escapes int) int {
	slashes := 0
	for j := i; j < len(s); j++ {
		switch {
		case s[j] == '\\':
			slashes++
			continue
		case s[j] == q && slashes <= escapes:
			return j - slashes
		}
		slashes = 0
	}
	return len(s)
}

// bracketEnd returns the end of what the bracket at s[i] begins.
func bracketEnd(s string, i int) int {
	depth := 0
	for j := i; j < len(s); j++ {
		switch s[j] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return j + 1
			}
		}
	}
	return len(s)
}

// bareEnd returns the end of a value without quotes.
func bareEnd(s string, i int) int {
	if end := markEnd(s, i); end > i {
		return end
	}
	if n := strings.IndexAny(s[i:], " \t\r\n,;&\"'`<>)]}|"); n >= 0 {
		return i + n
	}
	return len(s)
}

// ahead remembers where a line ends and where a blank stands, so that who looks from one
// place after the other reads everything once.
type ahead struct{ line, blank place }

// place is where something stands first from a place on: at the end, nowhere.
type place struct {
	from, at int
	known    bool
}

// next returns where one of chars stands first from s[i] on.
func (p *place) next(s string, i int, chars string) int {
	if !p.known || i < p.from || i > p.at {
		*p = place{i, len(s), true}
		if n := strings.IndexAny(s[i:], chars); n >= 0 {
			p.at = i + n
		}
	}
	return p.at
}

// headerEnd returns the end of a header's value: of a scheme that has one token, that
// of the token, else that of the line or of the quote that it stands in.
func headerEnd(s string, i int, next *ahead) int {
	if end := markEnd(s, i); end > i {
		return end
	}
	end, blank := next.line.next(s, i, "\r\n\"'`"), next.blank.next(s, i, " ")
	if blank >= end {
		return bareEnd(s, i)
	}
	switch strings.ToLower(s[i:min(blank, i+16)]) {
	case "bearer", "basic", "token", "splunk", "apikey", "negotiate":
		return bareEnd(s, blank+1)
	}
	return end
}

// markEnd returns the end of a mask at s[i]; i where there is none.
func markEnd(s string, i int) int {
	if strings.HasPrefix(s[i:], "{{") {
		if n := strings.Index(s[i:min(len(s), i+maxMark)], "}}"); n >= 0 {
			return i + n + 2
		}
	}
	return i
}
