package attack_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// marksOf lists what Marks gives as path=value.
func marksOf(event string, source *detect.Source, limit int) string {
	var list []string
	attack.Marks([]byte(event), source, func(path string, value []byte) bool {
		list = append(list, fmt.Sprintf("%s=%s", path, value))
		return len(list) != limit
	})
	return strings.Join(list, "\n")
}

func TestMarks(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	trusting := &detect.Source{Trusted: []string{"id", "Records[].arn"}}
	tests := []struct{ name, event, want string }{
		{"strings only", `{"a":"one","b":2,"c":[true,"two",null],"d":{"e":""}}`, "a=one\nc[1]=two"},
		{"escapes", `{"a":"Br\u00fccke\n\"x\""}`, "a=Brücke\n\"x\""},
		{"what AWS fills", `{"id":"abc-1","Records":[{"arn":"arn:aws:s3:::b","key":"k1"}]}`, "Records[0].key=k1"},
		{"what only looks so", `{"id":"x' or 1"}`, "id=x' or 1"},
		{"a body", `{"body":"{\"url\":\"https://evil.test/x\",\"n\":1}"}`, "body.url=https://evil.test/x"},
		{"a body in a message", `{"Message":"{\"body\":\"{\\\"q\\\":\\\"deep\\\"}\"}"}`, "Message.body.q=deep"},
		{"deeper stays as it is", `{"a":"{\"b\":\"{\\\"c\\\":\\\"{\\\\\\\"d\\\\\\\":1}      \\\"}\"}"}`, `a.b.c={"d":1}      `},
		{"a form", `{"body":"name=Ada+Lovelace&url=https%3A%2F%2Fevil.test"}`, "body.name=Ada Lovelace\nbody.url=https://evil.test"},
		{"a URL is no form", `{"u":"https://evil.test/?a=b"}`, "u=https://evil.test/?a=b"},
		{"JSON in base64", `{"data":"` + b64(`{"user":"ada lovelace"}`) + `"}`, "data.user=ada lovelace"},
		{"text in base64", `{"data":"` + b64("hello, wide world") + `"}`, "data=hello, wide world"},
		{"broken JSON", `{"a":"one","b":"two`, "a=one\nb=two"},
		{"broken JSON in a string", `{"a":"{\"b\":\"one\" ,}"}`, "a.b=one\n" + `a={"b":"one" ,}`},
		{"no JSON", `plain words`, ""},
		{"empty", ``, ""},
	}
	for _, tt := range tests {
		if got := marksOf(tt.event, trusting, 0); got != tt.want {
			t.Errorf("%s: marks of %s are\n%s\nwant\n%s", tt.name, tt.event, got, tt.want)
		}
	}
	if got := marksOf(`["one","two","three"]`, nil, 2); got != "[0]=one\n[1]=two" {
		t.Errorf("after the second it went on: %s", got)
	}
}

// FuzzMarks walks whatever comes: it ends, and gives nothing after it was told to
// stop.
func FuzzMarks(f *testing.F) {
	f.Add([]byte(`{"a":"{\"b\":\"x=1&y=%20\"}","c":"eyJhIjoiYiJ9ISEh"}`), uint8(3))
	f.Add([]byte(`["\u00`), uint8(1))
	source := &detect.Source{Trusted: []string{"a", "b[].c"}}
	f.Fuzz(func(t *testing.T, event []byte, limit uint8) {
		n, before := 0, string(event)
		attack.Marks(event, source, func(_ string, value []byte) bool {
			if n++; n > int(limit)+1 {
				t.Fatalf("%d values, want no more than %d", n, limit+1)
			}
			if len(value) == 0 {
				t.Fatal("a value without bytes")
			}
			return n <= int(limit)
		})
		if string(event) != before {
			t.Fatal("the event was changed")
		}
	})
}
