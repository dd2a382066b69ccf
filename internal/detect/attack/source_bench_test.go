package attack_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"gatehouse/internal/detect/attack"
)

// BenchmarkSource recognises events of about 1 KB, and large ones of the kinds
// that take longest: everything that decides stands behind what a sender fills.
func BenchmarkSource(b *testing.B) {
	const mb = 1 << 20
	large := func(inside string) string { return `{"x":` + inside + `,"Records":[{"eventSource":"aws:sqs"}]}` }
	pad := func(name string) string {
		var compact bytes.Buffer
		if err := json.Compact(&compact, golden(b, name, "all is well")); err != nil {
			b.Fatal(err)
		}
		e := compact.String()
		return strings.Replace(e, "all is well", "all is well"+strings.Repeat(" and well", max(0, 1024-len(e))/9), 1)
	}
	events := []struct{ name, event string }{
		{"sns", pad("sns")}, {"sqs", pad("sqs")}, {"apigateway-http", pad("apigateway-http")}, {"apigateway-rest", pad("apigateway-rest")},
		{"appsync", pad("appsync")}, {"direct", pad("direct")},
		{"6MB of text", large(`"` + strings.Repeat("x", 6*mb) + `"`)},
		{"6MB of JSON in a string", large(`"` + strings.Repeat(`{\"key\":\"value\"},`, 6*mb/19) + `"`)},
		{"6MB of quotes", large(`[` + strings.Repeat(`"",`, 6*mb/3) + `0]`)},
		{"6MB of brackets", large(strings.Repeat(`[`, 3*mb) + strings.Repeat(`]`, 3*mb))},
		{"6MB of keys", "{" + strings.Repeat(`"a":1,`, 1*mb) + `"b":1}`},
		{"6MB of backslashes", large(`"` + strings.Repeat(`\\`, 3*mb) + `"`)},
	}
	for _, tt := range events {
		b.Run(tt.name, func(b *testing.B) {
			event := []byte(tt.event)
			var e attack.Engine
			b.SetBytes(int64(len(event)))
			b.ReportAllocs()
			for b.Loop() {
				e.Source(event)
			}
		})
	}
}
