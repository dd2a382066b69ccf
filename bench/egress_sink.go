package main

import (
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
	"strconv"
	"time"
)

// sink is the server that everything is sent to, on loopback and by TLS.
type sink struct {
	addr  string // "localhost:port"
	roots *x509.CertPool
	cert  tls.Certificate
	dir   string // holds ca.pem, ca.key and both.pem
	srv   *http.Server
}

// piece is what is sent over and over: JSON text, as APIs take it.
var piece = event(64 << 10)

func newSink(dir string) (*sink, error) {
	cert, roots, err := authority(dir)
	if err != nil {
		return nil, fmt.Errorf("making certificates: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stream", stream)
	mux.HandleFunc("POST /", take)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	s := &sink{
		addr: fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port), roots: roots, cert: cert, dir: dir,
		srv: &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)},
	}
	go func() { // ends with close
		_ = s.srv.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}))
	}()
	return s, nil
}

func (s *sink) close() { _ = s.srv.Close() }

// stream sends until the client has had enough.
func stream(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// take reads a body and says how much it was.
func take(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body) // a client that left counts as far as it came
	_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
}

// authority makes a CA and a certificate for localhost, and writes the CA's files.
func authority(dir string) (tls.Certificate, *x509.CertPool, error) {
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign,
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
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
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	pool.AppendCertsFromPEM(certPEM)
	keyDER, err := x509.MarshalPKCS8PrivateKey(caKey)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for name, text := range map[string][]byte{"ca.pem": certPEM, "ca.key": keyPEM, "both.pem": append(keyPEM, certPEM...)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil { // a proxy may be another user
			return tls.Certificate{}, nil, err
		}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool, nil
}
