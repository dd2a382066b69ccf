package record_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/detect"
	"gatehouse/internal/record"
)

func TestSetEvent(t *testing.T) {
	full := `{"q":"` + strings.Repeat("x", record.MaxEvent-8) + `"}`
	tests := []struct {
		name, event   string
		json, encoded string
	}{
		{"JSON", `{"a": 1}`, `{"a": 1}`, ""},
		{"the longest", full, full, ""},
		{"a number", "1", "1", ""},
		{"nothing", "", "", ""},
		{"no JSON", "hello", "", base64.StdEncoding.EncodeToString([]byte("hello"))},
		{"no UTF-8", "\"\xff\"", "", base64.StdEncoding.EncodeToString([]byte("\"\xff\""))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			event := []byte(tt.event)
			r := record.Record{EventTruncated: true}
			r.SetEvent(event, nil)
			clear(event) // the caller's buffer is the caller's
			if string(r.Event) != tt.json || r.EventBase64 != tt.encoded || r.EventTruncated {
				t.Errorf("event %.60s, base64 %q, truncated %v", r.Event, r.EventBase64, r.EventTruncated)
			}
			if r.EventBytes != len(tt.event) || len(r.EventSHA256) != 64 {
				t.Errorf("%d bytes, hash %q", r.EventBytes, r.EventSHA256)
			}
		})
	}
}

// long returns an SNS event above MaxEvent with message in it, and a finding in
// message.
func long(t *testing.T, message string) ([]byte, *detect.Finding) {
	t.Helper()
	quoted, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	event := []byte(`{"Records":[{"pad":"` + strings.Repeat("p", record.MaxEvent) + `"},{"Sns":{"Message":`)
	f := &detect.Finding{Path: "Records[1].Sns.Message", Start: len(event), MatchOffset: strings.Index(message, "OR 1=1"), Matched: "OR 1=1"}
	event = append(event, quoted...)
	f.End = len(event)
	return append(event, `}}]}`...), f
}

// message is what stands at the path of long's finding.
func message(t *testing.T, r record.Record) string {
	t.Helper()
	var e struct {
		Records []*struct{ Sns struct{ Message string } }
	}
	if err := json.Unmarshal(r.Event, &e); err != nil || len(e.Records) != 2 || e.Records[0] != nil {
		t.Fatalf("skeleton %.200s: %v", r.Event, err)
	}
	return e.Records[1].Sns.Message
}

func TestALongEventLeavesASkeleton(t *testing.T) {
	event, f := long(t, `say "hi" OR 1=1 <now>`)
	var r record.Record
	r.SetEvent(event, f)
	if want := `{"Records":[null,{"Sns":{"Message":"say \"hi\" OR 1=1 <now>"}}]}`; string(r.Event) != want {
		t.Errorf("skeleton %.200s, want %s", r.Event, want)
	}
	if !r.EventTruncated || r.EventBytes != len(event) {
		t.Errorf("truncated %v, %d bytes", r.EventTruncated, r.EventBytes)
	}
}

func TestSetPart(t *testing.T) {
	tests := []struct{ path, part, event string }{
		{"Records[1]", `{"body":"x"}`, `{"Records":[null,{"body":"x"}]}`},
		{`records["a.b-0"][2]`, `1`, `{"records":{"a.b-0":[null,null,1]}}`},
		{"[0]", `{}`, `[{}]`},
		{"Records[0]", `{`, ""},
		{"Records[0]", "\"\xff\"", ""},
		{"Records[0]", `"` + strings.Repeat("x", record.MaxEvent) + `"`, ""},
	}
	var whole record.Record
	whole.SetEvent([]byte(`{"Records":[1,2]}`), nil)
	for _, tt := range tests {
		var r record.Record
		r.SetPart(&whole, tt.path, []byte(tt.part))
		if string(r.Event) != tt.event || !r.EventTruncated || r.EventBytes != whole.EventBytes || r.EventSHA256 != whole.EventSHA256 {
			t.Errorf("%s of %.20s: %s, %+v", tt.path, tt.part, r.Event, r.EventBytes)
		}
	}
}

func TestALongValueIsCutRoundTheMatch(t *testing.T) {
	words := strings.Repeat("wörd ", 2000)
	secret := strings.Repeat("S", 60)
	for name, text := range map[string]string{
		"in the middle":    words + "OR 1=1 " + words,
		"at the beginning": "OR 1=1 " + words,
		"at the end":       words + "OR 1=1",
		"half a secret":    words + secret + strings.Repeat(" x", 1010) + " OR 1=1 " + words,
		"no delimiters":    strings.Repeat("ö", 5000) + "OR 1=1" + strings.Repeat("ö", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			event, f := long(t, text)
			var r record.Record
			r.SetEvent(event, f)
			got := message(t, r)
			if !strings.Contains(got, "OR 1=1") || len(got) > 4096+6 || !utf8.ValidString(got) || !strings.Contains(got, "…") {
				t.Errorf("%d bytes: %.60s", len(got), got)
			}
			if n := strings.Count(got, "S"); n != 0 && n != len(secret) {
				t.Errorf("%d of %d letters of a secret are left: no mask would know them", n, len(secret))
			}
		})
	}
}

func TestALongEventWithoutAPlace(t *testing.T) {
	event, _ := long(t, "OR 1=1")
	for name, f := range map[string]*detect.Finding{
		"no finding": nil,
		"no path":    {Matched: "x"},
		"elsewhere":  {Path: "a", Start: 5, End: len(event) + 1},
		"reversed":   {Path: "a", Start: 6, End: 5},
		"negative":   {Path: "a", Start: -1, End: 5},
	} {
		var r record.Record
		r.SetEvent(event, f)
		var s string
		if err := json.Unmarshal(r.Event, &s); err != nil || !strings.HasPrefix(s, `{"Records":[{"pad":"`) || len(s) > 4100 || !r.EventTruncated {
			t.Errorf("%s: %.100s, want the event's beginning", name, r.Event)
		}
	}
}

func TestPaths(t *testing.T) {
	pad := `,"` + strings.Repeat("p", record.MaxEvent) + `"]`
	for path, want := range map[string]string{
		"a":              `{"a":1}`,
		"a.b":            `{"a":{"b":1}}`,
		"[0]":            `[1]`,
		"[2].a":          `[null,null,{"a":1}]`,
		"a[0][1]":        `{"a":[[null,1]]}`,
		`a["b.c"].d`:     `{"a":{"b.c":{"d":1}}}`,
		`["\"]"][0]`:     `{"\"]":[1]}`,
		"a[100].b":       `{"a":[{"b":1}]}`,
		"a..b":           `{"a..b":1}`,
		"a[":             `{"a[":1}`,
		"a[x]":           `{"a[x]":1}`,
		"a[-1]":          `{"a[-1]":1}`,
		`a["b`:           `{"a[\"b":1}`,
		"a.":             `{"a.":1}`,
		"headers.x-\xff": `{"headers":{"x-\ufffd":1}}`,
	} {
		var r record.Record
		r.SetEvent([]byte("[1"+pad), &detect.Finding{Path: path, Start: 1, End: 2})
		if got := strings.ReplaceAll(string(r.Event), `"1"`, "1"); got != want {
			t.Errorf("%s: skeleton %s, want %s", path, got, want)
		}
	}
}

func FuzzSetEvent(f *testing.F) {
	f.Add([]byte(`{"a":"b"}`), "a", 5, 8, 0, false)
	f.Add([]byte("\"\xff\""), `x["y"][3]`, 0, 3, 1, true)
	f.Fuzz(func(t *testing.T, part []byte, path string, start, end, offset int, decoded bool) {
		finding := &detect.Finding{Path: path, Start: start, End: end, MatchOffset: offset}
		if decoded {
			finding.DecodeChain = []string{"base64"}
		}
		for _, event := range [][]byte{part, append(bytes.Repeat([]byte(" "), record.MaxEvent+1), part...)} {
			r := record.Record{Kind: record.Attack}
			r.SetEvent(event, finding)
			text, err := r.Encode()
			if err != nil || !json.Valid(text) || !utf8.Valid(text) {
				t.Fatalf("%v: %.200s", err, text)
			}
			if len(event) > record.MaxEvent && len(text) > 64<<10+7*len(path) {
				t.Errorf("a truncated event takes %d bytes", len(text))
			}
		}
	})
}
