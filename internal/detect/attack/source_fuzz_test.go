package attack_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// FuzzSource recognises any event: the same one however it is written, and one
// whose markers are all in it. Then it is inspected, which must come to its end.
func FuzzSource(f *testing.F) {
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		event, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(event)
	}
	f.Add([]byte(`{"Records":[{"eventSource":"aws:sqs"}],"Records":[]}`))
	f.Add([]byte(`[[{"a":"\\"}],{"b":"\""}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		var e attack.Engine
		s := e.Source(event)
		var compact bytes.Buffer
		if json.Compact(&compact, event) == nil {
			if c := e.Source(compact.Bytes()); c != s {
				t.Fatalf("%q is %s, and without blanks %s", event, s.Name, c.Name)
			}
			for _, m := range s.Markers {
				if !attack.Marked(event, m) {
					t.Fatalf("%q is %s, and has no %s", event, s.Name, m)
				}
			}
		}
		var r detect.Result
		e.Inspect(event, s, &r, nil)
		_, _ = attack.Value(event, s.From)
		s.Batch.Parts(event)
	})
}
