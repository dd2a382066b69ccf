package egress

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"gatehouse/internal/detect"
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
	s := x.f.scanner(detect.Outlet{Host: x.secretsFor(r), Place: "body"})
	if s != nil && strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		s = &frames{inner: s}
	}
	x.relay(c, back, s)
	return errUpgraded
}

// relay moves bytes both ways until both sides have ended, those of the client
// as far as s clears them.
func (x *exchange) relay(c *early, back io.ReadWriteCloser, s detect.Scanner) {
	down := make(chan struct{})
	go func() { // owner: relay, which waits for it
		defer close(down)
		defer x.p.recover(func() { _ = c.Close() })
		if _, err := io.Copy(c.Conn, back); err == nil {
			_ = closeWrite(c.Conn) // the client may have left
		} else {
			_ = c.Close()
		}
	}()
	_, err := io.Copy(back, &guarded{src: c, s: s, x: x})
	if half, ok := back.(interface{ CloseWrite() error }); !ok || err != nil || half.CloseWrite() != nil {
		_ = back.Close() // the server may have left
	}
	<-down
}
