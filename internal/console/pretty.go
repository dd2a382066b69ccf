package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// Bounds of a pretty-printed document.
const (
	maxPretty = 1 << 20 // bytes of JSON; longer ones are shown as they came, cut here
	maxIndent = 40      // levels; deeper ones are not indented further
)

// span is a piece of text in one style: "key", "string", "number", "literal",
// "mark", "control" or "" for the rest. It is text, and only ever shown as text.
type span struct{ Class, Text string }

// document is JSON laid out for reading, line by line.
type document struct {
	Lines  [][]span
	Marked bool // the matched place is among them
	Cut    bool // it goes on
}

// place is what a finding points at: matched, at byte offset of the string at
// path.
type place struct {
	path, matched string
	offset        int
}

// pretty lays out JSON with a place marked: matched where the offset says, else
// where that string holds it, else the whole string. A path that leads nowhere
// leaves the first string that holds matched. What is not JSON is shown as lines
// of text.
func pretty(raw []byte, at place) document {
	if len(raw) > maxPretty || !json.Valid(raw) {
		return plain(raw, at.matched)
	}
	doc := layOut(raw, at, false)
	if !doc.Marked && at.matched != "" {
		doc = layOut(raw, at, true)
	}
	return doc
}

// plain shows bytes as lines of text.
func plain(raw []byte, matched string) document {
	var doc document
	if len(raw) > maxPretty {
		raw, doc.Cut = raw[:maxPretty], true
	}
	for line := range strings.Lines(text(string(raw))) {
		line = strings.TrimRight(line, "\r\n")
		before, after, ok := strings.Cut(line, matched)
		if !ok || matched == "" || doc.Marked {
			doc.Lines = append(doc.Lines, visible(line))
			continue
		}
		doc.Marked = true
		spans := append(visible(before), span{"mark", escape(matched)})
		doc.Lines = append(doc.Lines, append(spans, visible(after)...))
	}
	return doc
}

// printer lays out one document. Its methods go down as deep as the document,
// which json.Valid holds to 10,000 levels.
type printer struct {
	decoder  *json.Decoder
	doc      document
	target   []step
	place    place
	anywhere bool // mark the first string that holds the match, whatever its path
}

// offPath is a depth that says: the target is not below here.
const offPath = -1

func layOut(raw []byte, at place, anywhere bool) document {
	p := &printer{decoder: json.NewDecoder(bytes.NewReader(raw)), target: parsePath(at.path), place: at, anywhere: anywhere}
	p.decoder.UseNumber()
	p.line(0)
	p.value(0, 0)
	return p.doc
}

// next returns the next token. The document was valid: an error cannot be, and
// would read as null.
func (p *printer) next() json.Token {
	token, err := p.decoder.Token()
	if err != nil {
		return nil
	}
	return token
}

// value lays out one value at a depth; on is how many steps of the target lead to
// it, or offPath.
func (p *printer) value(depth, on int) {
	switch token := p.next().(type) {
	case json.Delim:
		if token == '{' {
			p.object(depth, on)
		} else {
			p.array(depth, on)
		}
	case string:
		p.str(token, on)
	case json.Number:
		p.add("number", token.String())
	case bool:
		p.add("literal", fmt.Sprint(token))
	default:
		p.add("literal", "null")
	}
}

func (p *printer) object(depth, on int) {
	p.add("", "{")
	first := true
	for ; p.decoder.More(); first = false {
		p.separate(first, depth+1)
		key, _ := p.next().(string)
		below := p.descend(on, step{key, -1})
		if below > 0 && below == len(p.target) && p.place.matched != "" && strings.Contains(key, p.place.matched) {
			p.cut("key", key, strings.Index(key, p.place.matched))
		} else {
			p.add("key", `"`+escape(key)+`"`)
		}
		p.add("", ": ")
		p.value(depth+1, below)
	}
	p.end("}", first, depth)
}

func (p *printer) array(depth, on int) {
	p.add("", "[")
	n := 0
	for ; p.decoder.More(); n++ {
		p.separate(n == 0, depth+1)
		p.value(depth+1, p.descend(on, step{"", n}))
	}
	p.end("]", n == 0, depth)
}

func (p *printer) descend(on int, s step) int {
	if on == offPath || on >= len(p.target) || p.target[on] != s {
		return offPath
	}
	return on + 1
}

func (p *printer) separate(first bool, depth int) {
	if !first {
		p.add("", ",")
	}
	p.line(depth)
}

func (p *printer) end(bracket string, empty bool, depth int) {
	p.next() // the bracket
	if !empty {
		p.line(depth)
	}
	p.add("", bracket)
}

// str lays out a string. A path that goes on inside it went through JSON or a
// form in a string: the string is then the place.
func (p *printer) str(s string, on int) {
	if p.doc.Marked || on <= 0 && !p.anywhere && len(p.target) > 0 {
		p.add("string", `"`+escape(s)+`"`)
		return
	}
	m, at := p.place.matched, p.place.offset
	switch {
	case m == "":
		at = -1
	case at >= 0 && at <= len(s) && strings.HasPrefix(s[at:], m):
	default:
		at = strings.Index(s, m)
	}
	switch {
	case at >= 0:
		p.cut("string", s, at)
	case on > 0:
		p.doc.Marked = true
		p.add("mark", `"`+escape(s)+`"`)
	default:
		p.add("string", `"`+escape(s)+`"`)
	}
}

// cut adds a quoted string with the match at offset at marked.
func (p *printer) cut(class, s string, at int) {
	end := at + len(p.place.matched)
	p.doc.Marked = true
	p.add(class, `"`+escape(s[:at]))
	p.add("mark", escape(s[at:end]))
	p.add(class, escape(s[end:])+`"`)
}

func (p *printer) line(depth int) {
	p.doc.Lines = append(p.doc.Lines, nil)
	if depth > 0 {
		p.add("", strings.Repeat("  ", min(depth, maxIndent)))
	}
}

// add appends text to the line, joined with what has the same style.
func (p *printer) add(class, s string) {
	line := &p.doc.Lines[len(p.doc.Lines)-1]
	if n := len(*line); n > 0 && (*line)[n-1].Class == class && class != "mark" {
		(*line)[n-1].Text += s
		return
	}
	*line = append(*line, span{class, s})
}

// hidden reports whether r would not be seen, or would change how its neighbours
// are seen: controls, direction marks, zero-width characters.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs)
}

// escape writes s as it stands in JSON, with everything hidden made visible.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case hidden(r):
			b.WriteString(code(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func code(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r > 0xFFFF {
		return fmt.Sprintf(`\u{%x}`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// visible cuts s into what is seen and, in style "control", what is not.
func visible(s string) []span {
	var spans []span
	from := 0
	for i, r := range s {
		if !hidden(r) {
			continue
		}
		if i > from {
			spans = append(spans, span{"", s[from:i]})
		}
		spans = append(spans, span{"control", code(r)})
		from = i + len(string(r))
	}
	if from < len(s) {
		spans = append(spans, span{"", s[from:]})
	}
	return spans
}
