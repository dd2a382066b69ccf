package attack

import "math/bits"

//go:generate go test -run TestAnchorTable|TestRulesPage -args -update

// The tokens of all families are found in one pass. Each token has an anchor: the
// two of its neighbouring bytes that ordinary text has least often. The pass looks
// at every pair of bytes, in any case, and compares a token only where its anchor
// stands. foldOf gives each byte one of 64 classes: letters without their case,
// digits as one, marks by themselves. anchor_table.go holds the anchors; go generate writes it, and a test
// holds it to the families.

// maxFamilies bounds the number of families.
const maxFamilies = 40

// hits is where the tokens of the families stand in a value.
type hits struct {
	families uint64 // a bit for each family that has a token there
	// first is where the family's first token begins, last where its last one ends.
	first, last [maxFamilies]int
}

// anchored is a token: a word that a family needs. It lies round the anchor that its bucket is
// for.
type anchored struct {
	text     string
	anchor   int // offset of the anchor in text
	families uint64
}

// find looks for all tokens in value.
func (h *hits) find(value []byte) {
	h.families = 0
	if len(value) == 0 {
		return
	}
	last := foldOf[value[0]]
	for i := 1; i < len(value); i++ {
		c := foldOf[value[i]]
		if bucket := anchorBuckets[uint(last&63)<<6|uint(c&63)]; bucket != 0 {
			h.compare(value, i-1, bucket)
		}
		last = c
	}
}

// compare notes which tokens of a bucket have their anchor at value[at:].
func (h *hits) compare(value []byte, at int, bucket uint16) {
	tokens := anchorTokens[bucketStart[bucket-1]:bucketStart[bucket]]
	for i := range tokens {
		t := &tokens[i]
		start := at - t.anchor
		if start < 0 || len(value)-start < len(t.text) || !t.fits(value[start:]) {
			continue
		}
		h.note(t, value, start)
	}
}

// note notes that t stands at value[start:], for the families that confirm it.
func (h *hits) note(t *anchored, value []byte, start int) {
	for f := t.families; f != 0; f &= f - 1 {
		i := bits.TrailingZeros64(f)
		if confirm := families[i].confirm; confirm != nil && !confirm(value, start, start+len(t.text)) {
			continue
		}
		if h.families>>i&1 == 0 {
			h.families |= 1 << i
			h.first[i] = start
		}
		h.first[i] = min(h.first[i], start)
		h.last[i] = start + len(t.text)
	}
}

// fits reports whether b begins with the token, in any case.
func (t *anchored) fits(b []byte) bool {
	for i := range len(t.text) {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != t.text[i] {
			return false
		}
	}
	return true
}
