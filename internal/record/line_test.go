package record_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"gatehouse/internal/detect"
	"gatehouse/internal/record"
)

// byReflection is what encoding/json makes of r.
func byReflection(t *testing.T, r record.Record) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// TestLines: a line of a log comes out as encoding/json would write it, whichever field
// of a record it has, one at a time.
func TestLines(t *testing.T) {
	var lines record.Lines
	for _, kind := range []record.Kind{record.Log, record.Platform} {
		full := common(kind, 7)
		for i := range reflect.TypeFor[record.Record]().NumField() {
			r := full
			field := reflect.ValueOf(&r).Elem().Field(i)
			name := reflect.TypeFor[record.Record]().Field(i).Name
			switch v := field.Addr().Interface().(type) {
			case *string:
				*v = "<a \"b\" \\c & é\n>"
			case *int:
				*v = -7
			case *int64:
				*v = 1 << 40
			case *uint64:
				*v = 1 << 60
			case *float64:
				*v = 1.25
			case *bool:
				*v = true
			case **bool:
				*v = new(bool)
			case *[]string:
				*v = []string{"a", "b"}
			case *json.RawMessage:
				*v = json.RawMessage("{ \"a\" : [1, \"<\"] }")
			case *time.Time:
				*v = time.Date(1999, 1, 2, 3, 4, 5, 600, time.UTC)
			case *[]detect.Gap:
				*v = []detect.Gap{{Path: "body"}}
			case *[]record.Hop:
				*v = []record.Hop{{Method: "GET"}}
			case *[]record.Degradation:
				*v = []record.Degradation{{What: "hec"}}
			case **record.Receipt:
				*v = new(record.Receipt)
			case *map[string]uint64:
				*v = map[string]uint64{"log": 1}
			case *detect.Severity:
				*v = detect.High
			case *record.Kind:
				continue
			default:
				t.Fatalf("field %s: a %T, which this test does not know", name, v)
			}
			out, err := r.Encode()
			want := byReflection(t, r)
			if err != nil || string(out) != want {
				t.Errorf("field %s:\n%s, %v, want\n%s", name, out, err, want)
			}
			// After another record, and after itself.
			for range 2 {
				if out, ok := lines.Append(nil, &r); ok && string(out) != want {
					t.Errorf("field %s, after another line:\n%s, want\n%s", name, out, want)
				}
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a line", "function", []byte(`{"level":"info"}`), int64(1764151200), int64(123456789))
	f.Add("\u2028 <&> \x00 \xff", "", []byte(` [1 , 2]`), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, message, typ string, raw []byte, sec, nsec int64) {
		r := common(record.Log, 1)
		r.Message, r.LogType, r.Time = message, typ, time.Unix(sec, nsec).UTC()
		if !utf8.Valid(raw) || !json.Valid(raw) {
			raw = nil
		}
		r.MessageJSON = raw
		if y := r.Time.Year(); y < 0 || y > 9999 {
			return // an error, whoever encodes it
		}
		out, err := r.Encode()
		if bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) > 256 {
			return // a string may stand for it
		}
		if want := byReflection(t, r); err != nil || string(out) != want {
			t.Errorf("\n%s, %v, want\n%s", out, err, want)
		}
	})
}

// BenchmarkEncode compares a line with a record that has one thing more.
func BenchmarkEncode(b *testing.B) {
	for name, status := range map[string]string{"line": "", "by reflection": "x"} {
		b.Run(name, func(b *testing.B) {
			r := common(record.Log, 1)
			r.Message, r.LogType, r.Status = "INFO order 4711 taken, the parcel leaves before Friday", "function", status
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Encode(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
