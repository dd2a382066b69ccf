package leak

// engine is what the streams of a Set look for secrets with.
type engine struct {
	secrets []Secret
	targets []target
	names   [][]string // of the secrets that have the value of the first one

	exact, differ, squeezed     *grams
	plainStride, squeezedStride int
	squeezer                    squeezer
	credentials                 *index // those that may leave in presigned URLs, as text
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
	e.exact = newGrams(patterns, e.targets, e.plainStride)
	e.differ = newGrams(plain, e.targets, e.plainStride, xorWord, addWord)
	e.squeezed = newGrams(left, e.targets, e.squeezedStride)
	e.credentials = newIndex(credentials)
	return e
}
