package policy

// maxNearest bounds the words that Nearest compares, in bytes: no key is longer.
const maxNearest = 64

// Nearest returns the word of known that takes the fewest edits to become word; of
// equals, the first. It is for telling somebody what he may have meant.
func Nearest(word string, known []string) string {
	if len(word) > maxNearest {
		word = word[:maxNearest]
	}
	best, least := "", -1
	for _, k := range known {
		if d := distance(word, k); least < 0 || d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of insertions, deletions and replacements of bytes that
// turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
