package telemetry_test

import (
	"strings"
	"testing"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// BenchmarkAdd measures what a record costs the goroutine that makes it.
func BenchmarkAdd(b *testing.B) {
	event := []byte(`{"Records":[{"Sns":{"Message":"` + strings.Repeat("prose and \\\"quotes\\\" ", 10<<10) + `"}}]}`)
	for name, kind := range map[string]record.Kind{"line": record.Log, "connection": record.Connection, "attack": record.Attack} {
		b.Run(name, func(b *testing.B) {
			p := &telemetry.Pipeline{Sink: telemetry.Stdout{}, Mask: mask, MaxBytes: 1 << 20}
			for b.Loop() {
				r := &record.Record{Kind: kind, FunctionName: "orders", Region: "eu-west-1", URL: "https://api.partner.example/v1/prices"}
				if kind == record.Attack {
					r.SetEvent(event, nil)
				}
				p.Add(r)
			}
		})
	}
}

// BenchmarkCount measures what it costs that the counters outlive the process.
func BenchmarkCount(b *testing.B) {
	for name, spool := range map[string]bool{"heap": false, "mirrored": true} {
		b.Run(name, func(b *testing.B) {
			p := &telemetry.Pipeline{Sink: telemetry.Stdout{}, MaxBytes: 1}
			if spool {
				dir := b.TempDir()
				p.Spool = func() *telemetry.Spool {
					return &telemetry.Spool{Dir: dir, Counters: dir + "/counters", Sandbox: sandboxID}
				}
				defer p.Close()
			}
			r := &record.Record{Kind: record.Log}
			for b.Loop() {
				p.Add(r)
			}
		})
	}
}
