package leak

import (
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	// crumbGram is the shortest piece of a secret that is looked for, in characters, and
	// crumbBits how much one must say.
	crumbGram, crumbBits = 4, 20
	// maxCrumbed is the longest secret that is looked for in pieces, in bytes: of longer
	// ones too many pieces would be chance.
	maxCrumbed = 128
	// A piece that may be some of a word, or a number, says but wordBits of its bits, and
	// maxWordBits at most.
	wordBits, maxWordBits = 0.75, 27
)

// crumbIndex knows where in the forms of secrets any four characters stand. Only of
// generated secrets, as they are, reversed, both in base64, and in hex: pieces of others are
// words.
type crumbIndex struct {
	patterns []pattern
	bits     []float64 // what a character of each pattern says
	written  []places  // of each secret
	filter   filter    // and of the beginnings of tokens
	heads    []uint32  // hash bucket → 1 + entry; 0 is empty
	shift    uint8     // of a hash to its bucket
	entries  []gramEntry
}

// places is in how many places a piece of a secret may be found by chance, as a
// logarithm: in the secret itself, and in its encoded forms.
type places struct{ plain, encoded float64 }

// fragment is a piece of a secret, text[at:at+n].
type fragment struct {
	run
	at   int
	bits float64 // what it says: how many of them chance would have to get right
	word bool    // it may be some of a word, or a number
}

func newCrumbIndex(patterns []pattern, secrets []Secret) *crumbIndex {
	x := &crumbIndex{written: make([]places, len(secrets))}
	total := make([]int, len(secrets)) // characters of encoded forms
	for i := range patterns {
		p := &patterns[i]
		v := secrets[p.secret].Value
		each := formBits(p, v)
		switch {
		case each == 0 || len(v) > maxCrumbed || !isRandom(string(v)) || len(x.patterns) == maxPatterns:
			continue
		case credentialField(secrets[p.secret].Name) != "":
			continue // it may stand in a presigned URL
		}
		if p.chain == nil {
			x.written[p.secret].plain = 1 + math.Log2(float64(len(p.text)))
		} else {
			total[p.secret] += len(p.text)
		}
		for at := 0; at+crumbGram <= len(p.text) && len(x.entries) < maxGrams; at++ {
			x.entries = append(x.entries, gramEntry{pattern: uint16(len(x.patterns)), offset: uint16(at)})
		}
		x.patterns, x.bits = append(x.patterns, *p), append(x.bits, each)
	}
	for i, n := range total { // half of those who carry something off encode nothing
		x.written[i].encoded = 1 + math.Log2(float64(max(1, n)))
	}
	x.table()
	return x
}

// formBits is what a character of v says where p writes it; 0 where pieces of p are not
// looked for.
func formBits(p *pattern, v []byte) float64 {
	switch {
	case len(p.chain) == 0 || len(p.chain) == 1 && p.chain[0] == "reversed":
		return charBits(v)
	case len(p.chain) > 0 && p.chain[0] == "base64" && (len(p.chain) == 1 || len(p.chain) == 2 && p.chain[1] == "reversed"):
		return 6
	case len(p.chain) == 1 && p.chain[0] == "hex":
		return 4
	}
	return 0
}

// charBits is what one character of v says, where v was drawn of all that are like its
// own.
func charBits(v []byte) float64 {
	var lower, upper, digit, other float64
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			digit = 10
		case c >= 'a' && c <= 'f':
			lower = max(lower, 6)
		case c >= 'A' && c <= 'F':
			upper = max(upper, 6)
		case c >= 'a' && c <= 'z':
			lower = 26
		case isUpper(c):
			upper = 26
		default:
			other = 2
		}
	}
	return math.Log2(max(2, lower+upper+digit+other))
}

// table makes filter and heads. Of entries that are alike, maxAlike are found.
func (x *crumbIndex) table() {
	size := max(bits.Len(uint(len(x.entries))), 6)
	x.shift = uint8(64 - size)
	x.filter = newFilter(len(x.entries) / 2)
	x.heads = make([]uint32, 1<<size)
	for i := range x.entries {
		e := &x.entries[i]
		word, alike := x.word(e), 0
		h := hash(word)
		x.filter.add(h)
		head := &x.heads[h>>x.shift]
		for at := *head; at != 0; at = x.entries[at-1].next {
			if x.word(&x.entries[at-1]) == word {
				alike++
			}
		}
		if alike < maxAlike {
			e.next, *head = *head, uint32(i+1)
		}
	}
	for i := range tokens {
		x.filter.add(hash(uint64(binary.LittleEndian.Uint32([]byte(tokens[i].prefix)))))
	}
}

func (x *crumbIndex) word(e *gramEntry) uint64 {
	return uint64(binary.LittleEndian.Uint32(x.patterns[e.pattern].text[e.offset:]))
}

// next returns the first place in text from i on at which a piece, or a token of a
// vendor's, may begin; -1 where there is none.
func (x *crumbIndex) next(text []byte, i int) int {
	for filter := x.filter; i+crumbGram <= len(text); i++ {
		if filter.may(hash(uint64(binary.LittleEndian.Uint32(text[i:])))) {
			return i
		}
	}
	return -1
}

// at calls found for each piece that begins at text[i:] until that returns false, and
// returns the length of the longest; 0 where there is none.
func (x *crumbIndex) at(text []byte, i int, found func(fragment) bool) (longest int) {
	word := uint64(binary.LittleEndian.Uint32(text[i:]))
	for at := x.heads[hash(word)>>(x.shift&63)]; at != 0; at = x.entries[at-1].next {
		e := &x.entries[at-1]
		if x.word(e) != word {
			continue
		}
		p, ok := x.fragment(text, i, e)
		if !ok {
			continue
		}
		if longest = max(longest, p.n); !found(p) {
			break
		}
	}
	return longest
}

// begins reports whether a piece begins at text[i:].
func (x *crumbIndex) begins(text []byte, i int) bool {
	return x.at(text, i, func(fragment) bool { return false }) > 0
}

// fragment is the piece that begins at text[i:] and with e; ok is whether it says enough.
func (x *crumbIndex) fragment(text []byte, i int, e *gramEntry) (p fragment, ok bool) {
	of, from, n := &x.patterns[e.pattern], int(e.offset), crumbGram
	for from+n < len(of.text) && i+n < len(text) && of.text[from+n] == text[i+n] {
		n++
	}
	p = fragment{run: run{pattern: of, from: from, n: n}, at: i}
	p.bits = min(x.bits[e.pattern], charBits(text[i:i+n])) * float64(n)
	if p.bits < crumbBits {
		return p, false
	}
	if p.word = isWordlike(text[i : i+n]); p.word {
		p.bits = min(p.bits*wordBits, maxWordBits)
	}
	return p, !p.word || n > crumbGram
}

// chance is in how many places p may be found by chance, as a logarithm.
func (x *crumbIndex) chance(p fragment) float64 {
	if len(p.pattern.chain) == 0 {
		return x.written[p.pattern.secret].plain
	}
	return x.written[p.pattern.secret].encoded
}

// isWordlike reports whether b may be some of a word, an identifier, or a number.
func isWordlike(b []byte) bool {
	var lower, upper, digit, other, hump bool
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z':
			lower = true
		case isUpper(c):
			upper = true
			hump = hump || i > 0 && lower
		case c >= '0' && c <= '9':
			digit = true
		default:
			other = true
		}
	}
	switch {
	case digit:
		return !lower && !upper
	case other:
		return !lower || !upper
	case lower && upper:
		return !hump && isUpper(b[0]) && !isUpper(b[1])
	}
	return true
}
