package leak

import (
	"bytes"
	"strings"
	"sync"
)

// maxQuiet is the longest text that Quiet says anything of, in bytes.
const maxQuiet = 16 << 10

// Quiet reports whether nothing in text, all that leaves through one place, can be any
// part of a secret that a Scanner would count, in any form, nor anything that Decode
// would undo or Tokens and Keys look at twice. It costs a small part of a scanner,
// which most of what leaves never needs. It is never true of what is longer than 16 KiB.
func (s *Set) Quiet(text []byte) bool {
	if len(text) > maxQuiet || !isPlainText(text) {
		return false
	}
	x := s.pieces()
	for i := x.next(text, 0); i >= 0; i = x.next(text, i+1) {
		if mayBeToken(text[i:]) || x.begins(text, i) {
			return false
		}
	}
	return !s.Touches(text) && !s.hides(text)
}

// pieces is the index of s's pieces of secrets.
func (s *Set) pieces() *crumbIndex {
	if s == nil {
		return noPieces()
	}
	return s.crumbs()
}

var noPieces = sync.OnceValue(func() *crumbIndex { return newCrumbIndex(nil, nil) })

// hides reports whether a run in text, undone, may be part of a secret, or something to
// undo once more.
func (s *Set) hides(text []byte) (found bool) {
	for at := 0; !found; {
		start, end := nextRun(text, at, minWord)
		if start < 0 {
			break
		}
		for c := start; end-c >= minPacked && !found; c = nextMark(text, c, end) {
			found = packedStart(text[c:end]) != nil
		}
		if end-start >= minWord && !found {
			each(text[start:end], runState{first: true}, func(u undone) bool {
				found = !u.again && (s.Touches(u.plain) || hasMagic(u.plain)) || isPacked(u.plain) ||
					asciiText(u.plain) && (hasWord(u.plain) || firstEscape(u.plain) >= 0)
				return !found
			})
		}
		at = end
	}
	return found
}

// isPlainText reports whether text is one that no decoder has anything to do with but for
// runs of digits: printable ASCII without escapes.
func isPlainText(text []byte) bool {
	for i, c := range text {
		switch k := kindOf[c]; {
		case k == odd:
			return false
		case c == '&' && (i+1 == len(text) || text[i+1] == '#'):
			return false // &#65; is one, too
		case c == '\\' && (i+1 == len(text) || strings.IndexByte(`"\/bfnrt`, text[i+1]) < 0):
			return false // \u0061 is an escape to undo
		case c == '=' && i > 9 && strings.EqualFold(string(text[i-9:i]), "redential"):
			return false
		}
	}
	return true
}

// The kinds of byte that isPlainText tells apart. A backslash is judged by what follows.
const (
	plain = iota
	odd
)

// kindOf has the kind of each byte: % escapes, and what is not ASCII may be anything.
var kindOf = func() (kinds [256]uint8) {
	for c := range kinds {
		switch {
		case c >= 0x7f || c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == '%':
			kinds[c] = odd
		}
	}
	return kinds
}()

// mayBeToken reports whether text begins with the whole prefix of a token.
func mayBeToken(text []byte) bool {
	for i := range tokens {
		if len(text) >= len(tokens[i].prefix) && string(text[:len(tokens[i].prefix)]) == tokens[i].prefix {
			return true
		}
	}
	return false
}

// isPacked reports whether b begins as something compressed.
func isPacked(b []byte) bool {
	for _, m := range magics {
		if bytes.HasPrefix(b, []byte(m.magic)) {
			return true
		}
	}
	return len(b) > 1 && b[0] == 0x78 && zlibMagic(b)
}

// Touches reports whether eight bytes of text, as they are, by what is between each and
// the next, or without what a squeezer takes away, stand in a pattern.
func (s *Set) Touches(text []byte) bool {
	if s == nil {
		return false
	}
	if len(text) < gram {
		return false
	}
	e, sieve := s.engine(), s.sieve()
	if sieve.plain(text, e) {
		return true
	}
	var buf [512]byte
	text = e.squeezer.squeeze(buf[:0], text)
	return len(text) >= gram && sieve.left(text, e)
}

// has reports whether word is one of g's.
func (g *grams) has(word uint64) bool {
	h := hash(word)
	if !g.may(h) {
		return false
	}
	for e := g.first(h); e != 0; e = g.entries[e-1].next {
		if g.word(&g.entries[e-1]) == word {
			return true
		}
	}
	return false
}
