// Package remote stands for the internet in demonstrations and tests: a TLS
// server for one reserved name, and a network that leads to it.
package remote

import (
	"bufio"
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
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Name is whom a function talks to, for good and for bad. It is reserved, and
// leads to this machine.
const Name = "www.some.test"

// Host is a TLS server for Name that keeps what it gets, and, for a function
// without the layer, a plain CONNECT proxy in the place of a network that knows
// the name.
type Host struct {
	Addr    string // of the TLS server
	Network string // URL of the stand-in network
	CAFile  string // who signed the server's certificate, PEM

	servers []*http.Server

	mu       sync.Mutex
	requests []string // URL, headers and body of each request
}

// Start starts a Host and writes its CA into dir.
func Start(dir string) (*Host, error) {
	cert, caPEM, err := testCertificate()
	if err != nil {
		return nil, fmt.Errorf("making a test certificate: %w", err)
	}
	h := &Host{CAFile: filepath.Join(dir, "test-ca.pem")}
	if err := os.WriteFile(h.CAFile, caPEM, 0o600); err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	h.Addr = l.Addr().String()
	h.serve(l, http.HandlerFunc(h.take))
	n, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.Close()
		return nil, err
	}
	h.Network = "http://" + n.Addr().String()
	h.serve(n, http.HandlerFunc(h.connect))
	return h, nil
}

func (h *Host) serve(l net.Listener, handler http.Handler) {
	s := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	h.servers = append(h.servers, s)
	go func() { _ = s.Serve(l) }() // ended by Close
}

// Close stops the servers.
func (h *Host) Close() {
	for _, s := range h.servers {
		_ = s.Close() // the process ends
	}
}

// take keeps a request and answers it.
func (h *Host) take(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	text := fmt.Sprintf("%s %s %v %s", req.Method, req.URL, req.Header, body)
	h.mu.Lock()
	h.requests = append(h.requests, text)
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"EUR":1,"USD":1.08}`)
}

// Received returns the requests so far, and forgets them.
func (h *Host) Received() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.requests
	h.requests = nil
	return got
}

// connect tunnels whatever is asked for to the TLS server: it is the only host
// that there is.
func (h *Host) connect(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodConnect {
		http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
		return
	}
	up, err := net.Dial("tcp", h.Addr)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = up.Close() }()
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	done := make(chan struct{})
	go func() { // ends when the server closes
		defer close(done)
		_, _ = io.Copy(conn, up)
		_ = conn.Close()
	}()
	copyBuffered(up, buf.Reader, conn)
	_ = up.Close()
	<-done
}

// copyBuffered copies what was read ahead, and then the rest.
func copyBuffered(dst io.Writer, ahead *bufio.Reader, src io.Reader) {
	if n := ahead.Buffered(); n > 0 {
		_, _ = io.CopyN(dst, ahead, int64(n))
	}
	_, _ = io.Copy(dst, src)
}

// testCertificate makes a certificate for Name and the CA that signed it.
func testCertificate() (tls.Certificate, []byte, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Gatehouse demo CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: Name}, DNSNames: []string{Name},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	return tls.Certificate{Certificate: [][]byte{der, caDER}, PrivateKey: key}, caPEM, nil
}
