package main

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"gatehouse/internal/emulator"
)

// In streaming mode the caller gets the same bytes, trailers and errors as
// without the layer.
func TestStreamingIsUnchanged(t *testing.T) {
	events := []string{`{"Bytes":20000000}`, `{"Bytes":100000,"Fail":true}`, `{"Bytes":0}`, `{"Bytes":0,"Fail":true}`, `{"Bytes":1}`}
	var plain []string
	for _, s := range []setup{
		{attach: bare}, {attach: wrapper}, {attach: proxied},
		{attach: wrapper, change: func(c *emulator.Config) { c.Telemetry202 = true }},
		{attach: wrapper, env: map[string]string{"GATEHOUSE_HEC_URL": "http://127.0.0.1:1"}},
	} {
		g := start(t, "streamer", s)
		for i, event := range events {
			out := g.invoke(t, event)
			got := fmt.Sprintf("streamed %v, %d bytes %x, %q, %s, trailers %v", out.Streamed, len(out.Payload),
				sha256.Sum256(out.Payload), out.FunctionError, out.ContentType, out.Trailers)
			if !out.Streamed {
				t.Fatalf("%s: %s", event, got)
			}
			if s.attach == bare {
				plain = append(plain, got)
			} else if got != plain[i] {
				t.Errorf("%s, %s:\n%s\nwithout the layer\n%s", s.attach, event, got, plain[i])
			}
			t.Logf("%s %s %v", s.attach, event, out.Duration)
		}
	}
}
