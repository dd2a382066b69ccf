package main

import (
	"os"
	"testing"

	"go.uber.org/zap"
)

// BenchmarkTrustStore makes Java's trust store of the system's certificates, which
// happens before register where TLS is inspected and there is a Java.
func BenchmarkTrustStore(b *testing.B) {
	if !hasJava("") {
		b.Skip("no Java here")
	}
	x := newExtension(config{Env: map[string]string{}, RunDir: b.TempDir()}, zap.NewNop())
	text, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		b.Skip(err)
	}
	if err := x.folder.write("bundle.pem", text); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if x.trustStore() == "" {
			b.Fatal("no trust store")
		}
	}
}
