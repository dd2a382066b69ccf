package attack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRulesPage holds docs/rules.md to the rules. With -update it writes the page.
func TestRulesPage(t *testing.T) {
	page := filepath.Join("..", "..", "..", "docs", "rules.md")
	want := rulesPage()
	if *update {
		if err := os.WriteFile(page, want, 0o644); err != nil { //nolint:gosec // a page of the docs
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/rules.md is out of date: run go generate in internal/detect/attack")
	}
}

func rulesPage() []byte {
	var b strings.Builder
	b.WriteString(`# Rules of the event firewall

<!-- Written by go generate from the rules in internal/detect/attack. -->

A finding names the rule, the path in the event and the chain of encodings that were undone to see it. What the rules
mean by **refuses**: *always*: by itself; *but in prose*: by itself, except in a field that people write into, such as
` + "`comment` or `description`" + `; *with others*: only beside another family's rule, or in a field such as ` + "`id` or `page`" + `, where code
has no business; *never*: it is asked in the ` + "`detect`" + ` profile only, and recorded. [docs/detection.md](detection.md) says how
an event is read, and [docs/policy.md](policy.md) how a rule is excepted.

Each rule has a corpus, ` + "`internal/detect/attack/testdata/<rule>.txt`" + `, of what it finds and what it lets pass.

| rule | what it sees | severity | refuses |
|---|---|---|---|
`)
	for _, f := range families {
		for i := range f.rules {
			r := &f.rules[i]
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.id, r.signature, r.severity, r.refuses())
		}
	}
	return []byte(b.String())
}

func (r *rule) refuses() string {
	switch {
	case r.weak:
		return "never"
	case r.score < refuseAt:
		return "with others"
	case r.score < surely:
		return "but in prose"
	}
	return "always"
}
