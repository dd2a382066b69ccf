package leak_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/url"
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
		{"query", "k=" + url.QueryEscape(awsKey) + "&x=1", "AWS_SECRET_ACCESS_KEY", "[url]"},
		{"query in lower case", "k=" + strings.ToLower(url.QueryEscape("/+")) + strings.ReplaceAll(strings.ReplaceAll(awsKey, "/", "%2f"), "+", "%2b"), "AWS_SECRET_ACCESS_KEY", "[url]"},
		{"query with spaces", url.QueryEscape(password), "DB", "[url]"},
		{"path", url.PathEscape(password), "DB", "[url]"},
		{"twice", url.QueryEscape(url.QueryEscape(awsKey)), "AWS_SECRET_ACCESS_KEY", "[url url]"},
		{"json", `{"p":"` + inner + `"}`, "DB", "[json]"},
		{"hex", hex.EncodeToString([]byte("x" + awsKey)), "AWS_SECRET_ACCESS_KEY", "[hex]"},
		{"json by Gson", `{"p":"pa\"ss \u003cw\u003eörd\\1 \u0026 more"}`, "DB", "[json]"},
		{"json by .NET", `{"p":"pa\u0022ss \u003Cw\u003E\u00F6rd\\1 \u0026 more"}`, "DB", "[json]"},
		{"a key in json by .NET", `{"k":"` + strings.ReplaceAll(awsKey, "+", `\u002B`) + `"}`, "AWS_SECRET_ACCESS_KEY", "[json]"},
		{"base64 at 0", base64.StdEncoding.EncodeToString([]byte(awsKey)), "AWS_SECRET_ACCESS_KEY", "[base64]"},
		{"base64 at 1", base64.StdEncoding.EncodeToString([]byte("x" + awsKey + "yy")), "AWS_SECRET_ACCESS_KEY", "[base64]"},
		{"base64 at 2", base64.StdEncoding.EncodeToString([]byte("xy" + awsKey + "z")), "AWS_SECRET_ACCESS_KEY", "[base64]"},
		{"base64url", base64.URLEncoding.EncodeToString([]byte("xy" + password + "z")), "DB", "[base64]"},
		{"base64 in a query", url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("x" + password + "y"))), "DB", ""},
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

func TestFindIsQuiet(t *testing.T) {
	s := set()
	for _, text := range []string{"", "1234567", "wJalrXUtnFEMI", strings.Repeat("The quick brown fox. ", 1000)} {
		if f := s.Find([]byte(text)); f != nil {
			t.Errorf("Find(%.40q) = %+v", text, f)
		}
		if m := s.Mask(text); m != text {
			t.Errorf("Mask(%.40q) = %.40q", text, m)
		}
	}
}
