package leak

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// gram is how many bytes are looked at in one probe.
const gram = 8

// index finds patterns in a text by a strided q-gram filter (after Rabin and
// Karp, and Wu and Manber). With m the length of the shortest pattern, it reads
// eight bytes at every (m-7)th place of the text. Each occurrence of a pattern
// covers exactly one such place among its first m-7 bytes, so the eight bytes at
// each of those offsets of each pattern are all that must be known: one bit each
// to tell that there is nothing, which is the rule, and a table for the rest.
type index struct {
	patterns []pattern
	fold     bool // case does not count: texts are in lower case
	stride   int
	longest  int // pattern, in bytes
	shift    int // of a hash to its place in bitmap
	bitmap   []uint64
	heads    []uint32 // hash bucket → 1 + entry; 0 is empty
	entries  []entry
	starts   [256]uint64 // one bit for the first four bytes of each pattern
}

// entry says that pattern has the word at offset that its bucket is for.
type entry struct {
	pattern, offset uint16
	next            uint32 // 1 + entry; 0 is the end
}

// match is an occurrence of a pattern: text[start:end].
type match struct {
	pattern, start, end int
}

const bucketBits = 12

// newIndex indexes patterns, each of which has at least gram bytes; the first maxPatterns
// of them.
func newIndex(patterns []pattern) *index { return indexOf(patterns, false) }

// newFoldedIndex is newIndex for texts in lower case that are short: each place is
// probed, so one word of a pattern will do.
func newFoldedIndex(patterns []pattern) *index { return indexOf(patterns, true) }

func indexOf(patterns []pattern, fold bool) *index {
	patterns = patterns[:min(len(patterns), maxPatterns)]
	ix := &index{patterns: patterns, fold: fold, stride: 1}
	if len(patterns) == 0 {
		return ix
	}
	shortest := len(patterns[0].text)
	for i := range patterns {
		shortest = min(shortest, len(patterns[i].text))
		ix.longest = max(ix.longest, len(patterns[i].text))
	}
	if !fold {
		ix.stride = min(shortest-gram+1, 9)
	}
	n := ix.stride * len(patterns)
	bitmapBits := max(bits.Len(uint(n))+5, 12) // at most 1 bit in 32 is set
	ix.shift = 64 - bitmapBits
	ix.bitmap = make([]uint64, 1<<(bitmapBits-6))
	ix.heads = make([]uint32, 1<<bucketBits)
	ix.entries = make([]entry, 0, n)
	for i := range patterns {
		at := startBit(patterns[i].text)
		ix.starts[at>>6] |= 1 << (at & 63)
		for offset := range ix.stride {
			ix.add(i, offset)
		}
	}
	return ix
}

func (ix *index) add(pattern, offset int) {
	h := hash(ix.word(ix.patterns[pattern].text[offset:]))
	ix.bitmap[h>>ix.shift>>6] |= 1 << (h >> ix.shift & 63)
	bucket := &ix.heads[h>>(64-bucketBits)]
	ix.entries = append(ix.entries, entry{uint16(pattern), uint16(offset), *bucket})
	*bucket = uint32(len(ix.entries))
}

// word is what ix knows of the eight bytes that text begins with.
func (ix *index) word(text []byte) uint64 {
	w := binary.LittleEndian.Uint64(text)
	if ix.fold {
		return lowerWord(w)
	}
	return w
}

// is reports whether text is p.
func (ix *index) is(text, p []byte) bool {
	if !ix.fold {
		return string(text) == string(p)
	}
	for i, c := range p {
		if isUpper(c) {
			c |= 0x20
		}
		if text[i] != c {
			return false
		}
	}
	return true
}

// lowerWord puts eight bytes into lower case.
func lowerWord(w uint64) uint64 {
	const each, high = 0x0101010101010101, 0x8080808080808080
	low := w &^ high
	return w | (low+(0x80-'A')*each)&^(low+(0x7F-'Z')*each)&^w&high>>2
}

// startBit is where in starts the first four bytes of text stand.
func startBit(text []byte) uint32 {
	return binary.LittleEndian.Uint32(text) * 0x9E3779B1 >> 18
}

// prefixed reports whether a pattern begins with text, which is shorter than gram.
func (ix *index) prefixed(text []byte) bool {
	if len(text) >= 4 {
		if at := startBit(text); ix.starts[at>>6]>>(at&63)&1 == 0 {
			return false
		}
	}
	for i := range ix.patterns {
		if bytes.HasPrefix(ix.patterns[i].text, text) {
			return true
		}
	}
	return false
}

// hash spreads a word over the high bits (Fibonacci hashing).
func hash(word uint64) uint64 { return word * 0x9E3779B97F4A7C15 }

// may reports whether some pattern may have word at one of its indexed offsets.
func (ix *index) may(h uint64) bool {
	return ix.bitmap[h>>ix.shift>>6]>>(h>>ix.shift&63)&1 != 0
}

// each calls found for every occurrence of a pattern in text, in the order of the
// probes that hit: starts differ from that order by less than a stride. It ends
// when found returns false.
func (ix *index) each(text []byte, found func(match) bool) {
	if len(ix.patterns) == 0 {
		return
	}
	for i := 0; i+gram <= len(text); i += ix.stride {
		word := binary.LittleEndian.Uint64(text[i:])
		h := hash(word)
		if ix.may(h) && !ix.verify(text, i, word, h, found) {
			return
		}
	}
}

// verify calls found for the patterns that have word, read at text[i], at one of
// their offsets and stand in text.
func (ix *index) verify(text []byte, i int, word, h uint64, found func(match) bool) bool {
	for e := ix.heads[h>>(64-bucketBits)]; e != 0; e = ix.entries[e-1].next {
		en := &ix.entries[e-1]
		start := i - int(en.offset)
		p := ix.patterns[en.pattern].text
		if start < 0 || word != ix.word(p[en.offset:]) {
			continue
		}
		if start+len(p) <= len(text) && ix.is(text[start:start+len(p)], p) &&
			!found(match{int(en.pattern), start, start + len(p)}) {
			return false
		}
	}
	return true
}

// first returns, of the matches in text that neither permitted nor excused lets by,
// the one that ends first and, of those, starts first. The same secret is found in
// a stream however it is cut.
func (ix *index) first(text []byte, permitted func(*pattern) bool, excused func(match) bool) (best match, ok bool) {
	ix.each(text, func(m match) bool {
		if ok && m.start >= best.end {
			return false // no later match ends before best does
		}
		if permitted != nil && permitted(&ix.patterns[m.pattern]) {
			return true
		}
		if ok && m.end >= best.end && (m.end > best.end || !m.before(best)) {
			return true
		}
		if excused == nil || !excused(m) {
			best, ok = m, true
		}
		return true
	})
	return best, ok
}

// before orders matches that end together: the longer first, then by pattern.
func (m match) before(o match) bool {
	return m.start < o.start || m.start == o.start && m.pattern < o.pattern
}

// partial returns how long the longest end of text is that begins a pattern
// without being all of it, at least gram bytes; 0 where there is none.
func (ix *index) partial(text []byte, permitted func(*pattern) bool) int {
	if len(ix.patterns) == 0 {
		return 0
	}
	for i := max(0, len(text)-ix.longest+1); i+gram <= len(text); i++ {
		word := binary.LittleEndian.Uint64(text[i:])
		h := hash(word)
		if ix.may(h) && ix.begins(text[i:], word, h, permitted) {
			return len(text) - i
		}
	}
	return 0
}

// begins reports whether a longer pattern begins with text.
func (ix *index) begins(text []byte, word, h uint64, permitted func(*pattern) bool) bool {
	for e := ix.heads[h>>(64-bucketBits)]; e != 0; e = ix.entries[e-1].next {
		en := &ix.entries[e-1]
		p := &ix.patterns[en.pattern]
		if en.offset != 0 || word != binary.LittleEndian.Uint64(p.text) {
			continue
		}
		if len(p.text) > len(text) && string(p.text[:len(text)]) == string(text) &&
			(permitted == nil || !permitted(p)) {
			return true
		}
	}
	return false
}
