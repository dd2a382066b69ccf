package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
)

// manySecrets is what a function with twenty secrets knows.
func manySecrets() *lazySecrets {
	env := []string{"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_SESSION_TOKEN=" + strings.Repeat("AQoEXAMPLEH4aoAH0gNCAPyJxz4BlCFFxWNE1OPTgk5TthT", 8)}
	for i := range 18 {
		x := uint64(i+1) * 0x9E3779B97F4A7C15
		env = append(env, fmt.Sprintf("SERVICE_%d_TOKEN=tok_%x%x%x", i, x, x*x, x*x*x))
	}
	return &lazySecrets{policy: policy.Default, cfg: &config{Region: "eu-west-1", FingerprintKey: "k", Environ: env}}
}

// BenchmarkRequestScan is what looking through one request of 1 KB costs: its head, place
// by place, and its body.
func BenchmarkRequestScan(b *testing.B) {
	l := manySecrets()
	l.get()
	places := [][2]string{{"method", "POST"}, {"url", "/v1/orders?source=bench&page=2"}, {"host", "api.example:443"}}
	for _, h := range [][2]string{
		{"Accept", "application/json"}, {"Accept-Encoding", "gzip"}, {"Authorization", "Bearer of-no-secret"}, {"Content-Type", "application/json"},
		{"User-Agent", "Go-http-client/1.1"}, {"X-Amzn-Trace-Id", "Root=1-5e1b4151-43a0913a12345678901234567;Sampled=0"},
	} {
		places = append(places, [2]string{"header", h[0]}, [2]string{"header:" + strings.ToLower(h[0]), h[1]})
	}
	body := []byte(strings.Repeat(`{"order":4711,"note":"thank you, the parcel was not there"},`, 17))
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range places {
			s := l.scanner(detect.Outlet{Host: "api.example", Place: p[0]})
			_, _ = s.Write([]byte(p[1]))
			_ = s.Close()
		}
		s := l.scanner(detect.Outlet{Host: "api.example", Place: "body", Type: "application/json"})
		_, _ = s.Write(body)
		_ = s.Close()
	}
}

// BenchmarkBodyScan is what a large body of JSON costs, all decoders on: one that is the
// same over and over, and messages of a queue with JSON in their JSON.
func BenchmarkBodyScan(b *testing.B) {
	l := manySecrets()
	l.get()
	for name, body := range map[string][]byte{
		"same":   []byte(strings.Repeat(`{"order":4711,"note":"thank you, the parcel was not there"},`, 17500)),
		"varied": letters(1 << 20),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				s := l.scanner(detect.Outlet{Host: "api.example", Place: "body", Type: "application/json"})
				for p := body; len(p) > 0; p = p[min(32<<10, len(p)):] {
					_, _ = s.Write(p[:min(32<<10, len(p))])
				}
				_ = s.Close()
			}
		})
	}
}

// letters is about size bytes of messages of a queue.
func letters(size int) (text []byte) {
	words := strings.Fields("the order please send invoice to my new address at Lindenweg 7 before Friday thank you parcel 4711 Monday door")
	dice := rand.New(rand.NewPCG(1, 2))
	for len(text) < size {
		text = fmt.Appendf(text, `{"messageId":"%08x-90ab-cdef-1234-567890abcdef","body":"{\"order\":%d,\"note\":\"`, dice.Uint32(), dice.IntN(1e6))
		for n := len(text) + 1<<10; len(text) < n; {
			text = append(append(text, words[dice.IntN(len(words))]...), ' ')
		}
		text = append(text, `\"}","eventSourceARN":"arn:aws:sqs:eu-central-1:123456789012:orders"},`...)
	}
	return text
}

// BenchmarkQuiet is what most requests cost.
func BenchmarkQuiet(b *testing.B) {
	l := manySecrets()
	l.get()
	text := []byte(`{"order":4711,"note":"thank you, the parcel was not there"} Mozilla/5.0 application/json`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if !l.quiet(detect.Outlet{Host: "api.example", Place: "url"}, text) {
			b.Fatal("not quiet")
		}
	}
}
