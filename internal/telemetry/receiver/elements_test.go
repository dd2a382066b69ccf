package receiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// byDecoder is what encoding/json reads of a batch, and whether all of it was read.
func byDecoder(body []byte) (events []event, whole bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, false
	}
	for d.More() {
		var e event
		var other *json.UnmarshalTypeError
		switch err := d.Decode(&e); {
		case errors.As(err, &other):
		case err != nil:
			return events, false
		default:
			events = append(events, e)
		}
	}
	_, err := d.Token()
	return events, err == nil
}

func byElements(r io.Reader) (events []event, whole bool) {
	s := elements{r: r}
	for {
		e, err := s.next()
		var other *json.UnmarshalTypeError
		switch {
		case errors.Is(err, io.EOF):
			return events, true
		case errors.As(err, &other):
		case err != nil:
			return events, false
		default:
			e.Time, e.Type, e.Record = bytes.Clone(e.Time), bytes.Clone(e.Type), bytes.Clone(e.Record)
			events = append(events, e)
		}
	}
}

var bodies = []string{
	`[{"time":"2026-11-27T10:00:00.000Z","type":"function","record":"a line\n"}]`,
	` [ {"time":"t","type":"function","record":"tab\tquote\"slash\\\/\u00e9\ud83d\ude00\ud800 é` + "\xff" + `"} , {"time":"t","type":"platform.start","record":{"requestId":"r","a":[1,{"b":"]}"}]}} ]`,
	`[{"TIME":"t","Type":1,"record":null},{"time":"t","type":"function","record":"x","record":"y"},1,"x",[],{}]`,
	`[]`, `[ ]`, `[`, `[1`, `[,1]`, `[1,]`, `[1 2]`, `[{"record":"x\"]`, `[{"time":"t","type":"f","record":"\q"}]`,
	`[{"time":"t","type":"f","record":"` + "\x01" + `"}]`, `[{"time":"t","type":"f","record":{"a":}}]`, `[{"time":"t","type":"f","record":[}]}]`,
	`[{"time":"t","type":"f","record":12}]`, `[{"time":"t","type":"f","record":-}]`, `[{"time":"t","type":"f","record":"x"},{"time":"t"`,
}

// FuzzElements holds that a batch is read as encoding/json does.
func FuzzElements(f *testing.F) {
	for _, b := range bodies {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want, whole := byDecoder(body)
		got, gotWhole := byElements(iotest.HalfReader(bytes.NewReader(body)))
		if !whole && len(got)+1 == len(want) && string(want[len(got)].Record) == "" {
			want = want[:len(got)] // a null that the body ends with, cut off or not
		}
		if gotWhole != whole || len(got) != len(want) {
			t.Fatalf("%d events, whole %v, of %q; want %d, %v", len(got), gotWhole, body, len(want), whole)
		}
		for i, e := range got {
			if string(e.Time) != string(want[i].Time) || string(e.Type) != string(want[i].Type) || string(e.Record) != string(want[i].Record) {
				t.Fatalf("event %d of %q is %q %q %q, want %q", i, body, e.Time, e.Type, e.Record, want[i].Record)
			}
			var s string
			if isText := want[i].Record != nil && json.Unmarshal(want[i].Record, &s) == nil; e.isText != isText || e.text != s {
				t.Fatalf("record %q says %q, %v; want %q, %v", e.Record, e.text, e.isText, s, isText)
			}
		}
	})
}

// TestLargeAndSmallEvents are read whole, wherever a window ends.
func TestLargeAndSmallEvents(t *testing.T) {
	var body strings.Builder
	want := 0
	for n := 1; n < 3*window; n = n*3 + 1 {
		for range 2 {
			body.WriteString([]string{"[", ","}[min(want, 1)])
			body.WriteString(`{"time":"t","type":"function","record":"` + strings.Repeat("x", n) + `"}`)
			want++
		}
	}
	body.WriteString("]")
	got, whole := byElements(iotest.OneByteReader(strings.NewReader(body.String())))
	if !whole || len(got) != want {
		t.Errorf("%d events, whole %v; want %d", len(got), whole, want)
	}
	for i, e := range got {
		if i%2 == 1 && e.text != got[i-1].text || strings.Trim(e.text, "x") != "" {
			t.Errorf("event %d has %d bytes", i, len(e.text))
		}
	}
}

func BenchmarkElements(b *testing.B) {
	body := []byte("[" + strings.Repeat(`{"time":"2026-11-27T10:00:00.000Z","type":"function","record":"[INFO]\t2026-11-27T10:00:00.000Z\tsome words of a usual line, which has about a hundred characters\n"},`, 999) +
		`{"time":"2026-11-27T10:00:00.000Z","type":"function","record":"last"}]`)
	for _, by := range []struct {
		name string
		read func()
	}{
		{"ours", func() { byElements(bytes.NewReader(body)) }},
		{"encoding/json", func() { byDecoder(body) }},
	} {
		b.Run(by.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				by.read()
			}
		})
	}
}
