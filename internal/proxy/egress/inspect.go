package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

// mayInspect reports whether TLS on f is to be inspected.
func (f *flow) mayInspect() bool {
	if f.quiet || f.p.CA == nil {
		return false
	}
	policy := f.p.Guard.Policy()
	return policy.InspectTLS && !policy.Bypass(f.target.host)
}

func (f *flow) wantsInspection(h hello) bool { return h.complete && f.mayInspect() }

// inspect terminates the client's TLS. The server's certificate comes first: the
// client's handshake is answered only when that one was found good, and in the
// protocol that the server chose.
func (f *flow) inspect(c, upstream net.Conn, h hello) {
	up, err := f.handshake(context.Background(), upstream, h.alpn)
	if err != nil {
		f.failed("upstream TLS: " + err.Error())
		writeAlert(c, alertFor(err))
		return
	}
	proto := up.ConnectionState().NegotiatedProtocol
	f.settle(up, proto)
	under := &plainside{Conn: c, f: f, read: h.raw}
	down, err := f.impersonate(under)
	if err != nil {
		f.failed("the client did not take our certificate; see egress.inspect.bypass: " + err.Error())
		return
	}
	f.mu.Lock()
	f.visible = true
	f.mu.Unlock()
	f.count(func(n *proxy.Counters) { n.Inspected++ })
	if first, ok := f.speaksHTTP(down, up, proto); ok {
		f.handOver(down, first, proto)
	} else {
		f.opaque(down, up, first)
	}
}

// settle keeps what the server's handshake led to, for dialTLS and impersonate.
func (f *flow) settle(up *tls.Conn, proto string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.first, f.alpn = up, nil
	if certs := up.ConnectionState().PeerCertificates; len(certs) > 0 {
		f.cert = certs[0]
	}
	if proto != "" {
		f.alpn = []string{proto}
	}
}

// speaksHTTP reports whether a decrypted connection carries HTTP, and what it
// had to read of the client to tell. Without ALPN it looks for a method, and
// takes a server that speaks first for something else.
func (f *flow) speaksHTTP(down, up *tls.Conn, proto string) (first []byte, ok bool) {
	switch proto {
	case "h2", "http/1.1", "http/1.0":
		return nil, true
	case "":
	default:
		return nil, false
	}
	greeting := f.startDown(down, up)
	first = make([]byte, 512)
	n, err := down.Read(first)
	first = first[:n]
	if greeting.interrupt() && err == nil {
		return first, beginsRequest(first)
	}
	return first, false
}

// beginsRequest reports whether p is, or may become, the beginning of an HTTP
// request line: a method, then a target in one of its forms (RFC 9112, 3.2).
func beginsRequest(p []byte) bool {
	method, target, whole := bytes.Cut(p, []byte(" "))
	if !whole {
		return len(p) > 0 && len(p) <= 20 && bytes.IndexFunc(p, notUpper) < 0
	}
	if len(method) == 0 || bytes.IndexFunc(method, notToken) >= 0 {
		return false
	}
	return len(target) == 0 || bytes.IndexByte([]byte("/*hH"), target[0]) >= 0 || string(method) == http.MethodConnect
}

func notUpper(r rune) bool { return r < 'A' || r > 'Z' }

func notToken(r rune) bool {
	return notUpper(r&^0x20) && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// opaque relays a decrypted connection that is not HTTP, scanning what the
// client says.
func (f *flow) opaque(down, up *tls.Conn, first []byte) {
	if v := f.notSeen(); v.Action.Blocks() {
		f.count(func(n *proxy.Counters) { n.Refused++ })
		_ = down.Close() // it says close_notify: the handshake is long over
		return
	}
	x := &exchange{p: f.p, f: f, target: f.learn(func(t *detect.Target) { t.Decrypted = true })}
	f.splicing(nil)
	x.relay(&early{Conn: down, read: first}, up, f.scanner(detect.Outlet{Host: f.target.host, Place: "body"}))
	if x.blocked.Load() != nil {
		f.count(func(c *proxy.Counters) { c.Refused++ })
	}
}

// handOver lets the inner server have the decrypted connection, and returns when
// it is over.
func (f *flow) handOver(down *tls.Conn, first []byte, proto string) {
	given := false
	if proto == "h2" {
		given = f.p.streams.give(&framed{Conn: down, f: f})
	} else {
		given = f.p.decrypted.give(&client{Conn: &early{Conn: down, read: first}, p: f.p, inspected: f})
	}
	if given {
		<-f.done
	}
}

// handshake makes TLS of upstream, as the name that the client asked for. The
// certificate is always verified.
func (f *flow) handshake(ctx context.Context, upstream net.Conn, alpn []string) (*tls.Conn, error) {
	cfg := &tls.Config{
		ServerName: f.serverName(), NextProtos: alpn, MinVersion: tls.VersionTLS12,
		ClientSessionCache: &f.p.sessions,
	}
	if f.p.RootCAs != nil {
		cfg.RootCAs = f.p.RootCAs()
	}
	counted, err := f.counting(upstream)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	up := tls.Client(counted, cfg)
	if err := up.HandshakeContext(ctx); err != nil {
		_ = up.Close() // err says it
		return nil, err
	}
	return up, nil
}

// serverName is who the server has to prove to be.
func (f *flow) serverName() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known.SNI != "" {
		return f.known.SNI
	}
	return f.target.host
}

// impersonate answers the client's handshake with a certificate of our own.
func (f *flow) impersonate(under *plainside) (*tls.Conn, error) {
	ca, err := f.p.CA()
	if err != nil {
		writeAlert(under.Conn, alertInternalError)
		return nil, err
	}
	cert, err := ca.certificate(f.serverName())
	if err != nil {
		writeAlert(under.Conn, alertInternalError)
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	down := tls.Server(under, &tls.Config{
		Certificates: []tls.Certificate{*cert},
		NextProtos:   f.alpn,
		MinVersion:   tls.VersionTLS12,
		// Tickets would let a client resume what this sandbox's CA no longer signs.
		SessionTicketsDisabled: true,
		// Nobody records what never leaves the sandbox: a key exchange against quantum
		// computers to come would only cost the function's time.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384},
	})
	return down, down.HandshakeContext(ctx)
}

// alertFor says to the client what is wrong with the server.
func alertFor(err error) byte {
	var bad *tls.CertificateVerificationError
	var said *net.OpError
	switch {
	case errors.As(err, &bad):
		return alertBadCertificate
	case errors.As(err, &said) && said.Op == "remote error":
		return alertHandshakeFailure
	}
	return alertInternalError
}

// dialTLS gives the transport the connection whose certificate was verified
// before the client's handshake, and when that one is gone a new one that goes
// through the same.
func (f *flow) dialTLS(ctx context.Context) (c net.Conn, err error) {
	defer f.p.recover(func() { c, err = nil, errors.New("the handshake panicked") })
	f.mu.Lock()
	first := f.first
	f.first = nil
	f.mu.Unlock()
	if first != nil {
		return first, nil
	}
	if c, err = f.dial(ctx); err != nil {
		return nil, err
	}
	return f.handshake(ctx, c, f.alpn)
}

// serveDecrypted is the handler of the inner server.
func (p *Proxy) serveDecrypted(w http.ResponseWriter, r *http.Request) {
	c := clientOf(r.Context())
	if r.ProtoMajor == 2 && c.unservable(w, r) {
		return
	}
	r.URL.Scheme, r.URL.Host = "https", c.inspected.target.String()
	x := &exchange{p: p, client: c}
	if r.Method == http.MethodConnect {
		x.f = c.inspected
	}
	x.serve(w, r)
}

// plainside lies under a decrypted connection: it gives back the ClientHello
// that was read, and ends the flow when the connection is closed.
type plainside struct {
	net.Conn
	f    *flow
	read []byte
}

func (c *plainside) Read(b []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.read)
	c.read = c.read[n:]
	return n, nil
}

func (c *plainside) CloseWrite() error { return closeWrite(c.Conn) }

func (c *plainside) Close() error {
	err := c.Conn.Close()
	c.f.close()
	return err
}
