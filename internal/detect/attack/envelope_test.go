package attack_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// TestEnvelopes wraps every fifth of sqlmap's payloads as events carry them: what
// is found raw must be found there too.
func TestEnvelopes(t *testing.T) {
	object := func(key, value string) string {
		b, err := json.Marshal(map[string]string{key: value})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	q := url.QueryEscape
	tests := []struct {
		name string
		wrap func(p string) string
	}{
		{"value", func(p string) string { return object("q", p) }},
		{"key", func(p string) string { return object(p, "x") }},
		{"JSON in a string", func(p string) string { return object("body", object("q", p)) }},
		{"JSON, three levels", func(p string) string { return object("body", object("Message", object("q", p))) }},
		{"form", func(p string) string { return object("body", "a=1&q="+q(p)+"&filter[b]=2") }},
		{"escaped", func(p string) string { return object("q", q(p)) }},
		{"escaped twice", func(p string) string { return object("q", q(q(p))) }},
		{"path", func(p string) string { return object("rawPath", "/x/"+url.PathEscape(p)) }},
		{"base64", func(p string) string { return object("data", b64(p)) }},
		{"base64 of JSON", func(p string) string { return object("data", b64(object("q", p))) }},
		{"base64 of a form", func(p string) string { return object("body", b64("a=1&q="+q(p))) }},
		{"base64 of base64", func(p string) string { return object("data", b64(b64(p))) }},
		{"base64 in the URL's alphabet", func(p string) string { return object("data", base64.RawURLEncoding.EncodeToString([]byte(p))) }},
		{"behind 8 KB", func(p string) string { return object("q", strings.Repeat("0", 8192)+p) }},
	}
	flagged := make([]share, len(tests))
	var e attack.Engine
	var result detect.Result
	n := 0
	rows(t, "sqlmap", func(r *row) {
		if n++; n%5 != 0 {
			return
		}
		for i, tt := range tests {
			event := []byte(tt.wrap(r.P))
			result.Reset()
			e.Inspect(event, e.Source(event), &result, nil)
			flagged[i] = flagged[i].add(len(result.Findings) > 0)
		}
	})
	for i, tt := range tests {
		t.Logf("%-30s %4d of %4d  %6.2f %%", tt.name, flagged[i].flagged, flagged[i].all, flagged[i].percent())
		if flagged[i].percent() < 99 {
			t.Errorf("%s: %.2f %% flagged, want 99", tt.name, flagged[i].percent())
		}
	}
}
