package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// systemBundles are where systems keep their root certificates in one file:
// Amazon Linux, Debian, Alpine and SUSE.
var systemBundles = []string{
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/ssl/cert.pem",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
}

// customerBundles are the variables that replace a client's roots: where the
// customer set one, his file goes into our bundle, because the wrapper points
// them all there.
var customerBundles = []string{
	"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT",
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "HTTPLIB2_CA_CERTS", "NIX_SSL_CERT_FILE", "CARGO_HTTP_CAINFO", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
}

// bundle is everything that a client of the function's trusted before, and ca.
// A file that cannot be read is an error beside a usable bundle.
func bundle(cfg *config, ca []byte) ([]byte, error) {
	var out []byte
	var errs []error
	for _, path := range systemBundles {
		if text, err := os.ReadFile(path); err == nil {
			out = append(out, text...)
			break
		}
	}
	seen := map[string]bool{"": true}
	for _, name := range append(customerBundles, "GATEHOUSE_UPSTREAM_CA") {
		path := cfg.Env[name]
		if seen[path] {
			continue
		}
		seen[path] = true
		text, err := readCertificates(name, path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(append(out, '\n'), text...)
	}
	return append(append(out, '\n'), ca...), errors.Join(errs...)
}

// extraBundle is what Node adds to its own roots: ours, and what the customer
// had it add.
func extraBundle(cfg *config, ca []byte) []byte {
	out := append([]byte(nil), ca...)
	for _, name := range []string{"NODE_EXTRA_CA_CERTS", "GATEHOUSE_UPSTREAM_CA"} {
		path := cfg.Env[name]
		if text, err := readCertificates(name, path); err == nil {
			out = append(append(out, '\n'), text...)
		}
	}
	return out
}

func readCertificates(name, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if certificates(text) == 0 {
		return nil, fmt.Errorf("%s: %s holds no certificate in PEM form", name, path)
	}
	return text, nil
}

// upstreamRoots are the certificates that servers are verified with: the
// system's, and GATEHOUSE_UPSTREAM_CA. nil stands for the system's alone.
func upstreamRoots(cfg *config) (*x509.CertPool, error) {
	if cfg.UpstreamCA == "" {
		return nil, nil
	}
	text, err := readCertificates("GATEHOUSE_UPSTREAM_CA", cfg.UpstreamCA)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a minimal image has no roots of its own
	}
	pool.AppendCertsFromPEM(text)
	return pool, nil
}
