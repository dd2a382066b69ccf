package leak

import (
	"encoding/binary"
	"slices"
)

// engine is what the streams of a Set look for secrets with.
type engine struct {
	secrets []Secret
	targets []target
	names   [][]string // of the secrets that have the value of the first one

	exact, xored, moved, squeezed *grams
	plainStride, squeezedStride   int
	squeezer                      squeezer
	credentials                   *index // those that may leave in presigned URLs, as text
}

func newEngine(secrets []Secret, patterns []pattern) *engine {
	e := &engine{secrets: secrets, squeezer: newSqueezer()}
	e.targets = make([]target, len(secrets))
	e.names = make([][]string, len(secrets))
	first := make(map[string]int)
	for i := range secrets {
		v := secrets[i].Value
		if _, ok := first[string(v)]; !ok {
			first[string(v)] = i
			e.targets[i] = newTarget(v)
		}
		k := first[string(v)]
		e.names[k] = append(e.names[k], secrets[i].Name)
	}
	if crowded(patterns, e.targets) {
		patterns = slices.DeleteFunc(slices.Clone(patterns), func(p pattern) bool {
			return e.targets[p.secret].length > manyForms && undoneAnyway(p.chain)
		})
	}
	var plain, credentials []pattern
	for _, p := range patterns {
		if t := &e.targets[p.secret]; p.chain == nil && t.length >= minDifferences && !t.whole {
			plain = append(plain, p)
		}
		if isText(p.chain) && credentialField(secrets[p.secret].Name) != "" {
			credentials = append(credentials, p)
		}
	}
	left := squeezed(patterns, secrets, e.targets)
	e.plainStride, e.squeezedStride = strideOf(patterns), strideOf(left)
	e.exact = newGrams(patterns, e.targets, e.plainStride, same)
	e.xored = newGrams(plain, e.targets, e.plainStride, xored)
	e.moved = newGrams(plain, e.targets, e.plainStride, moved)
	e.squeezed = newGrams(left, e.targets, e.squeezedStride, same)
	e.credentials = newIndex(credentials)
	return e
}

// manyForms is up to which length of a secret patterns are kept of what Decode undoes
// anyway where there are too many, in bytes: names, in which nothing is undone, hold no
// longer one.
const manyForms = 128

func undoneAnyway(chain []string) bool {
	return len(chain) > 1 || len(chain) == 1 && chain[0] == "base32"
}

// plainHit returns the first place from from on, at every step up to last, at which
// eight bytes of text may be some of a pattern; where there is none, the next place.
func (e *engine) plainHit(text []byte, from, last, step int) int {
	exact, xored, moved := e.exact.filter, e.xored.filter, e.moved.filter
	for ; from <= last; from += step {
		word := binary.LittleEndian.Uint64(text[from:])
		if exact.may(hash(word)) || xored.may(hash(xorWord(word))) || moved.may(hash(addWord(word))) {
			break
		}
	}
	return from
}

// squeezedHit is plainHit for what is left of a text.
func (e *engine) squeezedHit(text []byte, from, last, step int) int {
	squeezed := e.squeezed.filter
	for ; from <= last; from += step {
		if squeezed.may(hash(binary.LittleEndian.Uint64(text[from:]))) {
			break
		}
	}
	return from
}
