package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/detect/attack"
	"gatehouse/internal/proxy"
)

// BenchmarkMarks is what the first connection of an invocation pays, and each
// further request.
func BenchmarkMarks(b *testing.B) {
	for _, lines := range []int{10, 10_000} {
		var text strings.Builder
		text.WriteString(`{"a":1`)
		for i := range lines {
			fmt.Fprintf(&text, `,"line%d":{"name":"Ada Lovelace the %dth","url":"https://shop.example/%d","n":%d}`, i, i, i, i)
		}
		event := []byte(text.String() + "}")
		g := &proxy.Guard{Sandbox: new(proxy.Sandbox), Marks: attack.Marks}
		url := []byte("/v1/orders?customer=42&since=2026-01-01T00%3A00%3A00Z&page=7")
		b.Run(fmt.Sprintf("first/%dKB", len(event)>>10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.Sandbox.Close("id")
				g.Sandbox.Begin(proxy.Invocation{RequestID: "id", Event: event})
				g.EventPaths(url)
			}
		})
		b.Run(fmt.Sprintf("further/%dKB", len(event)>>10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.EventPaths(url)
			}
		})
	}
}
