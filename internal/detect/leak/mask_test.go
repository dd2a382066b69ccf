package leak_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

func TestMask(t *testing.T) {
	s := leak.New([]leak.Secret{
		{Name: "URL", Value: []byte("postgres://app:hunter2hunter2@db"), Fingerprint: "aaaa"},
		{Name: "URL/password", Value: []byte("hunter2hunter2"), Fingerprint: "bbbb"},
	})
	b64 := base64.StdEncoding.EncodeToString([]byte("x=hunter2hunter2!"))
	tests := []struct{ in, want string }{
		{"hunter2hunter2", "{{URL/password:bbbb}}"},
		{"a hunter2hunter2 b hunter2hunter2", "a {{URL/password:bbbb}} b {{URL/password:bbbb}}"},
		{"<postgres://app:hunter2hunter2@db>", "<{{URL:aaaa}}>"},
		{"hunter2hunter2hunter2", "{{URL/password:bbbb}}"}, // two that overlap
		{"b=" + b64 + ";", "b=eD{{URL/password:bbbb}}E=;"},
		{"hunter2hunter", "hunter2hunter"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := s.Mask(tt.in); got != tt.want {
			t.Errorf("Mask(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	var none *leak.Set
	if got := none.Mask("hunter2"); got != "hunter2" {
		t.Errorf("Mask of no set = %q", got)
	}
}

func TestMaskFold(t *testing.T) {
	s := leak.New([]leak.Secret{{Name: "TOKEN", Value: []byte("tok_7Yc2Qm9RkV5s"), Fingerprint: "aaaa"}})
	tests := []struct{ in, want string }{
		{"tok_7yc2qm9rkv5s.evil.test", "{{TOKEN:aaaa}}.evil.test"},
		{"İ.TOK_7YC2QM9RKV5S.Evil.Test", "İ.{{TOKEN:aaaa}}.Evil.Test"},
		{"http://tok_7Yc2Qm9RkV5s.evil.test/A?b=tok_7yc2Qm9RkV5s", "http://{{TOKEN:aaaa}}.evil.test/A?b={{TOKEN:aaaa}}"},
		{"Api.Example", "Api.Example"},
	}
	for _, tt := range tests {
		if got := s.MaskFold(tt.in); got != tt.want {
			t.Errorf("MaskFold(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	var none *leak.Set
	if got := none.MaskFold("hunter2hunter2"); got != "hunter2hunter2" {
		t.Errorf("MaskFold of no set = %q", got)
	}
}

// What encoders of URLs leave as it is differs, and whoever writes one may leave what he
// likes.
func TestMaskURL(t *testing.T) {
	s := leak.New([]leak.Secret{{Name: "KEY", Value: []byte("tG7/xQ2mLk9+Vb4nRs8w=@c1Z"), Fingerprint: "aaaa"}})
	for _, tt := range []struct{ in, want string }{
		{"https://a.test/tG7%2FxQ2mLk9+Vb4nRs8w=@c1Z?x=%20", "https://a.test/{{KEY:aaaa}}?x=%20"},
		{"https://a.test/?k=tG7%2fxQ2m%4ck9+Vb4nRs8w%3D@c1%5A#%zz", "https://a.test/?k={{KEY:aaaa}}#%zz"},
		{"https://a.test/%25%37%34G7%252fxQ2m%254ck9%2bVb4nRs8w%253D@c1Z%", "https://a.test/{{KEY:aaaa}}%"},
		{"https://tg7%2Fxq2mlk9%2Bvb4nrs8w%3D%40c1z.test/tG7/xQ2mLk9+Vb4nRs8w=@c1Z", "https://{{KEY:aaaa}}.test/{{KEY:aaaa}}"},
		{"https://a.test/100%25/ok", "https://a.test/100%25/ok"},
	} {
		if got := s.MaskURL(tt.in); got != tt.want {
			t.Errorf("MaskURL(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	var none *leak.Set
	if got := none.MaskURL("hunter2%20hunter2"); got != "hunter2%20hunter2" {
		t.Errorf("MaskURL of no set = %q", got)
	}
}

// A text that was cut out of another has no end of a secret at its edges, nor a beginning.
func TestMaskCut(t *testing.T) {
	const secret, mask = "tok_7Yc2Qm9RkV5sXw8Z", "{{TOKEN:aaaa}}"
	s := leak.New([]leak.Secret{{Name: "TOKEN", Value: []byte(secret), Fingerprint: "aaaa"}})
	for n := range len(secret) + 1 {
		head, tail, rest := secret[len(secret)-n:], secret[:n], " and the rest of it "
		want := func(half string) string {
			if n >= 8 {
				return mask
			}
			return half
		}
		for in, want := range map[string]string{
			head + rest + tail: want(head) + rest + want(tail), head + rest: want(head) + rest, rest + tail: rest + want(tail),
			rest + secret + rest: rest + mask + rest, rest: rest,
		} {
			if got := s.MaskCut(in); got != want {
				t.Errorf("MaskCut(%q) = %q, want %q", in, got, want)
			}
		}
	}
	b64 := base64.StdEncoding.EncodeToString([]byte("x=" + secret + "!"))
	for cut := 1; cut < len(b64)-12; cut++ {
		if got := s.MaskCut(b64[cut:] + rest(b64, cut)); strings.Contains(got, b64[cut+1:cut+11]) {
			t.Errorf("cut at %d: %q", cut, got)
		}
	}
	var none *leak.Set
	if got := none.MaskCut("hunter2hunter2"); got != "hunter2hunter2" {
		t.Errorf("MaskCut of no set = %q", got)
	}
}

// rest is another text behind the first.
func rest(s string, n int) string { return " and " + s[:len(s)-n] }

// What the common encoders write is known as a whole.
func TestMaskKnowsTheCommonEncoders(t *testing.T) {
	const value = `Grüne/Äpfel+7, "rote" & @Nüsse=;`
	s := leak.New([]leak.Secret{{Name: "PHRASE", Value: []byte(value), Fingerprint: "aaaa"}})
	units := func(format string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(value)) {
			fmt.Fprintf(&b, format, u)
		}
		return b.String()
	}
	wide := func(order binary.AppendByteOrder) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(value)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	for name, text := range map[string]string{
		"a query": url.QueryEscape(value), "a segment": url.PathEscape(value), "a path": (&url.URL{Path: value}).EscapedPath(),
		"a password": strings.TrimPrefix(url.UserPassword("", value).String(), ":"),
		"JSON":       units(`\u%04x`), "capitals": units(`\u%04X`), "little end": wide(binary.LittleEndian), "big end": wide(binary.BigEndian),
		"twice": "%25" + strings.ReplaceAll(fmt.Sprintf("% X", value), " ", "%25"),
	} {
		if got := s.Mask("<" + text + ">"); got != "<{{PHRASE:aaaa}}>" {
			t.Errorf("%s: Mask(%q) = %q", name, text, got)
		}
		if f := s.Find([]byte("<" + text + ">")); f == nil {
			t.Errorf("%s: nothing is found in %q", name, text)
		}
	}
	b64 := base64.StdEncoding.EncodeToString([]byte(wide(binary.LittleEndian)))
	if got := s.Mask(b64); strings.Contains(got, b64[8:24]) {
		t.Errorf("base64 of UTF-16: %q", got)
	}
}

// A key that is printed line by line is masked line by line, but for what is short or words.
func TestMaskLines(t *testing.T) {
	lines := []string{
		"-----BEGIN EXAMPLE KEY-----", "MHcCAQEEIFs7xQ2mLk9Vb4nRs8wEc1Ztq0pYu3h", "Jf6GdKiPoA2sX5vT7bNnMq8rWe1yUzCl4oLk0g9=", "aWs0Tg==", "-----END EXAMPLE KEY-----",
	}
	for _, end := range []string{"\n", "\r\n"} {
		s := leak.New([]leak.Secret{
			{Name: "OTHER", Value: []byte("tok_7Yc2Qm9RkV5sXw8Z"), Fingerprint: "bbbb"},
			{Name: "KEY", Value: []byte(strings.Join(lines, end)), Fingerprint: "aaaa"},
		})
		for i, line := range lines {
			want := "[" + line + "]"
			if i == 1 || i == 2 {
				want = "[{{KEY:aaaa}}]"
			}
			if got := s.Mask("[" + line + "]"); got != want {
				t.Errorf("Mask of line %d = %q, want %q", i, got, want)
			}
			if found := s.All(line); (len(found) == 1) != (i == 1 || i == 2) {
				t.Errorf("line %d: %d findings", i, len(found))
			}
		}
		if got := s.Mask(strings.Join(lines, end)); got != "{{KEY:aaaa}}" {
			t.Errorf("Mask of all lines = %q", got)
		}
	}
}

// TestFindingShowsNoSecret cuts the excerpt's edges through other secrets.
func TestFindingShowsNoSecret(t *testing.T) {
	s := set()
	for pad := range 200 {
		text := awsKey + strings.Repeat(".", pad) + password + strings.Repeat("ö", pad) + awsKey[:30]
		f := s.Find([]byte(text))
		if f == nil {
			t.Fatalf("pad %d: nothing found", pad)
		}
		for _, secret := range []string{awsKey, password} {
			for i := 0; i+8 <= len(secret); i++ {
				if strings.Contains(f.Matched, secret[i:i+8]) {
					t.Fatalf("pad %d: %q shows %q", pad, f.Matched, secret[i:i+8])
				}
			}
		}
		if len(f.Matched) > detect.MaxMatched || !utf8.ValidString(f.Matched) {
			t.Fatalf("pad %d: matched %d bytes, %q", pad, len(f.Matched), f.Matched)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("x", "y")
	f.Add(awsKey[:20], awsKey)
	s := set()
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, text := range []string{a + awsKey + b, a + password + b} {
			if got := s.Mask(text); strings.Contains(got, awsKey) || strings.Contains(got, password) {
				t.Fatalf("Mask(%q) = %q", text, got)
			}
		}
		if text := a + b; s.Find([]byte(text)) == nil && s.Mask(text) != text {
			t.Fatalf("Mask(%q) = %q", text, s.Mask(text))
		}
	})
}
