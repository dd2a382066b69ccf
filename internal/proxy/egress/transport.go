package egress

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// maxResponseHeader bounds the head of a response, in bytes.
const maxResponseHeader = 1 << 20

// roundTripper returns f's transport. Each flow has its own, so that a client's
// connection ends where it seems to, and nothing is shared between clients.
func (f *flow) roundTripper() *http.Transport {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.transport == nil {
		f.transport = &http.Transport{
			DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return f.dialCounted(ctx) },
			DisableCompression:     true, // a response passes as it is
			MaxIdleConnsPerHost:    64,
			MaxResponseHeaderBytes: maxResponseHeader,
			ExpectContinueTimeout:  time.Second,
			ReadBufferSize:         16 << 10,
			WriteBufferSize:        16 << 10,
			HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: streamDown},
		}
		switch {
		case f.via == "connect":
			f.transport.DialTLSContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return f.dialTLS(ctx) }
			f.transport.ForceAttemptHTTP2 = true
		case f.through != nil:
			f.transport.Proxy = http.ProxyURL(f.through)
			if f.p.RootCAs != nil {
				f.transport.TLSClientConfig = &tls.Config{RootCAs: f.p.RootCAs(), MinVersion: tls.VersionTLS12} // of the proxy's
			}
		}
	}
	return f.transport
}

func (f *flow) dialCounted(ctx context.Context) (net.Conn, error) {
	c, err := f.dial(ctx)
	if err != nil {
		return nil, err
	}
	return f.counting(c)
}

// counting makes c count into f, and close with it.
func (f *flow) counting(c net.Conn) (net.Conn, error) {
	f.drop(c)
	n := &counted{Conn: c, f: f}
	if !f.keep(n) {
		return nil, errClosed
	}
	return n, nil
}

// counted is an upstream connection whose bytes count for its flow.
type counted struct {
	net.Conn
	f *flow
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.f.in.Add(int64(n))
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.f.out.Add(int64(n))
	return n, err
}

// CloseWrite ends what is sent and leaves what is received.
func (c *counted) CloseWrite() error { return closeWrite(c.Conn) }

func (c *counted) Close() error {
	c.f.drop(c)
	return c.Conn.Close()
}
