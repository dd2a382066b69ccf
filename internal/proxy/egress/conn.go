package egress

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/proxy"
)

// newServer makes the server for the proxy's own connections, or for decrypted
// ones, in HTTP/1. It has no timeouts: they would run out while the sandbox is frozen, and
// the only client is the function, whose connections MaxFlows bounds.
func (p *Proxy) newServer(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:        h,
		MaxHeaderBytes: MaxHeader,
		Protocols:      protocols,
		ErrorLog:       log.New(io.Discard, "", 0), // the connection record says it
		ConnContext:    keepClient,
		ConnState:      followState,
	}
}

type clientKey struct{}

func keepClient(ctx context.Context, c net.Conn) context.Context {
	switch c := c.(type) {
	case *client:
		return context.WithValue(ctx, clientKey{}, c)
	case *framed:
		return context.WithValue(ctx, clientKey{}, &client{Conn: c, p: c.f.p, inspected: c.f})
	}
	return ctx
}

func clientOf(ctx context.Context) *client {
	c, _ := ctx.Value(clientKey{}).(*client)
	return c
}

func followState(c net.Conn, s http.ConnState) {
	if c, ok := c.(*client); ok && (s == http.StateNew || s == http.StateIdle) {
		c.expectHead()
	}
}

// client is a connection of the function to us, or, decrypted, to its target. It
// watches what net/http does with it: which request heads come in, and whether
// net/http refuses one by itself.
type client struct {
	net.Conn
	p         *Proxy
	inspected *flow // the decrypted connection's flow; nil on the proxy's own

	closed  atomic.Bool
	handled atomic.Bool            // a handler has the present request
	over    atomic.Bool            // what still comes belongs to a request that is done with
	reason  atomic.Pointer[string] // for the next 403 or 503

	mu    sync.Mutex
	head  headScan
	timed bool    // the head under way has a deadline
	plain []*flow // at most maxPlain, last used last
}

func (c *client) expectHead() {
	c.handled.Store(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head = c.head.again()
}

// sent lists the names of the present request's headers in their order, as far as they
// were seen: not in HTTP/2.
func (c *client) sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.head.names) == 0 {
		return nil
	}
	return strings.Split(string(c.head.names), "\n")
}

// ambiguous reports whether it is unclear where the present request ends.
func (c *client) ambiguous() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head.ambiguous()
}

func (c *client) Read(b []byte) (int, error) {
	if c.over.Load() {
		return 0, io.EOF
	}
	n, err := c.Conn.Read(b)
	if n > 0 && !c.handled.Load() {
		c.mu.Lock()
		c.head.scan(b[:n])
		c.hurry()
		c.mu.Unlock()
	}
	return n, err
}

// hurry gives a head that has begun HeadTimeout to end. A connection that says
// nothing may do so for as long as it likes: the sandbox may be frozen.
func (c *client) hurry() {
	if c.head.armed == c.timed {
		return
	}
	c.timed = c.head.armed
	var end time.Time
	if c.timed {
		end = time.Now().Add(c.p.headTimeout())
	}
	_ = c.SetReadDeadline(end) // the next read says what is wrong with it
}

// ours are the status lines of refusals that net/http writes, and ours in their
// place begin with the same.
var ours = [...]string{"HTTP/1.1 403 Forbidden\r\n", "HTTP/1.1 503 Service Unavailable\r\n"}

// Write sends b. It notices an error that net/http answers before any handler
// runs, and puts our reason phrase into a refusal, which net/http cannot.
func (c *client) Write(b []byte) (int, error) {
	if !c.handled.Load() {
		c.malformed(b)
		return c.Conn.Write(b)
	}
	reason := c.reason.Load()
	if reason == nil {
		return c.Conn.Write(b)
	}
	for _, plain := range ours {
		if !bytes.HasPrefix(b, []byte(plain)) {
			continue
		}
		c.reason.Store(nil)
		line := "HTTP/1.1 " + *reason + "\r\n"
		n, err := c.Conn.Write(append([]byte(line), b[len(plain):]...))
		return max(0, min(len(b), n-len(line)+len(plain))), err
	}
	return c.Conn.Write(b)
}

// malformed records a request that net/http refused, answer being what it says.
func (c *client) malformed(answer []byte) {
	line, _, _ := bytes.Cut(answer, []byte("\r\n"))
	_, status, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(status) == 0 || status[0] < '4' {
		return
	}
	f := c.inspected
	if f == nil {
		f = c.p.newFlow(target{}, "http", c.p.off())
		defer f.close()
	}
	f.refused(malformedRequest(string(status)))
}

// CloseWrite lets net/http end a connection without a reset.
func (c *client) CloseWrite() error { return closeWrite(c.Conn) }

func (c *client) Close() error {
	c.endFlows()
	c.left()
	return c.Conn.Close()
}

// left gives c's place to another client.
func (c *client) left() {
	if c.inspected == nil && c.p != nil && !c.closed.Swap(true) {
		c.p.clients.Add(-1)
	}
}

func (c *client) endFlows() {
	c.mu.Lock()
	flows := c.plain
	c.plain = nil
	c.mu.Unlock()
	for _, f := range flows {
		f.close()
	}
}

// early is a hijacked connection with what net/http had read of it already.
type early struct {
	net.Conn
	read []byte
}

// hijack takes the connection from net/http, without losing a byte. Whoever
// called it ends the client's flows.
func hijack(w http.ResponseWriter) (*early, error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	e := &early{Conn: conn}
	if c, ok := conn.(*client); ok {
		c.left() // a flow of its own counts from here on
		e.Conn = c.Conn
	}
	e.read = buffered(rw.Reader)
	return e, nil
}

func buffered(r *bufio.Reader) []byte {
	held, _ := r.Peek(r.Buffered()) // no error: that much is there
	return bytes.Clone(held)
}

func (e *early) Read(b []byte) (int, error) {
	if len(e.read) == 0 {
		return e.Conn.Read(b)
	}
	n := copy(b, e.read)
	e.read = e.read[n:]
	return n, nil
}

// CloseWrite ends what is sent and leaves what is received.
func (e *early) CloseWrite() error { return closeWrite(e.Conn) }

// closeWrite half-closes c, or closes it where half is not to be had.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// handover is the listener of the inner server: connections come by hand.
type handover struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), done: make(chan struct{})}
}

// give passes c on, and reports whether there was still somebody to take it.
func (h *handover) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.done:
		return false
	}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handover) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// reasonPhrase is the status text of a refusal (docs: names that customers see).
func reasonPhrase(status int, v proxy.Verdict) string {
	return http.StatusText(status) + " gatehouse " + v.Rule + " " + v.Incident
}
