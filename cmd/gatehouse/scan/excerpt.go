package scan

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/detect"
)

const (
	// around is how much of the value is shown on either side, in bytes.
	around = 40
	// maxExcerpted is the largest value that is looked at for it, in bytes.
	maxExcerpted = 1 << 20
)

// surroundings returns what stands before and behind f's match in the value that
// it was found in: nothing, where that was decoded first.
func (e *Event) surroundings(f *detect.Finding) (before, behind string) {
	if len(f.DecodeChain) > 0 || f.Start < 0 || f.End > len(e.Data) || f.Start >= f.End || f.End-f.Start > maxExcerpted {
		return "", ""
	}
	var value string
	if json.Unmarshal(e.Data[f.Start:f.End], &value) != nil {
		return "", ""
	}
	at := f.MatchOffset
	if at < 0 || at > len(value) || !strings.HasPrefix(value[at:], f.Matched) {
		return "", ""
	}
	return tail(value[:at]), head(value[at+len(f.Matched):])
}

// tail is the end of s, with a mark where it is cut.
func tail(s string) string {
	if len(s) <= around {
		return s
	}
	s = s[len(s)-around:]
	for len(s) > 0 && !utf8.RuneStart(s[0]) {
		s = s[1:]
	}
	return "…" + s
}

// head is the beginning of s, with a mark where it is cut.
func head(s string) string {
	if len(s) <= around {
		return s
	}
	n := around
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
