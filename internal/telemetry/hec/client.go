// Package hec sends records to Splunk's HTTP Event Collector. It knows HEC's
// replies, takes the bad object out of a batch that HEC accepted in part, and
// never sends to anywhere but the configured URL: no redirect, no proxy from the
// environment. What is kept until it can be sent is the Pipeline's.
package hec

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/telemetry"
)

// Limits.
const (
	defaultBatch = 1 << 20
	// maxRejects bounds the objects that one Send takes out of its batch; the rest
	// waits for the next.
	maxRejects = 16
)

// Client is a telemetry.Sink for one HEC. Its fields are set before use; nothing
// is parsed or allocated before the first Send. Send is called by one goroutine
// at a time; CloseIdle may be called at any time.
type Client struct {
	// URL is the HEC's: https://splunk.example:8088, with or without the path of
	// the collector. Plain http is allowed to loopback, elsewhere with Insecure.
	URL string
	// Token returns the HEC token. It is asked once for each Send.
	Token func(ctx context.Context) (string, error)
	// Index is the index to write to; "": the token's default.
	Index string
	// Agent is the User-Agent; "": gatehouse.
	Agent string
	// CA holds the certificates to trust; nil: the system's.
	CA *x509.CertPool
	// Insecure does not check the server's certificate, and allows plain http.
	Insecure bool
	// Proxy is dialled through; nil: no proxy, whatever the environment says.
	Proxy *url.URL
	// Batch bounds a request's body before compression, in bytes; 0: 1 MiB. One
	// event, at most 900 KiB, always goes.
	Batch int
	// Dial opens connections; nil: a net.Dialer with 5 s.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Say takes one line when sending becomes impossible until somebody changes a
	// setting, and one when it works again; nil: nobody is told.
	Say func(string)

	mu      sync.Mutex // guards rt
	rt      *http.Transport
	url     *url.URL
	channel string
	zip     *gzip.Writer
	size    int  // bound of a body, learned from the server
	noIndex bool // the index was refused, the token's default serves
	circuit circuit
	renew   atomic.Bool // asked for by Renew
}

// Renew has the next request go out on a new channel and a new connection, as from
// another client: of a sandbox that is restored from a snapshot there may be many.
func (c *Client) Renew() { c.renew.Store(true) }

// ErrConfig is wrapped by the errors of Send that only a change of the
// configuration ends: URL, token, index.
var ErrConfig = errors.New("misconfigured")

// Send implements telemetry.Sink.
func (c *Client) Send(ctx context.Context, batch []telemetry.Item) (int, error) {
	if err := ctx.Err(); err != nil { // the HEC is not to blame
		return 0, fmt.Errorf("hec: %w", err)
	}
	if err := c.circuit.resting(time.Now()); err != nil {
		return 0, err
	}
	n, err := c.send(ctx, batch)
	if line := c.circuit.outcome(err, time.Now()); line != "" {
		c.say(line)
	}
	return n, err
}

func (c *Client) say(s string) {
	if c.Say != nil {
		c.Say(s)
	}
}

// prepare does what is needed once, before the first request.
func (c *Client) prepare() error {
	if c.url != nil {
		return nil
	}
	u, err := endpoint(c.URL, c.Insecure)
	if err != nil {
		return fmt.Errorf("hec: %w: %w", ErrConfig, err)
	}
	c.url, c.channel, c.size = u, newChannel(), c.Batch
	if c.size <= 0 {
		c.size = defaultBatch
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rt = c.transport()
	return nil
}

// send delivers batch from its front, request by request.
func (c *Client) send(ctx context.Context, batch []telemetry.Item) (int, error) {
	if err := c.prepare(); err != nil {
		return 0, err
	}
	if c.renew.Swap(false) {
		c.channel = newChannel()
		c.CloseIdle()
	}
	d := delivery{Client: c, event: maxEvent}
	if err := d.authorize(ctx); err != nil {
		return 0, err
	}
	sent := 0
	for sent < len(batch) {
		n, err := d.next(ctx, batch[sent:])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// CloseIdle closes connections that nobody uses: called before the sandbox
// freezes, because after a thaw they are dead without knowing it.
func (c *Client) CloseIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rt != nil {
		c.rt.CloseIdleConnections()
	}
}

// TryNow ends the pause that follows a failed Send: Pipeline.Shutdown calls it,
// because there is no later.
func (c *Client) TryNow() { c.circuit.tryNow() }

// minZip is the size below which compression costs more than it saves, in bytes.
const minZip = 1400

// compress returns body as it is sent, and its Content-Encoding.
func (c *Client) compress(body []byte) ([]byte, string) {
	if len(body) < minZip {
		return body, ""
	}
	var b bytes.Buffer
	if c.zip == nil {
		// BestSpeed is a known level.
		c.zip, _ = gzip.NewWriterLevel(&b, gzip.BestSpeed)
	}
	c.zip.Reset(&b)
	// A bytes.Buffer takes everything.
	_, _ = c.zip.Write(body)
	_ = c.zip.Close()
	return b.Bytes(), "gzip"
}
