package records_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"strings"
	"testing"

	"gatehouse/cmd/gatehouse/records"
	"gatehouse/internal/record"
)

func read(text string) (hosts []string, foreign int, err error) {
	r := records.Reader{Stdin: strings.NewReader(text), Each: func(one *record.Record) { hosts = append(hosts, one.Dest) }}
	err = r.Read(context.Background(), records.Stdin)
	return hosts, r.Foreign, err
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // to memory
	_ = w.Close()
	return b.String()
}

const one, two = `{"kind":"connection","dest":"a.test"}`, `{"kind":"connection","dest":"b.test"}`

func TestReader(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
		foreign          int
		fails            bool
	}{
		{"lines", one + "\n" + two + "\n", "a.test b.test", 0, false},
		{"lines without ends", one + two, "a.test b.test", 0, false},
		{"with a byte order mark", "\ufeff" + one, "a.test", 0, false},
		{"gzip", gzipped(one), "a.test", 0, false},
		{"an array", "[" + one + "," + two + "]", "a.test b.test", 0, false},
		{"HEC", `{"time":"1","event":` + one + `}{"event":` + two + `}`, "a.test b.test", 0, false},
		{"Splunk, JSON", `{"preview":false,"result":{"_raw":"{\"kind\":\"connection\",\"dest\":\"a.test\"}"}}`, "a.test", 0, false},
		{"Splunk, CSV", "_time,_raw\n1,\"{\"\"kind\"\":\"\"connection\"\",\"\"dest\"\":\"\"a.test\"\"}\"\n", "a.test", 0, false},
		{"nothing", "", "", 0, false},
		{"somebody else's", `{"level":"info"}` + one + `{"event":"text"}`, "a.test", 2, false},
		{"wrapped too often", strings.Repeat(`{"event":`, 5) + one + strings.Repeat("}", 5), "", 1, false},
		{"a kind of another type", `{"kind":7}` + one, "a.test", 1, false},
		{"torn off", one + `{"kind":`, "a.test", 0, true},
		{"no column _raw", "a,b\n1,2\n", "", 0, true},
	} {
		hosts, foreign, err := read(tt.text)
		if got := strings.Join(hosts, " "); got != tt.want || foreign != tt.foreign || (err != nil) != tt.fails {
			t.Errorf("%s: %q, %d foreign, %v", tt.name, got, foreign, err)
		}
	}
}

// Whatever a file holds, reading it ends, and twice the same comes of it.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		one + "\n" + two, "[" + one + "]", gzipped(one), `{"event":` + one + `}`, `{"result":{"_raw":"{}"}}`, "_raw\n\"{}\"\n", "\ufeff{", "[[[", "\x1f\x8b", `{"kind":"connection","requests":[{}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hosts, foreign, err := read(text)
		again, foreign2, err2 := read(text)
		if strings.Join(hosts, "\x00") != strings.Join(again, "\x00") || foreign != foreign2 || (err == nil) != (err2 == nil) {
			t.Errorf("%q, %d, %v; then %q, %d, %v", hosts, foreign, err, again, foreign2, err2)
		}
		if len(hosts) > len(text) {
			t.Errorf("%d records in %d bytes", len(hosts), len(text))
		}
	})
}
