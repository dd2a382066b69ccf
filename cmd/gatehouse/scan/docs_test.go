package scan_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"gatehouse/cmd/gatehouse/scan"
	"gatehouse/internal/record"
)

var update = flag.Bool("update", false, "rewrite the table in docs/scan.md")

// own are the fields that a record does not have: it is about no file, and says
// with would_action what weak findings come to.
var own = map[string]bool{"file": true, "document": true, "line": true, "column": true, "weak": true, "score": true}

// The table of fields in docs/scan.md is made from the code, and the names are
// those of attack records.
func TestDocs(t *testing.T) {
	const name, begin = "../../../docs/scan.md", "<!-- Made from the tags of scan.Line by: go test ./cmd/gatehouse/scan -update -->\n"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, table, ok := strings.Cut(string(text), begin)
	if !ok {
		t.Fatalf("%s has no line %q", name, begin)
	}
	want := "| field | type | what |\n|---|---|---|\n" + fields(t)
	switch {
	case *update:
		if err := os.WriteFile(name, []byte(head+begin+want), 0o644); err != nil {
			t.Fatal(err)
		}
	case table != want:
		t.Errorf("%s is out of date: run go test ./cmd/gatehouse/scan -update. Want\n%s", name, want)
	}
}

func fields(t *testing.T) string {
	var b strings.Builder
	for f := range reflect.TypeFor[scan.Line]().Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		kind := map[reflect.Kind]string{reflect.String: "string", reflect.Int: "number", reflect.Bool: "boolean", reflect.Slice: "list of strings"}[f.Type.Kind()]
		doc := f.Tag.Get("doc")
		if kind == "" || doc == "" {
			t.Errorf("field %s has no type or no doc", name)
		}
		if options == "omitempty" {
			doc += "; left out where empty"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, kind, doc)
		if !own[name] && !inRecord(name) {
			t.Errorf("field %s is none of an attack record", name)
		}
	}
	return b.String()
}

func inRecord(name string) bool {
	for _, f := range record.Fields() {
		if f.Name == name && f.Of(record.Attack) {
			return true
		}
	}
	return false
}
