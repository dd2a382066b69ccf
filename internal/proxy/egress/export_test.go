package egress

import (
	"crypto/tls"
	"net"

	"gatehouse/internal/detect"
)

// ParseTarget is parseTarget, for the fuzzer.
func ParseTarget(authority string, def int) (host string, port int, err error) {
	t, err := parseTarget(authority, def)
	return t.host, t.port, err
}

// ReadHello is readHello, for the fuzzer.
func ReadHello(c net.Conn, early []byte) (raw []byte, complete bool, sni string, err error) {
	h, err := readHello(c, early)
	return h.raw, h.complete, h.sni, err
}

// Certificate returns a leaf and how many are cached.
func (a *CA) Certificate(name string) (*tls.Certificate, int, error) {
	cert, err := a.certificate(name)
	return cert, a.recent.Len(), err
}

// Frames is a scanner of WebSocket frames round inner.
func Frames(inner detect.Scanner) detect.Scanner { return &frames{inner: inner} }
