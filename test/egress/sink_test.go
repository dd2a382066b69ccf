package egress_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"gatehouse/test/egress/corpus"
)

// sink is everybody whom a thief sends to: it takes all that arrives, for each row at
// an address of its own, and keeps it. It knows nothing of the layer.
type sink struct {
	ca             *x509.Certificate
	key            *ecdsa.PrivateKey
	caFile         string
	tls, http, raw string // ports

	mu    sync.Mutex
	got   map[int][]*strings.Builder // by row: what each connection brought
	certs map[string]*tls.Certificate
	asked map[int][]string // by row: names that were looked up, or asked for
}

// address is where row's host is.
func address(row int) string {
	a := corpus.Octets(row)
	return netip.AddrFrom4(a).String()
}

// rowAt is the row whose host is at addr.
func rowAt(addr net.Addr) int {
	host, _, _ := net.SplitHostPort(addr.String())
	var high, low int
	if _, err := fmt.Sscanf(host, "127.77.%d.%d", &high, &low); err != nil {
		return -1
	}
	return high*250 + low - 1
}

var rowName = regexp.MustCompile(`row([0-9]+)`)

// rowOf is the row whose host name is, or lies above, name.
func rowOf(name string) int {
	all := rowName.FindAllStringSubmatch(strings.ToLower(name), -1)
	if len(all) == 0 {
		return -1
	}
	n, err := strconv.Atoi(all[len(all)-1][1])
	if err != nil {
		return -1
	}
	return n
}

// located is where host is: a row's, or an address however it is written.
func located(host string) (addr string, literal bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		b := ip.As16()
		switch {
		case ip.Unmap().Is4():
			return ip.Unmap().String(), true
		case b[0] == 0x20 && b[1] == 0x02: // 6to4
			return netip.AddrFrom4([4]byte(b[2:6])).String(), true
		}
		return netip.AddrFrom4([4]byte(b[12:])).String(), true // NAT64
	}
	if n, err := aton(host); err == nil {
		return netip.AddrFrom4(n).String(), true
	}
	return address(rowOf(host)), false
}

// aton reads an address as C does: one to four numbers to base 8, 10 or 16, the last of
// which fills what is left.
func aton(s string) (a [4]byte, err error) {
	fields := strings.Split(s, ".")
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 0, 32)
		if err != nil || i > 3 {
			return a, fmt.Errorf("no address: %q", s)
		}
		a[i] = byte(n)
		if i == len(fields)-1 {
			for k := 3; k >= i; k-- {
				a[k] = byte(n)
				n >>= 8
			}
		}
	}
	return a, nil
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{got: map[int][]*strings.Builder{}, certs: map[string]*tls.Certificate{}, asked: map[int][]string{}}
	s.authority(t)
	s.tls = s.listen(t, s.secure)
	s.http = s.listen(t, func(c net.Conn) { s.serve(c, c) })
	s.raw = s.listen(t, func(c net.Conn) { _, _ = io.Copy(s.record(c), c) })
	return s
}

// listen accepts on every address of this machine and returns the port.
func (s *sink) listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				serve(c)
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// record returns what keeps the bytes of one connection.
func (s *sink) record(c net.Conn) io.Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	row, b := rowAt(c.LocalAddr()), new(strings.Builder)
	s.got[row] = append(s.got[row], b)
	return writer(func(p []byte) (int, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return b.Write(p)
	})
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// take returns what row received so far, a text for each connection.
func (s *sink) take(row int) (texts, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.got[row] {
		texts = append(texts, b.String())
	}
	return texts, s.asked[row]
}

// lookedUp notes that a name was looked up, or asked for where nobody looks it up.
func (s *sink) lookedUp(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := rowOf(name)
	s.asked[row] = append(s.asked[row], name)
}

func (s *sink) secure(c net.Conn) {
	secured := tls.Server(c, &tls.Config{NextProtos: []string{"h2", "http/1.1"}, GetCertificate: s.certificate})
	if secured.Handshake() != nil {
		return
	}
	if secured.ConnectionState().NegotiatedProtocol == "h2" {
		w := s.record(c)
		new(http2.Server).ServeConn(secured, &http2.ServeConnOpts{ //nolint:staticcheck // the handshake is over
			Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%s %s HTTP/2\r\nHost: %s\r\n", r.Method, r.URL.RequestURI(), r.Host)
				_ = r.Header.Write(w)
				_, _ = io.WriteString(w, "\r\n")
				_, _ = io.Copy(w, r.Body)
				_ = r.Trailer.Write(w)
			})})
		return
	}
	s.serve(c, secured)
}

// serve takes requests one after the other, whatever they are.
func (s *sink) serve(c, secured net.Conn) {
	kept := s.record(c)
	in := bufio.NewReader(io.TeeReader(secured, kept))
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			_, _ = io.Copy(io.Discard, in) // whatever it is, it is kept
			return
		}
		if r.Header.Get("Expect") != "" {
			_, _ = io.WriteString(secured, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			_, _ = io.WriteString(secured, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
			s.frames(in, s.record(c)) // by itself: on the wire it is masked
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		_, _ = io.WriteString(secured, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

// frames takes off the mask of what a client says by WebSocket.
func (s *sink) frames(in *bufio.Reader, kept io.Writer) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(in, head[:]); err != nil || head[0]&15 == 8 {
			return
		}
		n := int(head[1] & 127)
		if n == 126 {
			var size [2]byte
			if _, err := io.ReadFull(in, size[:]); err != nil {
				return
			}
			n = int(binary.BigEndian.Uint16(size[:]))
		}
		var key [4]byte
		if _, err := io.ReadFull(in, key[:]); err != nil {
			return
		}
		for i := range n {
			b, err := in.ReadByte()
			if err != nil {
				return
			}
			_, _ = kept.Write([]byte{b ^ key[i%4]})
		}
	}
}

func (s *sink) authority(t *testing.T) {
	t.Helper()
	var err error
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	s.ca = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Corpus"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, s.ca, s.ca, &s.key.PublicKey, s.key)
	if err != nil {
		t.Fatal(err)
	}
	s.caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(s.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate makes one for whatever name is asked for.
func (s *sink) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName != "" {
		s.lookedUp(hello.ServerName) // whoever is on the way can read it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.ToLower(hello.ServerName)
	if c := s.certs[name]; c != nil {
		return c, nil
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(s.certs) + 2)), DNSNames: []string{name},
		NotBefore: s.ca.NotBefore, NotAfter: s.ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, s.ca, &s.key.PublicKey, s.key)
	if err != nil {
		return nil, err
	}
	s.certs[name] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: s.key}
	return s.certs[name], nil
}

// network is the internet without the layer: a proxy that leads every row's name to
// its address, and that says nothing about anything.
func (s *sink) network(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				s.forward(c)
			}()
		}
	}()
	return l.Addr().String()
}

func (s *sink) forward(c net.Conn) {
	in := bufio.NewReader(c)
	line, err := in.ReadString('\n')
	if err != nil {
		return
	}
	method, rest, _ := strings.Cut(line, " ")
	target, _, _ := strings.Cut(rest, " ")
	plain := method != http.MethodConnect
	if plain {
		_, target, _ = strings.Cut(target, "://")
		target, _, _ = strings.Cut(target, "/")
	}
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return
	}
	addr, literal := located(host)
	if !literal {
		s.lookedUp(host)
	}
	up, err := net.Dial("tcp", net.JoinHostPort(addr, port))
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	if plain {
		_, _ = io.WriteString(up, line)
	} else {
		for line != "\r\n" {
			if line, err = in.ReadString('\n'); err != nil {
				return
			}
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	}
	go func() { // ends with either connection
		_, _ = io.Copy(c, up)
		_ = c.Close()
	}()
	_, _ = io.Copy(up, in)
}
