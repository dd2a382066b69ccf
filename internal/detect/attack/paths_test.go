package attack_test

import (
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/detect/attack"
)

// pathFamilies has one rule of each family that FuzzPaths and BenchmarkHostilePaths run.
var pathFamilies = []string{"lfi.traversal", "ssrf.metadata", "lfi.wrapper", "crlf.header", "ldap.filter", "xpath.injection", "scanner.agent", "graphql.flood"}

// FuzzPaths runs families one by one over any bytes: no panic, an offset inside of the
// value, and work in proportion to it.
func FuzzPaths(f *testing.F) {
	for _, id := range attack.RuleIDs() {
		kind, _, _ := strings.Cut(id, ".")
		for _, family := range pathFamilies {
			if !strings.HasPrefix(family, kind+".") {
				continue
			}
			for _, text := range corpus(f, id) {
				f.Add([]byte(text))
			}
		}
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, family := range pathFamilies {
			id, at, work := attack.Match(family, value)
			if id != "" && (at < 0 || at > len(value)) {
				t.Errorf("Match(%q, %q) = %q at %d, want an offset up to %d", family, value, id, at, len(value))
			}
			if most := 8*len(value) + 4096; work > most {
				t.Errorf("Match(%q, …) of %d bytes: work = %d, want at most %d", family, len(value), work, most)
			}
		}
	})
}

// corpus returns the texts of a rule's corpus.
func corpus(t testing.TB, id string) (texts []string) {
	t.Helper()
	for _, line := range lines(t, id+".txt") {
		kind, text, _ := strings.Cut(line, " ")
		if strings.HasSuffix(kind, "q") {
			var err error
			if text, err = strconv.Unquote(text); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
		}
		texts = append(texts, text)
	}
	return texts
}

// BenchmarkHostilePaths measures each family on 64 KiB of what it has most work with.
func BenchmarkHostilePaths(b *testing.B) {
	for _, family := range pathFamilies {
		for _, piece := range []string{"../", "/etc/", "....", "%25", "%c0%", "\xef\xbf\xbd", "/a,", "..2f", "/.git/a/", "http:", "http://", "http://1.", "http://@@@@@@@@@", "a\nx-", "*)", "*)(", "'name()", "(//*", "query{a:", "a sqlmap "} {
			b.Run(family+"/"+strconv.Quote(piece), func(b *testing.B) {
				value := []byte(strings.Repeat(piece, 64<<10/len(piece)))
				b.SetBytes(int64(len(value)))
				for b.Loop() {
					attack.Match(family, value)
				}
			})
		}
	}
}
