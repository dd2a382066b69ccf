package attack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/detect/attack"
)

func TestScanKeepsPaths(t *testing.T) {
	const text = `{"Records":[{"Sns":{"Message":"a"}},{"Sns":{"Message":"b","odd key":["c",{"d":"e"}],"":"f","q\u0075ote":"g"}}],"last":"h"}`
	want := []string{
		`Records[0].Sns.Message=a`, `Records[1].Sns.Message=b`, `Records[1].Sns["odd key"][0]=c`,
		`Records[1].Sns["odd key"][1].d=e`, `Records[1].Sns[""]=f`, `Records[1].Sns.quote=g`, `last=h`,
	}
	found, broken := attack.Scan([]byte(text))
	if broken >= 0 {
		t.Errorf("broken at %d", broken)
	}
	var got []string
	for _, f := range found {
		if !f.Key {
			got = append(got, f.Path+"="+f.Text)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("scanned %q, want %q", got, want)
	}
}

func TestScanGoesOnBehindErrors(t *testing.T) {
	tests := []struct {
		text   string
		broken int
		want   string // the strings, joined
	}{
		{``, 0, ""},
		{`{`, 1, ""},
		{`"a`, 2, "a"},
		{`{"a":"b"`, 8, "a b"},
		{`{"a":"b"} "c"`, 10, "a b c"},
		{`{"a" "b"}`, 5, "a b"},
		{`{"a":tru,"c":"d"}`, 5, "a c d"},
		{`["a",01,"b"]`, 5, "a b"},
		{`["a"}`, 4, "a"},
		{`]["a"`, 0, "a"},
		{`["\x41"]`, 2, `\x41`},
		{"[\"a\nb\"]", 3, "a\nb"},
		{`["\ud800"]`, -1, "\uFFFD"},
		{`["\ud83d\ude00"]`, -1, "😀"},
		{`[1.5e+3,-0,true,null,"x"]`, -1, "x"},
		{`[1.,"x"]`, 1, "x"},
		{`["a",]`, 5, "a"},
	}
	for _, tt := range tests {
		found, broken := attack.Scan([]byte(tt.text))
		var got []string
		for _, f := range found {
			got = append(got, f.Text)
		}
		if broken != tt.broken || strings.Join(got, " ") != tt.want {
			t.Errorf("Scan(%q) = %q, broken at %d, want %q at %d", tt.text, got, broken, tt.want, tt.broken)
		}
	}
}

func TestScanDeep(t *testing.T) {
	const depth = 10_000
	text := strings.Repeat(`[{"k":`, depth) + `"x"` + strings.Repeat("}]", depth)
	found, broken := attack.Scan([]byte(text))
	if len(found) != depth+1 || broken >= 0 {
		t.Fatalf("%d strings, broken at %d, want %d and -1", len(found), broken, depth+1)
	}
	if last := found[depth]; last.Text != "x" || !strings.HasSuffix(last.Path, "…") {
		t.Errorf("the deepest string is %q at a path that ends in %q", last.Text, last.Path[max(0, len(last.Path)-10):])
	}
}

// FuzzScan holds the scanner to encoding/json: the same strings where that takes
// the text, and an error where it does not.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"a":["b",{"c":null}],"d":1.5e-3}`, `"\u00e9\ud83d\ude00\ud800x\/\b"`, `[{},[],"",0,-1,true]`, "[\"\x80\"]", `{"a":"b"}x`, `[1,]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found, broken := attack.Scan(text)
		if valid := json.Valid(text); valid != (broken < 0) {
			t.Fatalf("Scan(%q) is broken at %d, json.Valid says %v", text, broken, valid)
		}
		if broken >= 0 {
			return
		}
		want := tokens(t, text)
		if len(found) != len(want) {
			t.Fatalf("Scan(%q) = %+v, want %q", text, found, want)
		}
		for i, s := range found {
			if got := toValid(s.Text); got != want[i] {
				t.Errorf("Scan(%q): string %d is %q, want %q", text, i, got, want[i])
			}
		}
	})
}

// tokens returns the strings that encoding/json sees in text.
func tokens(t *testing.T, text []byte) (out []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if s, ok := token.(string); ok {
			out = append(out, s)
		}
	}
}

// toValid puts U+FFFD in the place of each byte that is not UTF-8, as
// encoding/json does.
func toValid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}
