package hec_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/telemetry/hec"
)

// certificate makes one for name, signed by itself.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestTLS has a server named splunk.test that wants a client's certificate.
func TestTLS(t *testing.T) {
	server, trusted := certificate(t, "splunk.test")
	mine, clients := certificate(t, "gatehouse.test")
	foreign, _ := certificate(t, "other.test")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, success) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := func() *x509.CertPool { return trusted }
	show := func(c tls.Certificate) func() (*tls.Certificate, error) {
		return func() (*tls.Certificate, error) { return &c, nil }
	}
	tests := []struct {
		name string
		set  func(*hec.Client)
		want string // in the error; "": none
	}{
		{"all as it should be", func(c *hec.Client) { c.CA, c.ServerName, c.Certificate = ca, "splunk.test", show(mine) }, ""},
		{"insecure", func(c *hec.Client) { c.Insecure, c.Certificate = true, show(mine) }, ""},
		{"no CA", func(c *hec.Client) { c.ServerName, c.Certificate = "splunk.test", show(mine) }, "unknown authority"},
		{"another name", func(c *hec.Client) { c.CA, c.ServerName, c.Certificate = ca, "other.test", show(mine) }, "other.test"},
		{"the URL's name", func(c *hec.Client) { c.CA, c.Certificate = ca, show(mine) }, "127.0.0.1"},
		{"no client's certificate", func(c *hec.Client) { c.CA, c.ServerName = ca, "splunk.test" }, "certificate required"},
		{"a foreign one", func(c *hec.Client) { c.CA, c.ServerName, c.Certificate = ca, "splunk.test", show(foreign) }, "certificate"},
		{"one that cannot be read", func(c *hec.Client) {
			c.CA, c.ServerName = ca, "splunk.test"
			c.Certificate = func() (*tls.Certificate, error) { return nil, errors.New("no such file") }
		}, "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var said []string
			c := client(s.URL)
			c.Say = func(line string) { said = append(said, line) }
			tt.set(c)
			for range 2 {
				c.TryNow()
				n, err := c.Send(t.Context(), items(1))
				if (n == 1) != (tt.want == "") || (err == nil) != (tt.want == "") {
					t.Fatalf("Send = %d, %v", n, err)
				}
				if err != nil && (!errors.Is(err, hec.ErrConfig) || !strings.Contains(err.Error(), tt.want)) {
					t.Errorf("Send: %v, want ErrConfig and %q", err, tt.want)
				}
			}
			if failed := tt.want != ""; failed != (len(said) == 1) {
				t.Errorf("said %q", said)
			}
			c.CloseIdle()
		})
	}
}

func TestTLSToAServerThatSpeaksNone(t *testing.T) {
	s := newServer(t, nil)
	_, err := client(strings.Replace(s.URL, "http:", "https:", 1)).Send(t.Context(), items(1))
	if !errors.Is(err, hec.ErrConfig) {
		t.Errorf("Send: %v, want ErrConfig", err)
	}
}

func TestTheCAIsReadLate(t *testing.T) {
	asked := 0
	c := client("https://splunk.test")
	c.CA = func() *x509.CertPool { asked++; return nil }
	c.CloseIdle()
	if asked != 0 {
		t.Error("the CA is read before the first Send, which is before register")
	}
}
