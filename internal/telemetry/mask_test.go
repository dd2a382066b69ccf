package telemetry_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

const (
	secret = `wJalr"XUtnFEMI\K7MDENG/bPx<Rfi>CYEX` // with everything that JSON escapes
	masked = `{{DB_PASSWORD:0123456789ab}}`
)

func mask(s string) string { return strings.ReplaceAll(s, secret, masked) }

// through adds r to a pipeline that masks, and returns what the sink got.
func through(t *testing.T, r *record.Record, mask func(string) string) telemetry.Item {
	t.Helper()
	sink := &box{}
	p := &telemetry.Pipeline{Sink: sink, Mask: mask}
	p.Add(r)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(sink.items) != 1 || !json.Valid(sink.items[0].JSON) {
		t.Fatalf("want one item of valid JSON, got %d: %+v", len(sink.items), sink.items)
	}
	return sink.items[0]
}

// TestEveryStringOfARecordIsMasked fills every string, list and raw part of a
// record with a secret: a field that is added later is covered as well.
func TestEveryStringOfARecordIsMasked(t *testing.T) {
	r := new(record.Record)
	plant(reflect.ValueOf(r).Elem())
	r.Kind = record.Attack
	it := through(t, r, mask)
	if plain := decoded(t, it.JSON); strings.Contains(plain, secret) || !strings.Contains(plain, masked) {
		t.Errorf("the secret came through:\n%s", plain)
	}
	got := decode(t, it)
	b, err := base64.StdEncoding.DecodeString(got.EventBase64)
	if err != nil || string(b) != "\xff"+masked {
		t.Errorf("event_base64 holds %q, %v", b, err)
	}
}

// plant puts the secret wherever v can hold one.
func plant(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("a " + secret + " b")
	case reflect.Struct:
		for i := range v.NumField() {
			switch f := v.Field(i); v.Type().Field(i).Name {
			case "ID", "Kind", "SandboxID", "PolicyHash", "EventSHA256", "Fingerprint": // our own
			case "EventBase64":
				f.SetString(base64.StdEncoding.EncodeToString([]byte("\xff" + secret)))
			default:
				if f.CanSet() {
					plant(f)
				}
			}
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			quoted, _ := json.Marshal(secret)
			v.SetBytes([]byte(`{"k":[1,` + string(quoted) + `],` + string(quoted) + `:null}`))
			return
		}
		one := reflect.New(v.Type().Elem()).Elem()
		plant(one)
		v.Set(reflect.Append(v, one))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]uint64{secret: 1}))
	case reflect.Pointer:
		one := reflect.New(v.Type().Elem())
		plant(one.Elem())
		v.Set(one)
	}
}

// decoded returns every string of the JSON text, keys too, on lines of their own.
func decoded(t *testing.T, text []byte) string {
	t.Helper()
	var out strings.Builder
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		tok, err := d.Token()
		if err != nil {
			return out.String()
		}
		if s, ok := tok.(string); ok {
			out.WriteString(s + "\n")
		}
	}
}

func TestMaskKeepsTheRest(t *testing.T) {
	event := `{"Records":[{"Sns":{"Message":"{\"q\":\"a\\u003cb\"}","n":1.50}}]}`
	r := &record.Record{Kind: record.Attack, Event: json.RawMessage(event), Path: secret}
	if got := decode(t, through(t, r, mask)); string(got.Event) != event {
		t.Errorf("event %s, want it unchanged: %s", got.Event, event)
	}
}

func TestASecretThatIsNotAStringIsMasked(t *testing.T) {
	mask := func(s string) string { return strings.ReplaceAll(s, "48151623", "{{PIN:0}}") }
	r := &record.Record{Kind: record.Attack, Event: json.RawMessage(`{"pin":48151623}`)}
	got := decode(t, through(t, r, mask))
	if want := `"{\"pin\":{{PIN:0}}}"`; string(got.Event) != want {
		t.Errorf("event %s, want %s", got.Event, want)
	}
}

func TestWhatIsNoJSONBecomesAString(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":`:       `"{\"a\":"`,
		"\"\xff\"":    `"\"�\""`,
		"{} trailing": `"{} trailing"`,
	} {
		r := &record.Record{Kind: record.Platform, Platform: json.RawMessage(in)}
		if got := decode(t, through(t, r, nil)); string(got.Platform) != want {
			t.Errorf("platform %q arrives as %s, want %s", in, got.Platform, want)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte(`{"a":"`+"x"+`"}`), "x")
	f.Add([]byte(`["\u0078",{"x":"\"x\\"}]`), "x")
	f.Add([]byte(`{"pin":12345}`), "234")
	f.Fuzz(func(t *testing.T, event []byte, secret string) {
		if len(secret) < 3 || strings.Contains(masked, secret) {
			return
		}
		r := &record.Record{Kind: record.Leak}
		r.SetEvent(event, &detect.Finding{Path: "a.b[0]", End: len(event)})
		it := through(t, r, func(s string) string { return strings.ReplaceAll(s, secret, masked) })
		if got := decode(t, it); got.Event != nil && strings.Contains(string(got.Event), secret) && !strings.Contains(string(event), secret) {
			t.Errorf("masking put the secret in: %s", got.Event)
		}
	})
}
