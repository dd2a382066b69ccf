package attack

import "bytes"

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

// lower returns c in lower case, if it is a letter of ASCII.
func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// equalFold reports whether b is word.
func equalFold(b []byte, word string) bool {
	return len(b) == len(word) && hasPrefixFold(b, word)
}

// hasPrefixFold reports whether b begins with word.
func hasPrefixFold(b []byte, word string) bool {
	if len(b) < len(word) {
		return false
	}
	for i := range len(word) {
		if lower(b[i]) != word[i] {
			return false
		}
	}
	return true
}

// hasSuffixFold reports whether b ends with word.
func hasSuffixFold(b []byte, word string) bool {
	return len(b) >= len(word) && hasPrefixFold(b[len(b)-len(word):], word)
}

// indexFold is findFold for long b and a word that begins with no letter.
func indexFold(b []byte, word string) int {
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], word[0])
		if n < 0 {
			return -1
		}
		if i += n; hasPrefixFold(b[i:], word) {
			return i
		}
	}
}
