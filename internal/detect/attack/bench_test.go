package attack_test

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// benignEvent makes an SNS event of about size bytes: orders as JSON in the
// message, with names, prose, numbers and identifiers.
func benignEvent(size int) []byte {
	const order = `{\"id\":\"5f2b1c9e-%06d\",\"customer\":\"Anne O'Brien\",\"total\":%d.5,\"note\":\"Please leave it at the door; we're home at 5\",\"email\":\"anne@shop.example\",\"url\":\"https://shop.example/orders?id=%d&ref=mail\",\"items\":[{\"sku\":\"AB-%d\",\"n\":2}]},`
	var b strings.Builder
	b.WriteString(`{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","EventSubscriptionArn":"arn:aws:sns:eu-central-1:123456789012:orders:0b6941c3","Sns":{"Type":"Notification","MessageId":"95df01b4-ee98-5cb9-9903-4c221d41eb5e","TopicArn":"arn:aws:sns:eu-central-1:123456789012:orders","Subject":"New orders","Timestamp":"2026-01-02T12:45:07.000Z","SignatureVersion":"1","Message":"[`)
	for i := 0; b.Len() < size-420; i++ {
		fmt.Fprintf(&b, order, i, i, i, i)
	}
	b.WriteString(`{}]"}}]}`)
	return []byte(b.String())
}

func BenchmarkInspect(bm *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20, 6 << 20} {
		bm.Run(fmt.Sprintf("%dKB", size>>10), func(bm *testing.B) {
			event := benignEvent(size)
			var e attack.Engine
			var r detect.Result
			bm.SetBytes(int64(len(event)))
			bm.ReportAllocs()
			for bm.Loop() {
				r.Reset()
				e.Inspect(event, e.Source(event), &r, nil)
			}
			if len(r.Findings) > 0 || r.Exhausted {
				bm.Fatalf("result = %+v", r)
			}
			bm.ReportMetric(float64(bm.Elapsed().Microseconds())/float64(bm.N)/(float64(len(event))/1024), "µs/KB")
		})
	}
}

// BenchmarkRepeated is what once cost the square of its length: the two sizes must
// cost the same for each byte.
func BenchmarkRepeated(bm *testing.B) {
	for _, unit := range []string{"(&", "(|", "w&", "|w|", "constructor.prototype "} {
		for _, size := range []int{16 << 10, 1 << 20} {
			bm.Run(fmt.Sprintf("%q/%dKB", unit, size>>10), func(bm *testing.B) {
				event := []byte(object("q", strings.Repeat(unit, size/len(unit))))
				e := attack.Engine{Profile: attack.Detect}
				var r detect.Result
				bm.SetBytes(int64(len(event)))
				for bm.Loop() {
					r.Reset()
					e.Inspect(event, e.Source(event), &r, nil)
				}
			})
		}
	}
}
