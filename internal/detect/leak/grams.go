package leak

import (
	"encoding/binary"
	"math/bits"
)

// grams knows at which places of which patterns eight bytes stand. Unlike index it
// knows those of whole patterns, so that a part of one is found as well; of forms
// that are longer than the secret, no more of them than a part of least bytes needs.
type grams struct {
	kind     kind // of comparison
	patterns []pattern
	filter   filter
	heads    []uint32 // hash bucket → 1 + entry; 0 is empty
	entries  []gramEntry
}

type gramEntry struct {
	pattern, offset uint16
	next            uint32 // 1 + entry; 0 is the end
}

const (
	// maxGrams bounds what one set of patterns is found by: 8 bytes each.
	maxGrams = 1 << 17
	// maxPatterns and maxText are what fits a gramEntry.
	maxPatterns, maxText = 1 << 16, 1 << 16
	// maxAlike bounds how many patterns have the same eight bytes.
	maxAlike = 32
	// maxStride is that of the probes in a long text: with a gram at each place, a part
	// of minAlarm bytes has one that is probed.
	maxStride = minAlarm - gram + 1
	// longSecret is where grams get fewer, in bytes.
	longSecret = 256
	// shortSecret is up to which length secrets keep all their grams longest, and
	// maxThinning how many times fewer there may be of others.
	shortSecret, maxThinning = 48, 1 << 10
)

// newGrams indexes patterns for probes that are stride apart and compare as k does.
func newGrams(patterns []pattern, targets []target, stride int, k kind) *grams {
	g := &grams{kind: k, patterns: patterns[:min(len(patterns), maxPatterns)]}
	for i := range g.patterns {
		p := &g.patterns[i]
		p.spacing = spacing(p, &targets[p.secret], stride)
	}
	g.entries = make([]gramEntry, 0, g.thin(targets, stride))
	for i := range g.patterns {
		if p := &g.patterns[i]; len(p.text) >= gram && len(p.text) < maxText {
			g.addPattern(i)
		}
	}
	g.table()
	return g
}

// crowded reports whether patterns have more grams than there is room for.
func crowded(patterns []pattern, targets []target) bool {
	n, stride := 0, strideOf(patterns)
	for i := range patterns {
		n += patterns[i].grams(spacing(&patterns[i], &targets[patterns[i].secret], stride))
	}
	return n > maxGrams
}

// thin makes the grams fewer until there is room for all, those of long secrets first,
// and returns how many there are at most. Of each pattern remain as many as half of it
// has one by.
func (g *grams) thin(targets []target, stride int) int {
	n := g.size()
	for _, longer := range [...]int{shortSecret, 0} {
		for factor := 2; n > maxGrams && factor <= maxThinning; factor *= 2 {
			for i := range g.patterns {
				p := &g.patterns[i]
				if t := &targets[p.secret]; t.length > longer {
					p.spacing = sparse(p, spacing(p, t, stride)*factor, stride)
				}
			}
			n = g.size()
		}
	}
	return min(n, maxGrams)
}

// sparse is the spacing nearest to n at which half of p has a gram that probes meet which
// are stride apart.
func sparse(p *pattern, n, stride int) int {
	n = max(1, min(n, (len(p.text)/2-gram+1)/stride))
	for gcd(n, stride) > 1 {
		n--
	}
	return n
}

// size is how many grams the patterns have.
func (g *grams) size() (n int) {
	for i := range g.patterns {
		n += g.patterns[i].grams(g.patterns[i].spacing)
	}
	return n
}

// grams is how many grams p has at most when they are spacing apart.
func (p *pattern) grams(spacing int) (n int) {
	if !p.escapes() {
		return len(p.text)/spacing + 1
	}
	last := -gram
	for end, c := range p.text {
		if c == '%' || c == '\\' {
			last = end
		}
		if offset := end + 1 - gram; offset >= 0 && offset%spacing == 0 && last >= offset-2 {
			n++
		}
	}
	return n
}

// strideOf is how far apart the probes in a long text may be that patterns are
// looked for in.
func strideOf(patterns []pattern) int {
	stride := maxStride
	for i := range patterns {
		stride = max(1, min(stride, len(patterns[i].text)-gram+1))
	}
	return stride
}

// spacing is how far apart the grams of p may be: so that one of them is met in a
// part of minHeldSecret bytes at every place, and in a part of minAlarm bytes by
// probes that are stride apart.
func spacing(p *pattern, t *target, stride int) int {
	if p.escapes() {
		return 1
	}
	length := max(1, t.length)
	held := len(p.text)*min(minHeldSecret-2, length)/length - 1
	part := len(p.text)*min(minAlarm, length)/length - 2
	n := max(1, min(held-gram+1, 9))
	for n > 1 && (gcd(n, stride) > 1 || length < longSecret && n*stride+gram-1 > part) {
		n--
	}
	return n
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// addPattern notes the grams of p that tell something.
func (g *grams) addPattern(i int) {
	p := &g.patterns[i]
	before := len(g.entries)
	for offset := 0; offset+gram <= len(p.text); offset += p.spacing {
		if g.tells(g.wordAt(i, offset)) && (!p.escapes() || p.escapeIn(offset, offset+gram)) {
			g.append(i, offset)
		}
	}
	if len(g.entries) == before && !p.escapes() && g.kind == same {
		g.append(i, 0)
	}
}

// tells reports whether a word of g has more than two different bytes.
func (g *grams) tells(word uint64) bool {
	if g.kind != same {
		word &= differences
	}
	return tells(word)
}

func (g *grams) append(pattern, offset int) {
	if len(g.entries) < maxGrams {
		g.entries = append(g.entries, gramEntry{pattern: uint16(pattern), offset: uint16(offset)})
	}
}

// wordAt is what g knows of eight bytes of a pattern.
func (g *grams) wordAt(pattern, offset int) uint64 {
	return g.kind.word(binary.LittleEndian.Uint64(g.patterns[pattern].text[offset:]))
}

// word is what e stands for.
func (g *grams) word(e *gramEntry) uint64 { return g.wordAt(int(e.pattern), int(e.offset)) }

// word is what of eight bytes of a text k compares.
func (k kind) word(w uint64) uint64 {
	switch k {
	case xored:
		return xorWord(w)
	case moved:
		return addWord(w)
	}
	return w
}

// tells reports whether a word has more than two different bytes.
func tells(word uint64) bool {
	a := word & 0xFF
	x := word ^ a*0x0101010101010101
	if x == 0 {
		return false
	}
	b := x >> (bits.TrailingZeros64(x) &^ 7) & 0xFF // the first that differs, XORed
	for ; x != 0; x >>= 8 {
		if c := x & 0xFF; c != 0 && c != b {
			return true
		}
	}
	return false
}

// table makes bitmap and heads.
func (g *grams) table() {
	headBits := max(bits.Len(uint(len(g.entries)))-1, 6)
	g.filter = newFilter(len(g.entries))
	g.heads = make([]uint32, 1<<headBits)
	for i := range g.entries {
		e := &g.entries[i]
		word := g.word(e)
		h := hash(word)
		g.filter.add(h)
		head := &g.heads[h>>(64-headBits)]
		if g.alike(*head, word) < maxAlike {
			e.next, *head = *head, uint32(i+1)
		}
	}
}

func (g *grams) alike(e uint32, word uint64) (n int) {
	for ; e != 0; e = g.entries[e-1].next {
		if g.word(&g.entries[e-1]) == word {
			n++
		}
	}
	return n
}

// first returns 1 + the first entry that may have a word of hash h.
func (g *grams) first(h uint64) uint32 { return g.heads[h>>(64-bits.Len(uint(len(g.heads)-1)))] }

// may reports whether some pattern may have a word of hash h.
func (g *grams) may(h uint64) bool { return g.filter.may(h) }

// filter is a Bloom filter: two bits for each hash, in one word.
type filter struct {
	bitmap []uint64
	shift  uint8 // of a hash to its place in bitmap
}

// newFilter is one for n hashes: of 64 bits, two to four are set.
func newFilter(n int) filter {
	size := max(bits.Len(uint(n))-1, 6)
	return filter{bitmap: make([]uint64, 1<<size), shift: uint8(64 - size)}
}

func (f *filter) add(h uint64) { f.bitmap[h>>(f.shift&63)] |= twoBits(h) }

func (f *filter) may(h uint64) bool { return twoBits(h)&^f.bitmap[h>>(f.shift&63)] == 0 }

// twoBits are those that stand for h in its word of a filter.
func twoBits(h uint64) uint64 { return 1<<(h>>8&63) | 1<<(h>>16&63) }

// Single bytes that all were XORed with the same, or had the same added, are found
// by what is between each and the next: these seven differences do not change.
const differences = 1<<56 - 1

func xorWord(w uint64) uint64 { return (w ^ w>>8) & differences }

func addWord(w uint64) uint64 {
	const high = 0x8080808080808080
	x, y := w>>8, w
	return ((x|high)-(y&^high)^(x^^y)&high)&differences | 1<<56
}
