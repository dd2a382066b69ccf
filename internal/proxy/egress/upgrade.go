package egress

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// errUpgraded says that a connection changed its protocol and is over.
var errUpgraded = errors.New("upgraded")

// upgrade passes a 101 on and then the bytes of both sides, what the client says
// being scanned like a body. It returns when either side has ended.
func (x *exchange) upgrade(r *http.Request, resp *http.Response) error {
	back, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return errors.New("the upgraded connection cannot be written to")
	}
	defer back.Close() //nolint:errcheck // over either way
	c, err := hijack(x.w.ResponseWriter)
	if err != nil {
		return err
	}
	x.w.gone = true
	defer x.client.endFlows()
	defer c.Close() //nolint:errcheck // over either way
	head := "HTTP/1.1 " + strconv.Itoa(resp.StatusCode) + " Switching Protocols\r\n"
	var text strings.Builder
	_ = resp.Header.Write(&text) // a Builder does not fail
	if _, err := c.Write([]byte(head + text.String() + "\r\n")); err != nil {
		return errUpgraded
	}
	x.relay(c, back, x.secretsFor(r))
	return errUpgraded
}

func (x *exchange) relay(c *early, back io.ReadWriteCloser, host string) {
	down := make(chan struct{})
	go func() { // owner: relay, which waits for it
		defer close(down)
		defer x.p.recover(func() {})
		_, _ = io.Copy(c.Conn, back) // either end closing ends both
		_ = c.Conn.Close()
	}()
	up := &guarded{src: c, s: x.f.scanner(host, "body"), x: x}
	_, _ = io.Copy(back, up)
	_ = back.Close()
	<-down
}

// responder writes a response as the upstream sent it: without what net/http
// would add, and without waiting for more.
type responder struct {
	http.ResponseWriter
	gone bool // hijacked: what is still written is goproxy's way to end
}

func (w *responder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack loses no byte that net/http has read already.
func (w *responder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, err := hijack(w.ResponseWriter)
	if err != nil {
		return nil, nil, err
	}
	w.gone = true
	return c, nil, nil
}

// WriteHeader tells a response of unknown length at once: it may be a stream.
func (w *responder) WriteHeader(code int) {
	if w.gone {
		return
	}
	h := w.Header()
	for _, name := range []string{"Content-Type", "Date"} {
		if _, ok := h[name]; !ok {
			h[name] = nil
		}
	}
	w.ResponseWriter.WriteHeader(code)
	if h.Get("Content-Length") == "" && code != http.StatusNoContent && code != http.StatusNotModified {
		w.Flush()
	}
}

func (w *responder) Write(p []byte) (int, error) {
	if w.gone {
		return len(p), nil
	}
	n, err := w.ResponseWriter.Write(p)
	w.Flush()
	return n, err
}

func (w *responder) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // an error shows at the next write
}
