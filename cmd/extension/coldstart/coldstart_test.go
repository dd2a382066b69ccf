package coldstart_test

import (
	"crypto/x509"
	"os"
	"runtime"
	"testing"

	"github.com/elazarl/goproxy"

	"gatehouse/cmd/extension/coldstart"
)

func TestOverGivesTheProcessorsBack(t *testing.T) {
	if got := runtime.GOMAXPROCS(0); got != 1 {
		t.Errorf("the process starts on %d processors, want 1", got)
	}
	coldstart.Over()
	if got := runtime.GOMAXPROCS(0); got < 1 || (got == 1 && runtime.NumCPU() > 1 && os.Getenv("GOMAXPROCS") == "") {
		t.Errorf("%d processors after the start, of %d", got, runtime.NumCPU())
	}
}

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
