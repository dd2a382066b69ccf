// Command goproxy is elazarl/goproxy as its README sets it up, for `bench egress`.
//
//	goproxy LISTEN tunnel
//	goproxy LISTEN mitm MAX-IDLE-CONNS-PER-HOST CA.pem KEY.pem
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"

	"github.com/elazarl/goproxy"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "goproxy:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 && len(args) != 5 {
		return fmt.Errorf("usage: goproxy LISTEN tunnel|mitm MAX-IDLE CA KEY")
	}
	p := goproxy.NewProxyHttpServer()
	if args[1] == "mitm" {
		if err := inspect(p, args[2], args[3], args[4]); err != nil {
			return err
		}
	}
	return http.ListenAndServe(args[0], p)
}

// inspect turns the interception of TLS on, with a cache of certificates.
func inspect(p *goproxy.ProxyHttpServer, idle, certFile, keyFile string) error {
	n, err := strconv.Atoi(idle)
	if err != nil {
		return err
	}
	ca, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return err
	}
	if ca.Leaf, err = x509.ParseCertificate(ca.Certificate[0]); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	p.CertStore = &store{certs: map[string]*tls.Certificate{}}
	p.Tr.TLSClientConfig = &tls.Config{RootCAs: roots}
	p.Tr.MaxIdleConnsPerHost = n
	p.OnRequest().HandleConnect(goproxy.FuncHttpsHandler(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		return &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: goproxy.TLSConfigFromCA(&ca)}, host
	}))
	return nil
}

// store is a goproxy.CertStorage.
type store struct {
	mu    sync.Mutex
	certs map[string]*tls.Certificate
}

func (s *store) Fetch(host string, make func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.certs[host]; c != nil {
		return c, nil
	}
	c, err := make()
	if err == nil {
		s.certs[host] = c
	}
	return c, err
}
