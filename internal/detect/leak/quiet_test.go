package leak_test

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

const quietSecret = "hJ4pLw0QeV6uGc1TnB3zXs9KdR2m"

func quietSet() *leak.Set {
	return leak.New([]leak.Secret{{Name: "A", Value: []byte(quietSecret), Fingerprint: "0123456789ab"}})
}

// What a scanner might have something to do with is never quiet.
func TestQuiet(t *testing.T) {
	reversed := []byte(quietSecret)
	slices.Reverse(reversed)
	shifted := []byte(quietSecret)
	for i := range shifted {
		shifted[i] ^= 1
	}
	loud := map[string]string{
		"as it is": quietSecret, "a part": quietSecret[5:13], "base64": base64.StdEncoding.EncodeToString([]byte(quietSecret)),
		"a part in base64": base64.StdEncoding.EncodeToString([]byte("x" + quietSecret[:14])), "hex": hex.EncodeToString([]byte(quietSecret)),
		"reversed": string(reversed), "XOR": string(shifted), "spaced": strings.Join(strings.Split(quietSecret, ""), " "),
		"in capitals": strings.ToUpper(quietSecret), "percent": "%68%4A%34%70", "JSON": `\u0068\u004a`, "not ASCII": "h\x80J", "gzip in base64": "H4sIAAAAAAAA/8pIzcnJVyjPL8pJAQQAAP//", "gzip in base64, far in": strings.Repeat("a/", 60) + "H4sIAAAAAAAA/8pIzcnJVyjPL8pJAQQAAP//",
		"a run in base64":          base64.StdEncoding.EncodeToString([]byte(`{"id":"aB3aB3aB3aB3aB3aB3aB3aB3aB3"}`)),
		"a part, reversed, in hex": hex.EncodeToString(reversed[:8]), "a part, reversed, in base64": base64.StdEncoding.EncodeToString(reversed[:12]),
		"a token": "ghp_abc", "a signature": "Credential=AKIA", "entities": "&#104;",
	}
	s := quietSet()
	for name, text := range loud {
		for _, around := range []string{text, "before " + text, text + " after", `{"a":"` + text + `"}`} {
			if s.Quiet([]byte(around)) {
				t.Errorf("%s is quiet: %q", name, around)
			}
		}
	}
	for _, text := range []string{
		"", "POST", "application/json; charset=utf-8", "Mozilla/5.0 (X11; Linux x86_64)", `{"order":4711,"note":"say \"hello\"\n"}`,
		"Bearer of-no-secret", "/v1/orders?source=bench", "id=8476a536", strings.Repeat("aB3", 30), "8476a5365f6e1a2b77aa4c1d9e0f1234567890ab",
	} {
		if !s.Quiet([]byte(text)) {
			t.Errorf("%q is not quiet", text)
		}
	}
	if s.Quiet([]byte(strings.Repeat("a ", 16<<10))) {
		t.Error("something of any length is quiet")
	}
}

// FuzzQuiet: in what is quiet no scanner finds anything.
func FuzzQuiet(f *testing.F) {
	f.Add("x="+quietSecret, 3, 20)
	f.Add(`{"a":"b"}`, 0, 28)
	s := quietSet()
	f.Fuzz(func(t *testing.T, text string, from, to int) {
		from, to = max(0, min(from, len(quietSecret))), max(0, min(to, len(quietSecret)))
		if from < to {
			text += quietSecret[from:to]
		}
		if !s.Quiet([]byte(text)) {
			return
		}
		if from+8 <= to {
			t.Errorf("%q is quiet, with eight bytes of a secret", text)
		}
		sc := leak.Decode(detect.Outlet{Place: "header:x"}, nil, s.Touches, func() detect.Scanner { return s.Scanner(leak.Stream{}) })
		if _, finding := sc.Write([]byte(text)); finding != nil || sc.Close() != nil {
			t.Errorf("%q is quiet, and has %+v", text, finding)
		}
	})
}
