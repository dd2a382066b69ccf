package proxy_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/detect"
)

// BenchmarkBatch judges a batch of Kinesis at its largest, 10,000 records in 6 MB,
// benign and with bad records.
func BenchmarkBatch(b *testing.B) {
	const size = 10_000
	text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("all is well, ", 22)))
	bad := base64.StdEncoding.EncodeToString([]byte(injection))
	for _, n := range []int{0, 1, 100, size} {
		b.Run(fmt.Sprintf("%d bad", n), func(b *testing.B) {
			list := make([]string, size)
			for i := range list {
				data := text
				if i < n {
					data = bad
				}
				list[i] = `{"kinesis":{"partitionKey":"k","sequenceNumber":"` + fmt.Sprint(i) + `","data":"` + data + `"},"eventSource":"aws:kinesis","eventID":"shardId-000000000006:` + fmt.Sprint(i) + `"}`
			}
			event := []byte(records(list...))
			g := newEventGuard(b, "mode: enforce")
			b.SetBytes(int64(len(event)))
			for b.Loop() {
				g.records = nil
				v := g.Decide(&detect.Observation{Kind: detect.KindEvent, RequestID: "r", Event: event})
				if len(v.Taken) != n {
					b.Fatalf("%d taken, %s", len(v.Taken), v.Action)
				}
			}
		})
	}
}
