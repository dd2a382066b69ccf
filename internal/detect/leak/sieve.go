package leak

import "encoding/binary"

const (
	// sieveStride is how far apart a sieve looks: of the four runs of sieveGram bytes
	// that begin in the first half of gram bytes, it meets one.
	sieveStride = 4
	sieveGram   = gram - sieveStride + 1
	fiveBytes   = 1<<(8*sieveGram) - 1
	fourBytes   = fiveBytes >> 8 // what is between five bytes
)

// sieve says where in a text there is nothing that grams know, at a quarter of the
// places that these would have to be asked about.
type sieve struct{ exact, xored, moved, squeezed filter }

func newSieve(e *engine) *sieve {
	return &sieve{
		exact: e.exact.parts(fiveBytes), xored: e.xored.parts(fourBytes), moved: e.moved.parts(fourBytes),
		squeezed: e.squeezed.parts(fiveBytes),
	}
}

// parts has what mask leaves of each of g's words from each of its first places on. Many
// stand in a neighbour as well, and a filter that is full says yes more often, but fits a
// cache.
func (g *grams) parts(mask uint64) filter {
	f := newFilter(len(g.entries) / 2)
	for i := range g.entries {
		word := g.word(&g.entries[i])
		for k := range sieveStride {
			f.add(hash(word >> (8 * k) & mask))
		}
	}
	return f
}

// plain reports whether gram bytes of text are known to e, as they are or by what is
// between each and the next.
func (s *sieve) plain(text []byte, e *engine) bool {
	last := len(text) - gram
	for i := 0; i <= last+sieveStride-1; i += sieveStride {
		word := wordAt(text, i)
		if !s.exact.may(hash(word&fiveBytes)) && !s.xored.may(hash(xorWord(word)&fourBytes)) && !s.moved.may(hash(addWord(word)&fourBytes)) {
			continue
		}
		for at := max(0, i-sieveStride+1); at <= min(i, last); at++ {
			if w := wordAt(text, at); e.exact.has(w) || e.xored.has(xorWord(w)) || e.moved.has(addWord(w)) {
				return true
			}
		}
	}
	return false
}

// left is plain for what a squeezer has left of a text.
func (s *sieve) left(text []byte, e *engine) bool {
	last := len(text) - gram
	for i := 0; i <= last+sieveStride-1; i += sieveStride {
		if !s.squeezed.may(hash(wordAt(text, i) & fiveBytes)) {
			continue
		}
		for at := max(0, i-sieveStride+1); at <= min(i, last); at++ {
			if e.squeezed.has(wordAt(text, at)) {
				return true
			}
		}
	}
	return false
}

// wordAt returns the gram bytes at text[i:], of those that there are.
func wordAt(text []byte, i int) uint64 {
	if last := len(text) - gram; i > last {
		return binary.LittleEndian.Uint64(text[last:]) >> (8 * (i - last) & 63)
	}
	return binary.LittleEndian.Uint64(text[i:])
}
