package egress

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// recordHandshake is the first byte of a TLS connection (RFC 8446, 5.1).
const recordHandshake = 0x16

// hello is what a client says first.
type hello struct {
	raw      []byte // every byte that was read, at most MaxHello; still to be sent on
	isTLS    bool   // it begins like TLS
	complete bool   // and is a whole ClientHello
	sni      string // lower case, no trailing dot; "" when absent
	alpn     []string
	version  string // highest offered: "1.3"
}

var errSeen = errors.New("seen")

// readHello reads from c what a client says first, early included, and no more
// than it needs to tell a ClientHello. It waits without bound for the first
// byte, because the server may be the one that speaks first, and helloTimeout
// for the rest. An error is one of the connection's; what is no ClientHello is
// none.
func readHello(c net.Conn, early []byte) (hello, error) {
	var h hello
	in := io.MultiReader(bytes.NewReader(early), c)
	first := make([]byte, 1)
	if _, err := io.ReadFull(in, first); err != nil {
		return h, err
	}
	h.raw, h.isTLS = first, first[0] == recordHandshake
	if !h.isTLS {
		h.raw = append(h.raw, early[min(1, len(early)):]...)
		return h, nil
	}
	if err := c.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return h, err
	}
	h.parse(in, early)
	return h, c.SetReadDeadline(time.Time{})
}

// parse lets crypto/tls read a ClientHello, keeping every byte in h.raw.
func (h *hello) parse(in io.Reader, early []byte) {
	seen := bytes.NewBuffer(h.raw)
	rest := io.TeeReader(io.LimitReader(in, MaxHello-1), seen)
	script := oneWay{io.MultiReader(bytes.NewReader(h.raw[:1:1]), rest)}
	_ = tls.Server(script, &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		h.complete = true
		h.sni = strings.TrimSuffix(strings.ToLower(info.ServerName), ".")
		h.alpn = slices.Clone(info.SupportedProtos)
		h.version = versionName(info.SupportedVersions)
		return nil, errSeen // never goes on: the error is how the handshake stops
	}}).Handshake()
	h.raw = seen.Bytes()
	if n := len(early) - len(h.raw); n > 0 { // came with the CONNECT and was not needed
		h.raw = append(h.raw, early[len(early)-n:]...)
	}
}

// versionName names the highest of the versions offered that this knows.
func versionName(offered []uint16) string {
	for _, v := range []struct {
		id   uint16
		name string
	}{{tls.VersionTLS13, "1.3"}, {tls.VersionTLS12, "1.2"}, {tls.VersionTLS11, "1.1"}, {tls.VersionTLS10, "1.0"}} {
		if slices.Contains(offered, v.id) {
			return v.name
		}
	}
	return ""
}

// oneWay is a connection that reads a script and swallows what is written.
type oneWay struct{ io.Reader }

func (oneWay) Write(p []byte) (int, error)      { return len(p), nil }
func (oneWay) Close() error                     { return nil }
func (oneWay) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (oneWay) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (oneWay) SetDeadline(time.Time) error      { return nil }
func (oneWay) SetReadDeadline(time.Time) error  { return nil }
func (oneWay) SetWriteDeadline(time.Time) error { return nil }

// TLS alerts (RFC 8446, 6.2).
const (
	alertHandshakeFailure = 40
	alertBadCertificate   = 42
	alertAccessDenied     = 49
	alertInternalError    = 80
)

// writeAlert ends a TLS connection whose ClientHello was read and not answered.
func writeAlert(c net.Conn, alert byte) {
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, alert}) // the client may be gone: it is being refused anyway
}
