package attack

import "unicode/utf8"

// strings judges the runs of printable characters in binary, which may be Avro, a
// protobuf message or the like.
func (in *inspection) strings(binary []byte) {
	if !in.spend(len(binary)) || !in.push("strings") {
		return
	}
	start := 0
	for i := 0; i <= len(binary) && !in.done; i++ {
		if i < len(binary) && binary[i] < utf8.RuneSelf && classOf[binary[i]]&control == 0 {
			continue
		}
		if run := binary[start:i]; len(run) >= minString && !isNoise(binary, start, i) {
			in.judge(run, classesOf(run))
		}
		start = i + 1
	}
	in.pop()
}

const (
	// maxChance is the longest string that chance makes of bytes without meaning.
	maxChance = 19
	// noiseRound is how much is looked at on either side of a string, in bytes, and
	// minRound how much there must be to tell.
	noiseRound, minRound = 128, 64
)

// isNoise reports whether b[from:to] is what chance makes printable: short, and
// among bytes that are so in fewer than half of all cases, as in a picture or an
// archive.
func isNoise(b []byte, from, to int) bool {
	if to-from > maxChance {
		return false
	}
	before, behind := b[max(0, from-noiseRound):from], b[to:min(len(b), to+noiseRound)]
	n := len(before) + len(behind)
	return n >= minRound && 2*(printable(before)+printable(behind)) < n
}

// printable counts the characters of ASCII in b that can be printed.
func printable(b []byte) (n int) {
	for _, c := range b {
		if c < utf8.RuneSelf && classOf[c]&control == 0 {
			n++
		}
	}
	return n
}

// isText reports whether at least 95 % of b are printable, or part of a character
// beyond ASCII in valid UTF-8; or, because servers read other bytes too, 60 % of it
// printable ASCII, and nearly nothing of it control characters. Text in UTF-16 is
// text, too: every second byte of it is NUL where it is ASCII.
func isText(b []byte) bool {
	if marked(b) {
		b = b[2:]
	}
	strange, controls, nul, plain := 0, 0, 0, 0
	for i := 0; i < len(b); {
		c := b[i]
		if c < utf8.RuneSelf {
			switch {
			case classOf[c]&control == 0:
				plain++
			case c == 0:
				nul++
				controls++
			default:
				controls++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 && i+utf8.UTFMax < len(b) {
			strange++
		}
		i += size
	}
	if nul*9/4 >= len(b)-2 { // nearly half
		controls -= nul
	}
	if len(b) == 0 || controls*20 > len(b) {
		return false
	}
	return (strange+controls)*20 <= len(b) || plain*10 >= 6*len(b)
}
