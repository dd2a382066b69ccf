package leak_test

import (
	"hash/crc32"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

// checksummed makes a made-up token that holds its own checksum.
func checksummed(prefix, random string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := crc32.ChecksumIEEE([]byte(random))
	var end []byte
	for range 6 {
		end = append([]byte{digits[sum%62]}, end...)
		sum /= 62
	}
	return prefix + random + string(end)
}

func TestTokens(t *testing.T) {
	github := checksummed("ghp_", "EXAMPLEofNobody0123456789AbCdE")
	npm := checksummed("npm_", "EXAMPLEofNobody0123456789AbCdE")
	slack := "xoxb-000000000000-000000000000-EXAMPLEofNobody000000000"
	for _, tt := range []struct{ text, host, want string }{
		{`{"token":"` + github + `"}`, "evil.test", "finding"},
		{"token=" + github, "evil.test", "finding"},
		{github, "evil.test", "finding"},
		{github, "api.github.com", ""},
		{github, "", "finding"},
		{npm, "registry.npmjs.org", ""},
		{npm, "registry.npmjs.org.evil.test", "finding"},
		{"x" + github, "evil.test", ""},                     // a part of something else
		{github[:len(github)-1] + "0", "evil.test", ""},     // the sum does not hold
		{"ghp_" + strings.Repeat("a", 36), "evil.test", ""}, // nor here
		{`"` + slack + `"`, "evil.test", "weak"},            // nothing proves it
		{`"` + slack + `"`, "slack.com", ""},
		{"AIza" + strings.Repeat("a", 35) + " ", "evil.test", "weak"},
		{"AIza" + strings.Repeat("a", 34) + " ", "evil.test", ""},
		{"sk_live_" + strings.Repeat("a", 30), "api.stripe.com", ""},
		{"sk_live_" + strings.Repeat("a", 30), "evil.test", "weak"},
		{"npm_config_registry=https://registry.npmjs.org/", "evil.test", ""},
		{"pypi-server and glpat- and xoxb- and sk_live_", "evil.test", ""},
	} {
		for _, cut := range []int{len(tt.text), 1, 7} {
			got := ""
			s := &leak.Tokens{Host: tt.host, Fingerprint: func([]byte) string { return "0123456789ab" }, Weak: func(f *detect.Finding) { got = "weak" }}
			for rest := tt.text; rest != ""; rest = rest[min(cut, len(rest)):] {
				if _, f := s.Write([]byte(rest[:min(cut, len(rest))])); f != nil {
					got = "finding"
				}
			}
			if f := s.Close(); f != nil {
				got = "finding"
				if strings.Contains(f.Matched, "Nobody") {
					t.Errorf("the finding shows the token: %+v", f)
				}
			}
			if got != tt.want {
				t.Errorf("%q to %q, %d at a time: %q, want %q", tt.text, tt.host, cut, got, tt.want)
			}
		}
	}
}

func TestAccountOf(t *testing.T) {
	for id, want := range map[string]string{
		"ASIAY34FZKBOKMUTVV7A": "609629065308", "ASIAY34FZKBOKMUTVV7": "", "AKIAIOSFODNN7EXAMPLE": "", "AKIAJOSFODNN7EXAMPLE": "",
		"XXIAY34FZKBOKMUTVV7A": "", "ASIAY34FZKBOKMUTVV71": "", "": "",
	} {
		if got, ok := leak.AccountOf(id); got != want || ok != (want != "") {
			t.Errorf("AccountOf(%q) = %q, %v, want %q", id, got, ok, want)
		}
	}
}

func TestKeyIDs(t *testing.T) {
	for text, want := range map[string]string{
		"AWS4-HMAC-SHA256 Credential=ASIAY34FZKBOKMUTVV7A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host": "ASIAY34FZKBOKMUTVV7A",
		"/k?X-Amz-Credential=ASIAY34FZKBOKMUTVV7A%2F20260101&x=1":                                                 "ASIAY34FZKBOKMUTVV7A",
		"/k?x-amz-credential=ASIAY34FZKBOKMUTVV7A%2f20260101":                                                     "ASIAY34FZKBOKMUTVV7A",
		"/k?credential=no&X-Amz-Credential=ASIAY34FZKBOKMUTVV7A/2":                                                "ASIAY34FZKBOKMUTVV7A",
		"key=ASIAY34FZKBOKMUTVV7A/2":                                                                              "",
		"Credential=ASIAY34FZKBOKMUTVV7A":                                                                         "",
		"Credential=ASIAY34FZKBOKMUTVV7AX/":                                                                       "",
		"=":                                                                                                       "",
	} {
		got := ""
		leak.KeyIDs(text, func(id string) bool { got += id; return true })
		if got != want {
			t.Errorf("KeyIDs(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add(checksummed("ghp_", "EXAMPLEofNobody0123456789AbCdE"), 3)
	f.Add("Credential=ASIAY34FZKBOKMUTVV7A/2", 1)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		leak.KeyIDs(text, func(id string) bool { _, _ = leak.AccountOf(id); return true })
		whole, parts := &leak.Tokens{Host: "evil.test"}, &leak.Tokens{Host: "evil.test"}
		_, _ = whole.Write([]byte(text))
		cut = max(0, min(cut, len(text)))
		_, _ = parts.Write([]byte(text[:cut]))
		_, _ = parts.Write([]byte(text[cut:]))
		if a, b := whole.Close(), parts.Close(); (a == nil) != (b == nil) {
			t.Errorf("%q cut at %d: %+v, whole %+v", text, cut, b, a)
		}
	})
}

func BenchmarkTokens(b *testing.B) {
	text := []byte(strings.Repeat(`{"order":4711,"note":"the parcel was not there, thank you","customer":"ada@shop.example"},`, 12000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		s := &leak.Tokens{Host: "evil.test"}
		_, _ = s.Write(text)
	}
}
