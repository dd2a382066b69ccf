package leak_test

import (
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect/leak"
)

const (
	awsKey   = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	password = `pa"ss <w>örd\1 & more`
)

func fingerprint(v []byte) string {
	h := fnv.New32a()
	h.Write(v)
	return fmt.Sprintf("%08x", h.Sum32())
}

func set() *leak.Set {
	return leak.New([]leak.Secret{
		{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(awsKey), Fingerprint: "f0f0"},
		{Name: "DB", Value: []byte(password), Fingerprint: "abab"},
		{Name: "SHORT", Value: []byte("1234567"), Fingerprint: "0000"},
	})
}

func TestFindSeesEveryForm(t *testing.T) {
	marshalled, err := json.Marshal(password)
	if err != nil {
		t.Fatal(err)
	}
	inner := string(marshalled[1 : len(marshalled)-1])
	tests := []struct{ name, text, object, chain string }{
		{"raw", "GET /?k=" + awsKey + " HTTP/1.1", "AWS_SECRET_ACCESS_KEY", "[]"},
		{"query", "k=" + url.QueryEscape(awsKey) + "&x=1", "AWS_SECRET_ACCESS_KEY", ""},
		{"query in lower case", "k=" + strings.ToLower(url.QueryEscape("/+")) + strings.ReplaceAll(strings.ReplaceAll(awsKey, "/", "%2f"), "+", "%2b"), "AWS_SECRET_ACCESS_KEY", ""},
		{"query with spaces", url.QueryEscape(password), "DB", "[url]"},
		{"path", url.PathEscape(password), "DB", "[url]"},
		{"twice", url.QueryEscape(url.QueryEscape(awsKey)), "AWS_SECRET_ACCESS_KEY", ""},
		{"json", `{"p":"` + inner + `"}`, "DB", "[json]"},
		{"hex", hex.EncodeToString([]byte("x" + awsKey)), "AWS_SECRET_ACCESS_KEY", "[hex]"},
		{"json by Gson", `{"p":"pa\"ss \u003cw\u003eörd\\1 \u0026 more"}`, "DB", "[json]"},
		{"json by .NET", `{"p":"pa\u0022ss \u003Cw\u003E\u00F6rd\\1 \u0026 more"}`, "DB", "[json]"},
		{"a key in json by .NET", `{"k":"` + strings.ReplaceAll(awsKey, "+", `\u002B`) + `"}`, "AWS_SECRET_ACCESS_KEY", ""},
		{"base64 at 0", base64.StdEncoding.EncodeToString([]byte(awsKey)), "AWS_SECRET_ACCESS_KEY", "[base64]"},
		{"base64 at 1", base64.StdEncoding.EncodeToString([]byte("x" + awsKey + "yy")), "AWS_SECRET_ACCESS_KEY", "[base64]"},
		{"base64 at 2", base64.StdEncoding.EncodeToString([]byte("xy" + awsKey + "z")), "AWS_SECRET_ACCESS_KEY", "[base64]"},
		{"base64url", base64.URLEncoding.EncodeToString([]byte("xy" + password + "z")), "DB", "[base64]"},
		{"base64 in a query", url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("x" + password + "y"))), "DB", ""},
		{"base64 twice", b64("ab" + b64("x"+awsKey+"y")), "AWS_SECRET_ACCESS_KEY", "[base64 base64]"},
		{"base64 three times", b64("a" + b64("ab"+b64("x"+awsKey+"y"))), "AWS_SECRET_ACCESS_KEY", "[base64 base64 base64]"},
		{"base32", base32.StdEncoding.EncodeToString([]byte("abc" + awsKey)), "AWS_SECRET_ACCESS_KEY", "[base32]"},
		{"base32hex in lower case", strings.ToLower(base32.HexEncoding.EncodeToString([]byte("abcd" + awsKey))), "AWS_SECRET_ACCESS_KEY", "[base32]"},
		{"ascii85", a85("abc" + awsKey + "d"), "AWS_SECRET_ACCESS_KEY", "[ascii85]"},
		{"reversed", "<" + backwards(awsKey) + ">", "AWS_SECRET_ACCESS_KEY", "[reversed]"},
		{"base64, reversed", backwards(b64("x" + password)), "DB", "[reversed base64]"},
		{"reversed, in base64", b64("x" + backwards(password)), "DB", "[base64 reversed]"},
		{"rot13", strings.Map(rot13, awsKey), "AWS_SECRET_ACCESS_KEY", "[rot13]"},
		{"UTF-16", string(utf16le(awsKey)), "AWS_SECRET_ACCESS_KEY", "[utf-16]"},
		{"UTF-16, the other way round", "\x00" + string(utf16le(awsKey)), "AWS_SECRET_ACCESS_KEY", "[utf-16]"},
		{"base64 of UTF-16", b64(string(utf16le("x" + awsKey))), "AWS_SECRET_ACCESS_KEY", "[base64 utf-16]"},
		{"base64 of hex", b64("x" + hex.EncodeToString([]byte(awsKey))), "AWS_SECRET_ACCESS_KEY", "[base64 hex]"},
		{"hex of base64", hex.EncodeToString([]byte(b64("x" + awsKey))), "AWS_SECRET_ACCESS_KEY", "[hex base64]"},
		{"every character escaped in JSON", escapeAll(awsKey), "AWS_SECRET_ACCESS_KEY", "[json]"},
		{"base64 of JSON", base64.StdEncoding.EncodeToString(marshalled), "DB", "[base64 json]"},
	}
	s := set()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := s.Find([]byte(tt.text))
			if f == nil {
				t.Fatalf("Find(%q) found nothing", tt.text)
			}
			if f.Object != tt.object || tt.chain != "" && fmt.Sprint(f.DecodeChain) != tt.chain {
				t.Errorf("Find(%q) = %s %v, want %s %s", tt.text, f.Object, f.DecodeChain, tt.object, tt.chain)
			}
			if m := s.Mask(tt.text); !strings.Contains(m, "{{"+tt.object+":") || s.Find([]byte(m)) != nil {
				t.Errorf("Mask(%q) = %q", tt.text, m)
			}
			if strings.Contains(f.Matched, awsKey[:12]) || !strings.Contains(f.Matched, "{{"+tt.object+":") {
				t.Errorf("Matched = %q", f.Matched)
			}
		})
	}
}

func b64(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }

func a85(v string) string {
	out := make([]byte, ascii85.MaxEncodedLen(len(v)))
	return string(out[:ascii85.Encode(out, []byte(v))])
}

func backwards(v string) string {
	b := []byte(v)
	slices.Reverse(b)
	return string(b)
}

func rot13(r rune) rune {
	switch l := r | 0x20; {
	case l >= 'a' && l <= 'm':
		return r + 13
	case l >= 'n' && l <= 'z':
		return r - 13
	}
	return r
}

func utf16le(v string) (out []byte) {
	for _, c := range []byte(v) {
		out = append(out, c, 0)
	}
	return out
}

func escapeAll(v string) string {
	var b strings.Builder
	for _, c := range []byte(v) {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return b.String()
}

func TestFindIsQuiet(t *testing.T) {
	s := set()
	for _, text := range []string{"", "1234567", "wJalrXUtnFE", strings.Repeat("The quick brown fox. ", 1000)} {
		if f := s.Find([]byte(text)); f != nil {
			t.Errorf("Find(%.40q) = %+v", text, f)
		}
		if m := s.Mask(text); m != text {
			t.Errorf("Mask(%.40q) = %.40q", text, m)
		}
	}
}
