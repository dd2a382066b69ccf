package egress_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/proxy/egress"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		in   string
		host string // "" for an error
		port int
	}{
		{"api.test:8443", "api.test", 8443},
		{"api.test", "api.test", 443},
		{"api.test:", "api.test", 443},
		{"API.Test.:443", "api.test", 443},
		{"[2001:DB8::1]:8443", "2001:db8::1", 8443},
		{"[2001:db8:0::1]", "2001:db8::1", 443},
		{"2001:db8::1", "2001:db8::1", 443},
		{"[::ffff:192.0.2.1]:80", "192.0.2.1", 80},
		{"[fe80::1%25eth0]:80", "fe80::1", 80},
		{"192.0.2.1:80", "192.0.2.1", 80},
		{"a_b.test:1", "a_b.test", 1},
		{"2130706433:80", "127.0.0.1", 80}, {"0x7f000001:80", "127.0.0.1", 80}, {"017700000001:80", "127.0.0.1", 80}, {"127.1:80", "127.0.0.1", 80},
		{"0177.0.0.1:80", "127.0.0.1", 80}, {"0x7f.0x0.0.01:80", "127.0.0.1", 80}, {"127.0.1:80", "127.0.0.1", 80}, {"0:80", "0.0.0.0", 80},
		{"0xA9FEA9FE:80", "169.254.169.254", 80}, {"169.254.43518:80", "169.254.169.254", 80}, {"2852039166:80", "169.254.169.254", 80},
		{"4294967296:80", "4294967296", 80}, {"256.1:80", "256.1", 80}, {"1.2.3.4.5:80", "1.2.3.4.5", 80}, {"0b1:80", "0b1", 80}, {"1_0:80", "1_0", 80}, {"08.1:80", "08.1", 80},
		{"[::ffff:7f00:1]:80", "127.0.0.1", 80},
		{"", "", 0}, {":443", "", 0}, {".", "", 0}, {"a..test:1", "", 0}, {".test:1", "", 0},
		{"api.test..:443", "", 0}, {"127.0.0.1..:80", "", 0}, {"127.0.0.1.:80", "127.0.0.1", 80}, {"0x7f.1.:80", "127.0.0.1", 80},
		{"api.test:0", "", 0}, {"api.test:65536", "", 0}, {"api.test:-1", "", 0}, {"api.test:http", "", 0}, {"api.test:+1", "", 0},
		{"me@api.test:1", "", 0}, {"api test:1", "", 0}, {"api.test\x00:1", "", 0}, {"bücher.test:1", "", 0}, {"a%2etest:1", "", 0},
		{"[api.test:443", "", 0}, {"[api.test]:443", "", 0}, {"[::1]443", "", 0}, {"::1:443:", "", 0}, {strings.Repeat("a", 254) + ":1", "", 0},
	}
	for _, test := range tests {
		host, port, err := egress.ParseTarget(test.in, 443)
		if host != test.host || err == nil && port != test.port || (err != nil) != (test.host == "") {
			t.Errorf("%q: %q %d %v, want %q %d", test.in, host, port, err, test.host, test.port)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"api.test:443", "[::1]:80", "A.test.", "::ffff:1.2.3.4", "a:b:c", "[fe80::1%eth0]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, err := egress.ParseTarget(s, 443)
		if err != nil {
			return
		}
		if host != strings.ToLower(host) || strings.HasSuffix(host, ".") || port < 1 || port > 65535 || strings.ContainsAny(host, "[]%@/ ") {
			t.Fatalf("%q: %q %d", s, host, port)
		}
		if addr, err := netip.ParseAddr(host); err == nil && (addr.Zone() != "" || addr.Is4In6()) {
			t.Fatalf("%q: %q hides an address", s, host)
		}
		again, samePort, err := egress.ParseTarget(net.JoinHostPort(host, "443"), 1)
		if err != nil || again != host || samePort != 443 {
			t.Fatalf("%q: %q is read as %q %d, %v", s, host, again, samePort, err)
		}
	})
}

// capture returns the bytes of a ClientHello.
func capture(config *tls.Config) []byte {
	var sent bytes.Buffer
	c := script{Reader: strings.NewReader(""), sent: &sent}
	_ = tls.Client(c, config).Handshake() // it ends with the answer that does not come
	return sent.Bytes()
}

// script is a connection that reads from Reader and keeps what is written.
type script struct {
	io.Reader
	sent *bytes.Buffer
}

func (c script) Write(p []byte) (int, error)    { return c.sent.Write(p) }
func (script) Close() error                     { return nil }
func (script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (script) SetDeadline(time.Time) error      { return nil }
func (script) SetReadDeadline(time.Time) error  { return nil }
func (script) SetWriteDeadline(time.Time) error { return nil }

// FuzzReadHello feeds early bytes and later ones, one at a time.
func FuzzReadHello(f *testing.F) {
	whole := capture(&tls.Config{ServerName: "api.test", NextProtos: []string{"h2"}})
	f.Add(whole, []byte{})
	f.Add(whole[:1], whole[1:])
	f.Add(whole[:100], append(bytes.Clone(whole[100:]), "more"...))
	f.Add([]byte("GET / HTTP/1.1\r\n"), []byte("\r\n"))
	f.Add([]byte{}, []byte{0x16, 3, 1, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, early, later []byte) {
		rest := bytes.NewReader(later)
		raw, complete, sni, err := egress.ReadHello(script{Reader: iotestOneByte{rest}}, early)
		if err != nil {
			return
		}
		left, _ := io.ReadAll(rest)
		if all := append(bytes.Clone(early), later...); !bytes.Equal(append(raw, left...), all) {
			t.Fatalf("%x became %x", all, raw)
		}
		if sni != strings.ToLower(sni) || !complete && sni != "" {
			t.Fatalf("sni %q of a hello that is complete: %v", sni, complete)
		}
	})
}

// TestHugeHello stays within the bound.
func TestHugeHello(t *testing.T) {
	endless := append([]byte{0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xf0}, bytes.Repeat([]byte{0x16, 3, 1, 0x40, 0}, 1<<16)...)
	raw, complete, _, err := egress.ReadHello(script{Reader: bytes.NewReader(endless)}, nil)
	if complete || err != nil || len(raw) > egress.MaxHello {
		t.Errorf("complete %v, %v, %d bytes", complete, err, len(raw))
	}
}
