package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
	"unsafe"

	"gatehouse/internal/record"
)

// JSON returns raw, which is valid JSON, with what is to be hidden in it replaced by
// strings. Where there is nothing, it is raw itself.
func (m *Masks) JSON(raw []byte) []byte {
	if m == nil {
		return raw
	}
	w := walk{m: m, src: raw}
	w.value(0)
	return w.result()
}

// Record returns raw, which is r encoded, with what is to be hidden in its fields
// replaced; see record. A line in which that is nothing, as in most, is looked at before
// it is encoded.
func (m *Masks) Record(r *record.Record, raw []byte) []byte {
	if m == nil || r.Kind == record.Log && m.Text(r.Message) == r.Message && bytes.Equal(r.MessageJSON, m.JSON(r.MessageJSON)) {
		return raw
	}
	w := walk{m: m, src: raw}
	w.record(r.Kind)
	return w.result()
}

// walk is one way through a JSON text.
type walk struct {
	m    *Masks
	src  []byte
	out  []byte
	kept int // what of src stands in out, or was replaced there
	path []step
	// encoded is set where strings may be base64 of text: in events.
	encoded bool
	// shown stays in sight wherever it stands: what an attack was recognised by.
	shown string
}

func (w *walk) result() []byte {
	if w.out == nil {
		return w.src
	}
	return append(w.out, w.src[w.kept:]...)
}

// replace puts text, as a JSON string, in the place of src[from:to].
func (w *walk) replace(from, to int, text string) {
	quoted, err := quote(text)
	if err != nil {
		return // a string always encodes
	}
	w.out = append(append(w.out, w.src[w.kept:from]...), quoted...)
	w.kept = to
}

// quote is json.Marshal that leaves <, > and & alone.
func quote(s string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// space returns where the next thing begins at or behind src[i].
func (w *walk) space(i int) int {
	for i < len(w.src) && (w.src[i] == ' ' || w.src[i] == '\t' || w.src[i] == '\n' || w.src[i] == '\r') {
		i++
	}
	return i
}

// end returns the end of the value that begins at src[i].
func (w *walk) end(i int) int {
	depth := 0
	for ; i < len(w.src); i++ {
		switch c := w.src[i]; c {
		case '"':
			i = stringEnd(w.src, i) - 1
		case '[', '{':
			depth++
			continue
		case ']', '}':
			depth--
		case ',', ':', ' ', '\t', '\n', '\r':
			continue
		default:
			for i+1 < len(w.src) && !delimits(w.src[i+1]) {
				i++
			}
		}
		if depth <= 0 {
			return i + 1
		}
	}
	return len(w.src)
}

// delimits reports whether c ends a number or a word.
func delimits(c byte) bool {
	return c == ',' || c == ':' || c == ']' || c == '}' || c <= ' '
}

// stringEnd returns the offset behind the string that begins at src[i].
func stringEnd(src []byte, i int) int {
	for i++; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(src)
}

// members calls f with each member of the object at src[i], which returns the end of its
// value, and returns the end of the object.
func (w *walk) members(i int, f func(key string, at int) int) int {
	for i = w.space(i + 1); i < len(w.src) && w.src[i] == '"'; {
		end := stringEnd(w.src, i)
		key := unquote(w.src[i:end])
		i = w.space(end) + 1 // behind the colon
		i = w.space(f(key, w.space(i)))
		if i < len(w.src) && w.src[i] == ',' {
			i = w.space(i + 1)
		}
	}
	return min(i+1, len(w.src))
}

// elements does the same for the array at src[i].
func (w *walk) elements(i int, f func(n, at int) int) int {
	i = w.space(i + 1)
	for n := 0; i < len(w.src) && w.src[i] != ']'; n++ {
		before := i
		i = w.space(f(n, i))
		if i < len(w.src) && w.src[i] == ',' {
			i = w.space(i + 1)
		}
		if i == before {
			break // no JSON
		}
	}
	return min(i+1, len(w.src))
}

// maxDepth bounds how deep JSON is walked. What is deeper is looked at as text.
const maxDepth = 512

// value hides what is to be hidden in the value at src[i] and returns its end.
func (w *walk) value(i int) int {
	if i >= len(w.src) {
		return i
	}
	if len(w.path) == maxDepth {
		end := w.end(i)
		if s := view(w.src[i:end]); w.m.Text(s) != s {
			w.replace(i, end, w.m.text(s, w.shown))
		}
		return end
	}
	switch c := w.src[i]; {
	case c == '{':
		return w.members(i, func(key string, at int) int { return w.step(step{name: key, index: -1}, at) })
	case c == '[':
		return w.elements(i, func(n, at int) int { return w.step(step{index: n}, at) })
	case c == '"':
		end := stringEnd(w.src, i)
		w.text(i, end)
		return end
	case digit(c):
		end := w.end(i)
		if w.m.cards && end-i >= minCard && end-i <= maxCard && isCardNumber(w.src[i:end]) {
			w.replace(i, end, mask("card:"+lastFour(string(w.src[i:end]))))
		}
		return end
	}
	return w.end(i)
}

func isCardNumber(raw []byte) bool {
	for _, c := range raw {
		if !digit(c) {
			return false
		}
	}
	return isCard(view(raw))
}

// step looks at the value at src[i], which stands one step further in.
func (w *walk) step(s step, i int) int {
	w.path = append(w.path, s)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	what := ""
	if s.index < 0 {
		if n := w.m.lookup(s.name); n != nil {
			what = mask(n.shown)
		}
	}
	if what == "" && w.named() {
		what = "{{masked}}"
	}
	if what == "" || i >= len(w.src) {
		return w.value(i)
	}
	end := w.end(i)
	if hides(w.src[i:end]) {
		w.replace(i, end, w.covered(w.src[i:end], what))
	}
	return end
}

// covered is what stands for the value raw: what, and of it what is shown.
func (w *walk) covered(raw []byte, what string) string {
	if w.shown == "" {
		return what
	}
	s := view(raw)
	if raw[0] == '"' {
		s = unquote(raw)
	}
	return string(cover(nil, s, 0, len(s), what, w.shown))
}

// hides reports whether raw can say something: null, truth values, "", [], {} and what
// is masked cannot.
func hides(raw []byte) bool {
	switch raw[0] {
	case 'n', 't', 'f':
		return false
	case '[', '{':
		return len(raw) > 2
	case '"':
		return len(raw) > 2 && !masked(view(raw[1:len(raw)-1]))
	}
	return true
}

// text looks at the string src[i:end].
func (w *walk) text(i, end int) {
	s := unquote(w.src[i:end])
	t := s
	if len(s) > 2 && (s[0] == '{' || s[0] == '[') && json.Valid([]byte(s)) {
		t = w.inner(s)
	}
	if t = w.m.text(t, w.shown); t == s && w.encoded {
		t = w.base64(s)
	}
	if t != s {
		w.replace(i, end, t)
	}
}

// inner walks JSON that stands in a string, as SNS has it: paths go on in there.
func (w *walk) inner(s string) string { return w.part([]byte(s), w.path) }

// part walks JSON that w came upon, at path.
func (w *walk) part(src []byte, path []step) string {
	in := walk{m: w.m, src: src, path: path, encoded: w.encoded, shown: w.shown}
	in.value(in.space(0))
	return string(in.result())
}

// minBase64 is how long a string is at least that is looked into, in bytes.
const minBase64 = 24

// base64 is text of what s is in base64, in base64 again; of anything else it is s.
func (w *walk) base64(s string) string {
	if len(s) < minBase64 || len(s)%4 != 0 {
		return s
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || !utf8.Valid(b) {
		return s
	}
	text := string(b)
	if json.Valid(b) {
		text = w.part(b, nil)
	}
	if text = w.m.text(text, w.shown); text == string(b) {
		return s
	}
	return base64.StdEncoding.EncodeToString([]byte(text))
}

// view is b as a string, not copied: nobody changes b while a walk lasts, and what a walk
// keeps of a string it copies. A line of JSON has dozens of them.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return view(quoted[1:max(1, len(quoted)-1)])
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return ""
	}
	return s
}

// minShown is how long what an attack was recognised by is at least to be left in sight in
// the event, in bytes: shorter, it says nothing, and hides where a secret has it.
const minShown = 4

// record looks at the members of a record of the kind k. What an attack was recognised by
// is evidence: matched is left alone, and what is the same in the event.
func (w *walk) record(k record.Kind) {
	if len(w.src) == 0 || w.src[0] != '{' {
		return
	}
	matched := ""
	w.members(0, func(key string, at int) int {
		switch key {
		case "event":
			w.encoded, w.shown = true, matched
			defer func() { w.encoded, w.shown = false, "" }()
			return w.value(at)
		case "message_json", "platform", "message", "url", "requests", "src", "dest", "degraded":
			return w.value(at)
		case "reason":
			return w.reason(at)
		}
		end := w.end(at)
		switch key {
		case "matched":
			if s := unquote(w.src[at:end]); k == record.Attack && len(s) >= minShown {
				matched = s
			}
		case "event_base64":
			w.shown = matched
			if s := unquote(w.src[at:end]); len(s) > 0 {
				if t := w.base64(s); t != s {
					w.replace(at, end, t)
				}
			}
			w.shown = ""
		}
		return end
	})
}

// reason looks at the reason at src[i]. The rule that it begins with, leak.own-secret:, is
// no name of what follows.
func (w *walk) reason(i int) int {
	end := w.end(i)
	s := unquote(w.src[i:end])
	rule, why, ok := strings.Cut(s, ": ")
	if !ok || !strings.Contains(rule, ".") || strings.Trim(rule, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return w.value(i)
	}
	if t := w.m.text(why, ""); t != why {
		w.replace(i, end, rule+": "+t)
	}
	return end
}
