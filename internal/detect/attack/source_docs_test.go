package attack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSourceDocs holds the table of docs/sources.md to Sources. With -update it
// writes the table.
func TestSourceDocs(t *testing.T) {
	const begin, end = "<!-- made by go generate in internal/detect/attack: -->\n", "<!-- end -->\n"
	path := filepath.Join("..", "..", "..", "docs", "sources.md")
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(have, []byte(begin))
	_, foot, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", path)
	}
	var b bytes.Buffer
	b.Write(head)
	b.WriteString(begin + "| source | recognised by | `src` | batch | identifiers that AWS fills in |\n|---|---|---|---|---|\n")
	for i := range Sources {
		s := &Sources[i]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Name, codes(s.Markers), codes([]string{s.From}), codes([]string{s.Batch.Records}), codes(s.Trusted))
	}
	b.WriteString(end)
	b.Write(foot)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(b.Bytes(), have) {
		t.Errorf("%s is out of date: run go generate in internal/detect/attack", path)
	}
}

// codes writes words as code, – for none.
func codes(words []string) string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, "`"+w+"`")
		}
	}
	if out == nil {
		return "–"
	}
	return strings.Join(out, " ")
}
