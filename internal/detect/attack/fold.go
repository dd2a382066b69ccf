package attack

// Comparisons with words that are written in lower case here, and in any case in
// what is judged.

// findFold returns where word first stands in b, -1 where it does not. It is meant
// for short b.
func findFold(b []byte, word string) int {
	for i := 0; i+len(word) <= len(b); i++ {
		if lower(b[i]) == word[0] && hasPrefixFold(b[i:], word) {
			return i
		}
	}
	return -1
}

func containsFold(b []byte, word string) bool { return findFold(b, word) >= 0 }

// skipBlanks returns b without the blanks and control characters that it begins with.
func skipBlanks(b []byte) []byte {
	for len(b) > 0 && classOf[b[0]]&(blank|control) != 0 {
		b = b[1:]
	}
	return b
}

// wordBuf holds a word in lower case. What is longer is no word that anything here
// looks for.
type wordBuf [32]byte

// fold copies b, as far as it fits, in lower case, and returns the copy: nil where it
// does not fit.
func (w *wordBuf) fold(b []byte) []byte {
	if len(b) > len(w) {
		return nil
	}
	for i, c := range b {
		w[i] = lower(c)
	}
	return w[:len(b)]
}

// isWordByte reports whether c may stand in a name of most languages.
func isWordByte(c byte) bool { return classOf[c]&(letter|digit) != 0 || c == '_' }

// wordLen returns the length of the name that b begins with.
func wordLen(b []byte) (n int) {
	for n < len(b) && isWordByte(b[n]) {
		n++
	}
	return n
}
