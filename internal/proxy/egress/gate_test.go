package egress_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

// secret is AWS's documented example key: no real credential.
const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// nameable is a secret that may stand in a host name.
const nameable = "hunter2-Hunter2-EXAMPLE"

// Names that the policies below map to this machine.
const hosts = `
  hosts: {api.test: 127.0.0.1, other.test: 127.0.0.1, third.test: 127.0.0.1}`

// gate is a Proxy that is served on loopback, with what it reports.
type gate struct {
	*egress.Proxy
	t    testing.TB
	addr string
	ca   *egress.CA

	expected int // panics

	mu      sync.Mutex
	records []*record.Record
}

// newGate serves a proxy under policy text, after change made it different.
func newGate(t testing.TB, text string, change func(*egress.Proxy)) *gate {
	t.Helper()
	p, err := policy.Parse([]byte("version: 1\n" + text))
	if err != nil {
		t.Fatal(err)
	}
	secrets := leak.New([]leak.Secret{
		{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(secret), Fingerprint: "0123456789ab"},
		{Name: "DB_PASSWORD", Value: []byte(nameable), Fingerprint: "ba9876543210"},
	})
	g := &gate{t: t}
	if g.ca, err = egress.NewCA(); err != nil {
		t.Fatal(err)
	}
	g.Proxy = &egress.Proxy{
		Guard: &proxy.Guard{
			Sandbox: &proxy.Sandbox{Identity: func() (string, int) { return "0123456789abcdef", 1 }},
			Policy:  func() *policy.Policy { return p },
			Report:  g.report,
			Scanner: func(o detect.Outlet) detect.Scanner {
				switch o.Place {
				case "host", "sni", "header", "trailer":
					return secrets.Scanner(leak.Stream{})
				}
				return secrets.Scanner(leak.Stream{})
			},
		},
		CA:      func() (*egress.CA, error) { return g.ca, nil },
		RootCAs: authority.pool,
		Resolve: resolve,
	}
	if change != nil {
		change(g.Proxy)
	}
	l := listen(t)
	g.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = g.Shutdown(ctx) // what is still open is cut
		if err := <-served; err != nil {
			t.Error(err)
		}
		if n := g.Recovered() + g.Guard.Recovered() - g.expected; n > 0 {
			t.Errorf("%d panics were recovered", n)
		}
	})
	return g
}

// forgive returns how many panics were recovered, and expects them.
func (g *gate) forgive() int {
	g.expected = g.Recovered() + g.Guard.Recovered()
	return g.expected
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func resolve(_ context.Context, host string) ([]netip.Addr, error) {
	if host == "metadata.test" {
		return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
	}
	if strings.HasSuffix(host, ".test") {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (g *gate) report(r *record.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.records = append(g.records, r)
}

// await polls until there are n records of kind, and returns them.
func (g *gate) await(kind record.Kind, n int) []*record.Record {
	g.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		g.mu.Lock()
		var found []*record.Record
		for _, r := range g.records {
			if r.Kind == kind {
				found = append(found, r)
			}
		}
		g.mu.Unlock()
		if len(found) >= n {
			return found
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("%d records of %s, want %d", len(found), kind, n)
		}
		time.Sleep(time.Millisecond) // polling
	}
}

// connection returns the one connection record.
func (g *gate) connection() *record.Record {
	g.t.Helper()
	all := g.await(record.Connection, 1)
	if len(all) != 1 {
		g.t.Fatalf("%d connection records, want one", len(all))
	}
	return all[0]
}

// client is a Go client that goes through the gate and trusts pool.
func (g *gate) client(pool *x509.CertPool) *http.Client {
	t := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: g.addr}),
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		ForceAttemptHTTP2: true,
	}
	g.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: time.Minute}
}

// trusting is a client that trusts the gate's own authority alone.
func (g *gate) trusting() *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(g.ca.PEM())
	return g.client(pool)
}

// caFile writes the gate's authority, and the servers', for other programs.
func (g *gate) caFile() string {
	g.t.Helper()
	name := filepath.Join(g.t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, append(g.ca.PEM(), authority.pem()...), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return name
}

// dial opens a raw connection to the gate and sends text.
func (g *gate) dial(text string) net.Conn {
	g.t.Helper()
	c, err := net.Dial("tcp", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		g.t.Fatal(err)
	}
	if _, err := c.Write([]byte(text)); err != nil {
		g.t.Fatal(err)
	}
	return c
}

// testCA signs the test servers.
type testCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var authority = must(newTestCA()) // read only

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newTestCA() (*testCA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &testCA{cert, key}, err
}

func (a *testCA) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *testCA) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a *testCA) leaf(names ...string) (tls.Certificate, error) {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &a.key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}, err
}

// server is an HTTPS server for *.test whose raw incoming bytes are kept, in
// front of TLS and behind.
type server struct {
	*httptest.Server
	port string

	mu   sync.Mutex
	seen bytes.Buffer // request heads and bodies
}

func newServer(t testing.TB, h http.HandlerFunc) *server {
	t.Helper()
	return startServer(t, h, true, "api.test", "other.test", "third.test")
}

func newPlainServer(t testing.TB, h http.HandlerFunc) *server {
	t.Helper()
	return startServer(t, h, false)
}

func startServer(t testing.TB, h http.HandlerFunc, secure bool, names ...string) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	// A stream that is not read must not stop the others here, either.
	s.Config.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 4<<20 - 1}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that are refused reset
	if secure {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{must(authority.leaf(names...))}}
		s.StartTLS()
	} else {
		s.Listener = &tapped{s.Listener, s}
		s.Start()
	}
	t.Cleanup(s.Close)
	s.port = s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	return s
}

func (s *server) url(host, path string) string {
	scheme, _, _ := strings.Cut(s.URL, ":")
	return fmt.Sprintf("%s://%s:%s%s", scheme, host, s.port, path)
}

// tapped keeps what plain connections send.
type tapped struct {
	net.Listener
	s *server
}

func (l *tapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tap{c, l.s}, nil
}

type tap struct {
	net.Conn
	s *server
}

func (c tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.seen.Write(b[:n])
	return n, err
}

func (s *server) received() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}
