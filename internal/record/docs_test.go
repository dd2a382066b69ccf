package record_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/record"
)

var update = flag.Bool("update", false, "rewrite docs/records.md and the golden files")

// golden compares got with the file at path, or rewrites it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: run go test ./internal/record -update. Want\n%s", path, got)
	}
}

func TestDocs(t *testing.T) {
	golden(t, filepath.Join("..", "..", "docs", "records.md"), docs())
}

func docs() []byte {
	var b bytes.Buffer
	b.WriteString(`# Records

<!-- Made from the tags of record.Record by: go test ./internal/record -update -->

A record is one line of flat JSON in snake case, with the names of Splunk's Common Information Model (CIM) where it has
one. Empty fields are left out. Times are RFC 3339 in UTC, with up to nine decimals.

The envelope of the HTTP Event Collector is ` + "`time`, `host` (the function's name), `source` (`lambda:<region>`), `sourcetype`\n(`gatehouse:lambda:<kind>`), `index` where one is configured, and `event`, the record" + `.

Findings (attack, leak, runtime) and health records are sent first. The function's own secrets are replaced by
` + "`{{NAME:fingerprint}}`" + ` in every string. A record longer than 900 KiB loses its event, then its long parts, and says
` + "`truncated`" + `. Without an HEC URL findings and health records go to the function's log, without their events.

`)
	b.WriteString("| kind | what | CIM data model |\n|---|---|---|\n")
	for _, k := range record.Kinds() {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", k.Kind, k.Kind, k.Doc, orDash(k.CIM))
	}
	b.WriteString("\n## Every record\n\n")
	table(&b, func(f record.Field) bool { return f.Kinds == nil })
	for _, k := range record.Kinds() {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", k.Kind, strings.ToUpper(k.Doc[:1])+k.Doc[1:])
		table(&b, func(f record.Field) bool { return f.Kinds != nil && f.Of(k.Kind) })
		fmt.Fprintf(&b, "\nAn example: [`%[1]s.json`](../internal/record/testdata/%[1]s.json).\n", k.Kind)
	}
	return b.Bytes()
}

func table(b *bytes.Buffer, want func(record.Field) bool) {
	b.WriteString("| field | type | what |\n|---|---|---|\n")
	for _, f := range record.Fields() {
		if want(f) {
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.Name, f.Type, f.Doc)
		}
	}
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// TestFieldsAreComplete keeps the tags in order: they are the documentation, and
// what Splunk's knowledge objects are checked against.
func TestFieldsAreComplete(t *testing.T) {
	known := make(map[record.Kind]bool)
	for _, k := range record.Kinds() {
		known[k.Kind] = true
	}
	seen := make(map[string]bool)
	for _, f := range record.Fields() {
		name := f.Name[strings.LastIndex(f.Name, ".")+1:]
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("field %q is not in snake case", f.Name)
		}
		if seen[f.Name] {
			t.Errorf("field %q stands twice", f.Name)
		}
		seen[f.Name] = true
		if f.Doc == "" || strings.ContainsAny(f.Doc, "|\n") {
			t.Errorf("field %q has no doc, or one that breaks a table: %q", f.Name, f.Doc)
		}
		for _, k := range f.Kinds {
			if !known[k] {
				t.Errorf("field %q is of the unknown kind %q", f.Name, k)
			}
		}
		for _, word := range []string{"secret", "password", "token", "value"} {
			if strings.Contains(f.Name, word) {
				t.Errorf("field %q asks for what no record may hold", f.Name)
			}
		}
	}
}
