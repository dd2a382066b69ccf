package coldstart_test

import (
	"crypto/x509"
	"testing"

	"github.com/elazarl/goproxy"

	_ "gatehouse/cmd/extension/coldstart"
)

// goproxy must not have parsed its own authority: that would be the cost that
// the package is there to save.
func TestGoproxyParsedTheUnusedPair(t *testing.T) {
	cert, err := x509.ParseCertificate(goproxy.GoproxyCa.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := cert.Subject.CommonName; got != "unused" {
		t.Errorf("goproxy parsed the authority of %q, want ours: initialization has another order", got)
	}
}
