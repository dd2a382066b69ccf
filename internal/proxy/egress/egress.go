// Package egress is the gate for what goes out: an HTTP proxy on loopback that
// the function's clients are pointed at. It takes CONNECT and plain HTTP, asks
// the Guard at each step (host, address, server name, request, bytes), dials the
// very address that was judged, and writes one connection record per connection.
//
// goproxy dispatches and copies; everything that decides is here: three hooks
// (CONNECT, request, response), a transport per flow, one struct per flow.
//
// With TLS inspection, HTTP/1.1 and HTTP/2 are both served to the client, and
// always the protocol that the server chose. Clients that bring a certificate of
// their own, or that pin the server's, need the host in egress.inspect.bypass.
//
// What a verdict is belongs to package proxy, what a secret looks like to
// detect/leak, what is reported to package telemetry.
package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elazarl/goproxy"

	"gatehouse/internal/proxy"
)

// Bounds of everything that a client can make us hold or wait for.
const (
	// DefaultMaxFlows leaves the function half of the 1,024 descriptors that Lambda
	// lets all processes of a sandbox have: a tunnel takes two.
	DefaultMaxFlows = 256
	// maxSpare bounds the client connections beyond MaxFlows that wait for a first or
	// a next request, and maxAway those that are being turned away: what is beyond both
	// waits in the kernel, where it costs no descriptor.
	maxSpare = 64
	maxAway  = 64
	// MaxHello bounds what is buffered of a ClientHello, in bytes.
	MaxHello = 64 << 10
	// MaxHeader bounds a request's head, in bytes; net/http adds 4 KiB.
	MaxHeader = 64 << 10
	// MaxLeaves bounds the cache of certificates made for inspected hosts.
	MaxLeaves = 256
	// MaxRequests bounds the requests that one connection record lists.
	MaxRequests = 64
	// maxPlain bounds the hosts that one client connection keeps open at a time
	// for plain HTTP.
	maxPlain = 8

	defaultHeadTimeout = 10 * time.Second // from a request's first byte to the end of its head
	awayTimeout        = 2 * time.Second  // for a client that is turned away
	helloTimeout       = 5 * time.Second  // from the ClientHello's first byte
	dialTimeout        = 10 * time.Second
	handshakeTimeout   = 10 * time.Second
)

// Proxy is the egress proxy. Its fields are set before first use and not changed
// after; its methods are safe for concurrent use.
type Proxy struct {
	// Guard judges. It may be nil only where Off always answers true.
	Guard *proxy.Guard
	// CA makes the authority for TLS inspection; it is asked at each inspected
	// connection and should make it once. Nil never inspects.
	CA func() (*CA, error)
	// RootCAs are whom to trust upstream when inspecting; nil, or a nil answer,
	// is the system's.
	RootCAs func() *x509.CertPool
	// Upstream returns the customer's own HTTP proxy for a target, http:// or, where it
	// speaks TLS, https://, with userinfo where it wants a password; via is connect or
	// http, for which he may have two. Nil, or a nil answer, dials directly. A name that
	// goes through it is resolved there and not here, so that only literal addresses
	// meet the address guard.
	Upstream func(via, host string, port int) *url.URL
	// RuntimeAPI is the real Runtime API's host:port. Requests for it are relayed,
	// unbounded in time, neither judged nor recorded.
	RuntimeAPI string
	// Resolve looks up a name; nil is net.DefaultResolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Off, asked at each connection, makes a mere tunnel of the proxy: nothing is
	// judged and nothing recorded (GATEHOUSE=off). Nil is false.
	Off func() bool
	// MaxFlows bounds the open flows; more are answered 503. 0 is DefaultMaxFlows.
	MaxFlows int
	// HeadTimeout bounds a request's head, from its first byte; 0 is 10 s. A client
	// that says nothing has all the time there is.
	HeadTimeout time.Duration

	once      sync.Once
	gate      *goproxy.ProxyHttpServer
	server    *http.Server
	inner     *http.Server // serves decrypted connections in HTTP/1
	decrypted *handover
	innerH2   *http.Server // and those in HTTP/2
	streams   *handover
	recovered atomic.Int64
	clients   atomic.Int64 // open client connections
	away      atomic.Int64 // clients turned away
	buffers   sync.Pool    // of *[copySize]byte
	sessions  sessions     // with the servers of inspected connections

	mu     sync.Mutex
	closed bool
	flows  map[*flow]struct{} // at most MaxFlows
}

// setUp makes what the literal left out.
func (p *Proxy) setUp() {
	p.once.Do(func() {
		p.mu.Lock()
		p.flows = make(map[*flow]struct{})
		p.mu.Unlock()
		p.gate = goproxy.NewProxyHttpServer()
		p.gate.Tr = &http.Transport{} // never used: each flow brings its own
		p.gate.ConnectDial = nil      // nor this one, which reads the environment
		p.gate.Logger = silent{}
		p.gate.KeepHeader = true // clean takes hop-by-hop headers away itself
		p.gate.NonproxyHandler = http.HandlerFunc(notProxy)
		p.gate.OnRequest().HandleConnectFunc(p.onConnect)
		p.gate.OnRequest().DoFunc(p.onRequest)
		p.gate.OnResponse().DoFunc(p.onResponse)
		p.server = p.newServer(http.HandlerFunc(p.ServeHTTP))
		p.inner = p.newServer(http.HandlerFunc(p.serveDecrypted))
		p.decrypted = newHandover()
		go func() { _ = p.inner.Serve(p.decrypted) }() // owner: Shutdown, which closes the handover
		p.innerH2 = p.newH2Server()
		p.streams = newHandover()
		go func() { _ = p.innerH2.Serve(p.streams) }() // owner: as above
	})
}

// Serve takes connections from l until Shutdown. It returns nil then, else why
// it could not go on.
func (p *Proxy) Serve(l net.Listener) error {
	p.setUp()
	if err := p.server.Serve(newListener(l, p)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving egress: %w", err)
	}
	return nil
}

// ServeHTTP answers one request to the proxy.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.setUp()
	x := &exchange{p: p, client: clientOf(r.Context())}
	if x.client == nil { // not served by Serve: nothing outlives the request
		x.client = &client{p: p}
		defer x.client.endFlows()
	}
	x.serve(w, r)
}

// Shutdown stops accepting, waits for open flows until ctx ends, then closes and
// reports those that are left. It returns ctx's error if there were any.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.setUp()
	err := p.server.Shutdown(ctx)
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for _, f := range p.open() {
		select {
		case <-f.done:
		case <-ctx.Done():
			err = ctx.Err()
			f.close()
		}
	}
	_ = p.server.Close() // what Shutdown left, it has said already
	_ = p.inner.Close()
	_ = p.innerH2.Close()
	return err
}

// CloseIdle closes upstream connections that carry nothing and reports what the idle
// flows and the tunnels did so far: in the invocation that opened them, and what they did
// since the last report in the one that has just ended, requestID; "" where nobody knows.
// It is called before the sandbox freezes, because a connection seldom survives that.
func (p *Proxy) CloseIdle(requestID string) {
	for _, f := range p.open() {
		f.rest(requestID)
	}
}

// Forget ends the TLS sessions with servers, as a sandbox must that was restored from
// a snapshot: others have them, too.
func (p *Proxy) Forget() { p.sessions.forget() }

// Active returns the number of open flows: tunnels, decrypted connections and
// the hosts that clients of plain HTTP are connected to.
func (p *Proxy) Active() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.flows)
}

// TurnedAway counts the clients that were answered 503 before they had asked for
// anything, because too many were there already.
func (p *Proxy) TurnedAway() int { return int(p.away.Load()) }

// Recovered counts the panics that were recovered. Each cost one connection.
func (p *Proxy) Recovered() int { return int(p.recovered.Load()) }

func (p *Proxy) open() []*flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*flow, 0, len(p.flows))
	for f := range p.flows {
		all = append(all, f)
	}
	return all
}

func (p *Proxy) off() bool { return p.Off != nil && p.Off() }

func (p *Proxy) headTimeout() time.Duration {
	if p.HeadTimeout > 0 {
		return p.HeadTimeout
	}
	return defaultHeadTimeout
}

func (p *Proxy) maxFlows() int {
	if p.MaxFlows > 0 {
		return p.MaxFlows
	}
	return DefaultMaxFlows
}

// recover is deferred in every goroutine that handles outside bytes. stop ends
// what the panic left half done.
func (p *Proxy) recover(stop func()) {
	r := recover()
	if r == nil {
		return
	}
	if r != http.ErrAbortHandler { //nolint:errorlint // panics carry the very value
		p.recovered.Add(1)
	}
	stop()
}

// notProxy answers what is no request to a proxy.
func notProxy(w http.ResponseWriter, r *http.Request) {
	resp := exchangeOf(r.Context()).malformed(r)
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // the client may have left
}

// silent is goproxy's logger: what it would say is in the connection record.
type silent struct{}

func (silent) Printf(string, ...any) {}
