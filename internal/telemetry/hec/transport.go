package hec

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// collector is the path that HEC's have in common.
const collector = "/services/collector"

// endpoint turns a configured URL, a base or with any path of the collector,
// into the collector's.
func endpoint(raw string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the HEC URL cannot be parsed") // err would quote it
	}
	switch {
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the HEC URL must not carry credentials, a query or a fragment")
	case u.Hostname() == "":
		return nil, fmt.Errorf("the HEC URL needs a host, as in https://splunk.example:8088")
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		return nil, fmt.Errorf("the HEC URL must begin with https://, or the token would travel readable to %q", u.Host)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("the HEC URL must begin with https://, not with %q", u.Scheme)
	}
	base, _, _ := strings.Cut(u.Path, collector)
	u.Path, u.RawPath = strings.TrimRight(base, "/")+collector, ""
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// transport makes c's own transport: HTTP/1.1, no proxy from the environment,
// which in a sandbox may be ourselves.
func (c *Client) transport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	return &http.Transport{
		Proxy:                  http.ProxyURL(c.Proxy),
		DialContext:            dial,
		TLSClientConfig:        c.tls(),
		TLSHandshakeTimeout:    5 * time.Second,
		DisableCompression:     true,
		MaxIdleConns:           len(c.targets),
		MaxIdleConnsPerHost:    1,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              protocols,
	}
}

func (c *Client) tls() *tls.Config {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         c.ServerName,
		InsecureSkipVerify: c.Insecure,
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
	if c.CA != nil {
		config.RootCAs = c.CA()
	}
	if c.Certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, err := c.Certificate()
			if err != nil {
				return nil, fmt.Errorf("%w: the client's certificate: %w", ErrConfig, err)
			}
			return cert, nil
		}
	}
	return config
}

// misconfigured reports whether err, of a connection, comes again until somebody
// changes a setting: a certificate that is not good, or a server that speaks no TLS or
// wants a certificate.
func misconfigured(err error) bool {
	var verification *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var op *net.OpError
	return errors.Is(err, ErrConfig) || errors.As(err, &verification) || errors.As(err, &header) ||
		errors.As(err, &op) && op.Op == "remote error" // an alert
}

// newChannel returns a random GUID.
func newChannel() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
