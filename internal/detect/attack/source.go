package attack

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"

	"gatehouse/internal/detect"
)

// maxSourceSteps bounds the look at an event for one value, in strings and marks
// of punctuation.
const maxSourceSteps = 4096

// sourceOf recognises where event comes from. It reads the event once, looks into
// the members alone that a marker names, and jumps over the rest.
func sourceOf(event []byte) *detect.Source {
	r := shape{text: event}
	r.value(markRoot)
	for i := range sourceMarks {
		if r.found.has(sourceMarks[i]) {
			return &Sources[i]
		}
	}
	return &Sources[len(Sources)-1]
}

// markerSet holds one bit for each marker of Sources.
type markerSet [2]uint64

func (m markerSet) has(all markerSet) bool { return m[0]&all[0] == all[0] && m[1]&all[1] == all[1] }

func (m *markerSet) add(more markerSet) {
	m[0] |= more[0]
	m[1] |= more[1]
}

// shape reads an event for the markers in it. What is no JSON ends it.
type shape struct {
	text  []byte
	pos   int
	found markerSet
	sure  bool // one of the first sources is found
}

// The places of markers are a tree, made from Sources into source_table.go: a
// place is a path in the event on which a marker lies, 0 any other.
const (
	markNone uint8 = iota
	markRoot
)

// value reads the value that begins at pos, behind blanks, and lies at place.
func (r *shape) value(place uint8) {
	r.blank()
	if place == markNone || r.pos >= len(r.text) {
		r.skip()
		return
	}
	r.found.add(markHere[place])
	switch r.text[r.pos] {
	case '{':
		r.object(place)
	case '[':
		r.array(place)
	case '"':
		r.found.add(markValue(place, r.string()))
		r.sure = r.sure || r.found[0]&sureMarkers != 0
	default:
		r.skip()
	}
}

func (r *shape) object(place uint8) {
	for r.pos++; r.pos < len(r.text) && !r.sure; {
		switch r.text[r.pos] {
		case '"':
			child := markChild(place, r.string())
			if r.blank(); r.pos >= len(r.text) || r.text[r.pos] != ':' {
				r.pos = len(r.text)
				return
			}
			r.pos++
			r.value(child)
		case '}':
			r.pos++
			return
		default: // a comma, a blank
			r.pos++
		}
	}
}

// array reads the first element at the place below, and jumps over the rest.
func (r *shape) array(place uint8) {
	r.pos++
	if r.blank(); r.pos < len(r.text) && r.text[r.pos] != ']' {
		r.value(markFirst[place])
	}
	r.skipTo(1)
}

// string reads the string at pos and returns what stands between its quotes, as
// written.
func (r *shape) string() []byte {
	start := r.pos + 1
	for i := start; ; i++ {
		if i = quoteFrom(r.text, i); i < 0 {
			r.pos = len(r.text)
			return nil
		}
		slashes := 0
		for r.text[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			r.pos = i + 1
			return r.text[start:i]
		}
	}
}

// quoteFrom returns where the next quote in b is, from i on; -1 where there is
// none. Most strings are short, so it looks at eight bytes at once before it asks
// for more.
func quoteFrom(b []byte, i int) int {
	const ones, tops, quotes = 0x0101010101010101, 0x8080808080808080, 0x2222222222222222
	for end := i + 32; i < end && i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:]) ^ quotes
		if found := (x - ones) &^ x & tops; found != 0 { // the lowest one is right
			return i + bits.TrailingZeros64(found)/8
		}
	}
	if i >= len(b) {
		return -1
	}
	if n := bytes.IndexByte(b[i:], '"'); n >= 0 {
		return i + n
	}
	return -1
}

// skip jumps over the value at pos.
func (r *shape) skip() {
	if r.pos >= len(r.text) {
		return
	}
	switch r.text[r.pos] {
	case '"':
		r.string()
	case '{', '[':
		r.pos++
		r.skipTo(1)
	default:
		for r.pos < len(r.text) && !delimits(r.text[r.pos]) {
			r.pos++
		}
	}
}

// skipTo jumps behind what closes the depth-th level from here.
func (r *shape) skipTo(depth int) {
	text := r.text
	for i := r.pos; i < len(text) && !r.sure; i++ {
		c := text[i]
		if c == '"' {
			r.pos = i
			r.string()
			i = r.pos - 1
			continue
		}
		switch c | 0x20 { // [ and ] become { and }
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				r.pos = i + 1
				return
			}
		}
	}
	r.pos = len(text)
}

func (r *shape) blank() {
	for r.pos < len(r.text) && r.text[r.pos] <= ' ' {
		r.pos++
	}
}

// glob reports whether b fits pattern, which may begin and end with "*".
func glob(pattern string, b []byte) bool {
	core := strings.Trim(pattern, "*")
	head, tail := strings.HasPrefix(pattern, "*"), strings.HasSuffix(pattern, "*")
	switch {
	case head && tail:
		return bytes.Contains(b, []byte(core))
	case head:
		return bytes.HasSuffix(b, []byte(core))
	case tail:
		return bytes.HasPrefix(b, []byte(core))
	}
	return string(b) == core
}

// matches reports whether the path to the string that s stands at fits pattern;
// see Sources for the notation. A key with escapes fits only "*".
func (s *scanner) matches(pattern string) bool {
	if s.depth > len(s.frames) {
		return false
	}
	i := len(s.frames) - 1
	for ; pattern != ""; i-- {
		if i < 0 || !s.frames[i].fits(&pattern, s.text) {
			return false
		}
	}
	return i < 0
}

// fits reports whether f fits the last segment of pattern, and takes that off.
func (f *frame) fits(pattern *string, text []byte) bool {
	p := *pattern
	if p[len(p)-1] == ']' {
		open := strings.LastIndexByte(p, '[')
		*pattern = p[:open]
		index := p[open+1 : len(p)-1]
		return f.array && (index == "" || index == itoa(f.index))
	}
	dot := strings.LastIndexByte(p, '.')
	name := p[dot+1:]
	*pattern = p[:max(dot, 0)]
	if f.array || f.keyEnd == 0 {
		return false
	}
	return nameFits(name, f.key(text))
}

// nameFits reports whether key fits name, which may begin or end with "*".
func nameFits(name string, key []byte) bool {
	if core, ok := strings.CutSuffix(name, "*"); ok {
		return len(key) >= len(core) && strings.EqualFold(core, string(key[:len(core)]))
	}
	if core, ok := strings.CutPrefix(name, "*"); ok {
		return len(key) >= len(core) && strings.EqualFold(core, string(key[len(key)-len(core):]))
	}
	return len(key) == len(name) && strings.EqualFold(name, string(key))
}

// itoa is strconv.Itoa for the one index that markers use.
func itoa(i int) string {
	if i == 0 {
		return "0"
	}
	return ""
}
