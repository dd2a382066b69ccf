package main

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

// remoteHost is whom the function talks to, for good and for bad. The name is
// reserved; it leads to this machine.
const remoteHost = "www.some.test"

// remote stands for the internet: a TLS server for remoteHost that keeps what it
// gets, and, for the function without the layer, a plain CONNECT proxy in the
// place of a network that knows the name.
type remote struct {
	Addr    string // of the TLS server
	Network string // of the stand-in network
	CAFile  string

	servers []*http.Server

	mu       sync.Mutex
	requests []string // URL, headers and body of each request
}

func startRemote(dir string) (*remote, error) {
	cert, caPEM, err := testCertificate()
	if err != nil {
		return nil, fmt.Errorf("making a test certificate: %w", err)
	}
	r := &remote{CAFile: filepath.Join(dir, "test-ca.pem")}
	if err := os.WriteFile(r.CAFile, caPEM, 0o600); err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	r.Addr = l.Addr().String()
	r.serve(l, http.HandlerFunc(r.take))
	n, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.close()
		return nil, err
	}
	r.Network = "http://" + n.Addr().String()
	r.serve(n, http.HandlerFunc(r.connect))
	return r, nil
}

func (r *remote) serve(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	r.servers = append(r.servers, s)
	go func() { _ = s.Serve(l) }() // ended by close
}

func (r *remote) close() {
	for _, s := range r.servers {
		_ = s.Close() // the process ends
	}
}

// take keeps a request and answers it.
func (r *remote) take(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	text := fmt.Sprintf("%s %s %v %s", req.Method, req.URL, req.Header, body)
	r.mu.Lock()
	r.requests = append(r.requests, text)
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"EUR":1,"USD":1.08}`)
}

// received returns the requests so far, and forgets them.
func (r *remote) received() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.requests
	r.requests = nil
	return got
}

// connect tunnels whatever is asked for to the TLS server: it is the only host
// that there is.
func (r *remote) connect(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodConnect {
		http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
		return
	}
	up, err := net.Dial("tcp", r.Addr)
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

// testCertificate makes a certificate for remoteHost and the CA that signed it.
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
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: remoteHost}, DNSNames: []string{remoteHost},
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
