package attack

import "bytes"

// ahead says what stands before a place in a value, by how far it is from what
// people write.
type ahead uint8

const (
	beforeNothing ahead = iota // nothing with a letter in it
	beforeValue                // one word with more than letters in it
	beforeWord                 // one word
	beforeWords                // a few
	beforeText                 // many
)

// fewWords is how many words are no prose yet.
const fewWords = 4

// wordCount counts the words of a value from its beginning on, each byte once.
type wordCount struct {
	counted         int  // bytes
	letters         bool // the word has some
	lettered, lines int  // words with a letter, line breaks
}

// before classifies what stands before text[at:]. Later calls must not ask about an
// earlier place.
func (w *wordCount) before(text []byte, at int) ahead {
	w.count(text, at)
	switch {
	case w.lettered == 0:
		return beforeNothing
	case w.lettered > fewWords:
		return beforeText
	case w.lettered > 1:
		return beforeWords
	}
	head := bytes.TrimSpace(text[max(0, at-maxCommand):at])
	if word := bytes.TrimRight(head, "\"'("); bytes.HasSuffix(word, []byte(" ")) {
		head = word[:len(word)-1]
	}
	if len(head) < 2 {
		return beforeValue
	}
	for _, c := range head {
		if classOf[c]&(letter|dash) == 0 {
			return beforeValue
		}
	}
	return beforeWord
}

func (w *wordCount) count(text []byte, to int) {
	for ; w.counted < to; w.counted++ {
		c := text[w.counted]
		k := classOf[c]
		if c == '\n' {
			w.lines++
		}
		if k&blank != 0 {
			w.letters = false
			continue
		}
		if k&(letter|high) != 0 && !w.letters {
			w.letters = true
			w.lettered++
		}
	}
}
