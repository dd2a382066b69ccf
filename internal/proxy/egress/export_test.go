package egress

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"

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

// Calls is a scanner of gRPC messages round inner.
func Calls(inner detect.Scanner) detect.Scanner { return &calls{Scanner: inner} }

// Guarded is a body that leaves through p as far as s clears it.
func Guarded(p *Proxy, src io.ReadCloser, s detect.Scanner) io.ReadCloser {
	f := p.newFlow(target{host: "api.test", port: 443}, "connect", false)
	return &guarded{src: src, s: s, x: &exchange{p: p, f: f}}
}

// ClientHello is what JA4Of makes a fingerprint of.
type ClientHello struct {
	Version                                   uint16
	Ciphers, Extensions, Versions, Signatures []uint16
	ALPN                                      string
	SNI                                       bool
}

// JA4Of is the fingerprint of h.
func JA4Of(h ClientHello) string {
	one := clientHello{
		version: h.Version, ciphers: h.Ciphers, extensions: h.Extensions, versions: h.Versions, signatures: h.Signatures, alpn: h.ALPN, sni: h.SNI,
	}
	return one.ja4()
}

// ParseJA4 is the fingerprint of the ClientHello in raw.
func ParseJA4(raw []byte) (string, bool) {
	h, ok := parseClientHello(raw)
	if !ok {
		return "", false
	}
	return h.ja4(), true
}

// DialledTooLate gives c to a flow that was closed while c was being dialled.
func DialledTooLate(p *Proxy, c net.Conn) error {
	f := p.newFlow(target{host: "api.test", port: 80}, "http", false)
	f.close()
	_, err := f.counting(c)
	return err
}

// Joints are the texts that r's head says together.
func Joints(r *http.Request, sent []string) (texts []string) {
	var j joint
	j.head(r, func() []string { return sent })
	for _, p := range j.places() {
		texts = append(texts, p.text)
	}
	return texts
}

// HeadScan looks through the head of r, again and again, and reports whether something
// in it may not leave.
func HeadScan(p *Proxy, r *http.Request) func() bool {
	f := p.newFlow(target{host: "api.test", port: 443}, "connect", false)
	x := &exchange{p: p, f: f, client: &client{p: p}}
	return func() bool {
		_, found := x.scanHead(r)
		return found
	}
}

// BodyScan looks through the body of r, which is there at once, again and again, and
// reports whether something in it may not leave.
func BodyScan(p *Proxy, r *http.Request, body []byte) func() bool {
	f := p.newFlow(target{host: "api.test", port: 443}, "connect", false)
	x := &exchange{p: p, f: f, client: &client{p: p}, proto: 1}
	return func() bool {
		g := &guarded{
			src: io.NopCloser(bytes.NewReader(body)), x: x, host: "api.test", outlet: bodyOutlet("api.test", r), length: int64(len(body)),
			make: func() detect.Scanner { return x.bodyScanner("api.test", r) },
		}
		return g.preload(r.Header) == nil
	}
}

// BodyJoints are the values and the names that a body says together.
func BodyJoints(contentType string, body []byte) (values, names string) {
	var j joint
	j.body(contentType, body)
	return string(j.values), string(j.names)
}
