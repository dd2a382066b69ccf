package attack

import "bytes"

// maxPathDepth is how many levels of a path are kept. Values that lie deeper are
// scanned like all others; their path ends there.
const maxPathDepth = 512

// scanner finds the strings of a JSON text, keys and values, and keeps the path
// to the one that it stands at. It builds nothing and does not recurse, so
// nesting costs one bit a level. It is tolerant: where the text is not JSON it
// notes the first such place and goes on looking for strings.
type scanner struct {
	text   []byte
	pos    int
	depth  int
	frames []frame  // the outer maxPathDepth levels
	arrays []uint64 // one bit a level: set for an array
	state  state
	plain  []byte // the latest string without its escapes, if it has any

	// concatenated accepts several documents one after the other.
	concatenated bool
	// skim jumps over what strings hold: their classes and escapes stay unknown.
	skim bool
	// steps, where it is not 0, is how many more strings and marks are read.
	steps int
	// broken is the offset of the first byte that JSON does not allow there; -1
	// while there is none.
	broken int
	// deep is set once a value lay below maxPathDepth.
	deep bool
}

// frame is one level of the path: an element of an array, or a member of an
// object whose key stands, with its quotes, at text[keyStart:keyEnd].
type frame struct {
	array            bool
	index            int
	keyStart, keyEnd int
}

// str is a string of the text: text[start:end] with its quotes. An unterminated
// string ends with the text.
type str struct {
	start, end int
	classes    class
	key        bool // of an object
	escaped    bool // has a backslash
	closed     bool // has its closing quote
	bytes      bool // no string: an array of numbers that may be bytes
}

// body returns what stands between the quotes, as written.
func (s *str) body(text []byte) []byte {
	if s.closed {
		return text[s.start+1 : s.end-1]
	}
	return text[s.start+1 : s.end]
}

// state is what may come next.
type state uint8

const (
	wantValue        state = iota
	wantFirstValue         // or the end of the array
	wantKey                //
	wantFirstKey           // or the end of the object
	wantColon              //
	wantCommaOrEnd         //
	wantNothing            // one document is complete
	wantAnotherValue       // one document is complete, and there may be another
)

// reset makes s ready to scan text, keeping its buffers.
func (s *scanner) reset(text []byte, concatenated bool) {
	*s = scanner{
		text: text, frames: s.frames[:0], arrays: s.arrays[:0], plain: s.plain[:0],
		concatenated: concatenated, broken: -1,
	}
}

// next advances to the next string. It returns false at the end of the text.
func (s *scanner) next(out *str) bool {
	for s.pos < len(s.text) {
		if s.steps > 0 {
			if s.steps--; s.steps == 0 {
				return false
			}
		}
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		case '"':
			s.string(out)
			return true
		case '{', '[':
			if c == '[' && s.bytes(out) {
				return true
			}
			s.open(c == '[')
		case '}', ']':
			s.close(c == ']')
		case ',':
			s.comma()
		case ':':
			s.expect(s.state == wantColon)
			s.state = wantValue
			s.pos++
		default:
			s.literal()
		}
	}
	if s.depth > 0 || (s.state != wantNothing && s.state != wantAnotherValue) {
		s.mark(len(s.text))
	}
	return false
}

// mark notes that the text is not JSON at offset at.
func (s *scanner) mark(at int) {
	if s.broken < 0 {
		s.broken = at
	}
}

func (s *scanner) expect(ok bool) {
	if !ok {
		s.mark(s.pos)
	}
}

// valueAllowed reports whether a value may stand here.
func (s *scanner) valueAllowed() bool {
	return s.state == wantValue || s.state == wantFirstValue || s.state == wantAnotherValue
}

// afterValue is the state behind a complete value.
func (s *scanner) afterValue() state {
	switch {
	case s.depth > 0:
		return wantCommaOrEnd
	case s.concatenated:
		return wantAnotherValue
	}
	return wantNothing
}

// string reads the string at pos.
func (s *scanner) string(out *str) {
	*out = str{start: s.pos}
	if s.skim {
		s.skimTo(out)
	} else {
		s.read(out)
	}
	if !out.closed {
		s.mark(out.end)
	}
	out.key = s.state == wantKey || s.state == wantFirstKey
	if out.key {
		s.key(out)
	} else {
		s.expect(s.valueAllowed())
		s.state = s.afterValue()
	}
	s.pos = out.end
}

// read finds the end of the string and the kinds of byte in it. Where it has
// escapes, they are undone into s.plain on the way, and the kinds are those of what
// it stands for.
func (s *scanner) read(out *str) {
	text, i := s.text, out.start+1
	var seen class
	for i < len(text) {
		c := classOf[text[i]]
		if c&stop != 0 {
			break
		}
		seen |= c
		i++
	}
	switch {
	case i == len(text):
		out.end = i
	case text[i] == '"':
		out.closed, out.end = true, i+1
	default:
		s.plain = append(s.plain[:0], text[out.start+1:i]...)
		s.unescape(out, i, seen)
		return
	}
	out.classes = seen
}

// skimTo finds the end of the string.
func (s *scanner) skimTo(out *str) {
	for i := out.start + 1; ; {
		n := bytes.IndexByte(s.text[i:], '"')
		if n < 0 {
			out.end = len(s.text)
			return
		}
		i += n + 1
		slashes := 0
		for s.text[i-2-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			out.end, out.closed = i, true
			return
		}
	}
}

// key makes the string the key of the innermost object.
func (s *scanner) key(k *str) {
	if s.depth <= maxPathDepth {
		f := &s.frames[s.depth-1]
		f.keyStart, f.keyEnd = k.start, k.end
	}
	s.state = wantColon
}

// open enters an array or an object.
func (s *scanner) open(array bool) {
	s.expect(s.valueAllowed())
	if s.depth < maxPathDepth {
		s.frames = append(s.frames, frame{array: array})
	} else {
		s.deep = true
	}
	word, bit := s.depth/64, uint64(1)<<(s.depth%64)
	if word == len(s.arrays) {
		s.arrays = append(s.arrays, 0)
	}
	if array {
		s.arrays[word] |= bit
		s.state = wantFirstValue
	} else {
		s.arrays[word] &^= bit
		s.state = wantFirstKey
	}
	s.depth++
	s.pos++
}

// inArray reports whether the innermost level is an array.
func (s *scanner) inArray() bool {
	d := s.depth - 1
	return d >= 0 && s.arrays[d/64]>>(d%64)&1 == 1
}

// close leaves an array or an object.
func (s *scanner) close(array bool) {
	ended := s.state == wantCommaOrEnd || s.state == wantFirstKey || s.state == wantFirstValue
	s.expect(s.depth > 0 && ended && array == s.inArray())
	if s.depth > 0 {
		s.depth--
		s.frames = s.frames[:min(s.depth, len(s.frames))]
	}
	s.state = s.afterValue()
	s.pos++
}

// comma goes on to the next element or member.
func (s *scanner) comma() {
	s.expect(s.state == wantCommaOrEnd)
	s.pos++
	switch {
	case s.depth == 0:
		s.state = wantValue
	case s.inArray():
		if s.depth <= maxPathDepth {
			s.frames[s.depth-1].index++
		}
		s.state = wantValue
	default:
		s.state = wantKey
	}
}
