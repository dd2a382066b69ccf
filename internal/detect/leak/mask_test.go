package leak_test

import (
	"encoding/base64"
	"strings"
	"testing"
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
