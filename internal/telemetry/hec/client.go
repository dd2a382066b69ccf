// Package hec sends records to Splunk's HTTP Event Collector. It knows HEC's
// replies, takes the bad object out of a batch that HEC accepted in part, and
// never sends to anywhere but the configured URL: no redirect, no proxy from the
// environment. What is kept until it can be sent is the Pipeline's.
package hec

import (
	"context"
	"crypto/tls"
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
	// URLs are the HEC's: https://splunk.example:8088, with or without the path of
	// the collector. Plain http is allowed to loopback, elsewhere with Insecure.
	// Where there are several, one is used until it fails, then the next.
	URLs []string
	// Token fetches the HEC token. It is asked before the first request, and again
	// when HEC did not take what it said.
	Token func(ctx context.Context) (string, error)
	// Index is the index to write to; "": the token's default.
	Index string
	// Agent is the User-Agent; "": gatehouse.
	Agent string
	// CA returns the certificates to trust; nil: the system's. It is asked before
	// the first request.
	CA func() *x509.CertPool
	// Certificate returns what a server that asks for a client's certificate gets;
	// nil: nothing. It is asked with each handshake.
	Certificate func() (*tls.Certificate, error)
	// ServerName is what the server's certificate must name; "": the URL's host.
	ServerName string
	// Insecure does not check the server's certificate, and allows plain http.
	Insecure bool
	// Ack says when a record is delivered; 0: AckAuto.
	Ack Ack
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
	targets []*target
	current int       // of targets
	using   int       // the one that last took something
	why     error     // it is not another
	said    time.Time // when a change of it was said
	channel string
	token   string // "": to be fetched
	writer  writer
	size    int  // bound of a body, learned from the server
	noIndex bool // the index was refused, the token's default serves
	circuit circuit
	acks    acks
	final   atomic.Bool // TryNow was called: there is no later
	renew   atomic.Bool // asked for by Renew
}

// target is one of the URLs.
type target struct {
	events, acks *url.URL
	missing      time.Time // since when the answer is 404; zero: it is not
	jar          jar
	counted      bool    // it gave an acknowledgement's id on this channel:
	lastID       int64   // that one
	asking       circuit // for acknowledgements
}

func (t *target) String() string { return t.events.Host }

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
	if c.full(batch) {
		return 0, errHeld
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
	if c.targets != nil {
		return nil
	}
	var targets []*target
	for _, raw := range c.URLs {
		u, err := endpoint(raw, c.Insecure)
		if err != nil {
			return fmt.Errorf("hec: %w: %w", ErrConfig, err)
		}
		targets = append(targets, &target{events: u.JoinPath("event"), acks: u.JoinPath("ack")})
	}
	if targets == nil {
		return fmt.Errorf("hec: %w: there is no HEC URL", ErrConfig)
	}
	c.targets, c.channel, c.size = targets, newChannel(), c.Batch
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
		for _, t := range c.targets {
			t.jar, t.counted = jar{}, false
		}
		c.CloseIdle()
	}
	d := delivery{Client: c, event: maxEvent, refused: make([]bool, len(c.targets))}
	if err := d.authorize(ctx); err != nil {
		return 0, err
	}
	sent := 0
	for sent < len(batch) {
		if d.full(batch[sent:]) {
			return sent, errHeld
		}
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

// Resting returns why the last Send failed while it is too early for another.
func (c *Client) Resting() error { return c.circuit.resting(time.Now()) }

// TryNow ends the pause that follows a failed Send, and tells the next Confirm that
// it is the last: Pipeline.Shutdown calls it, because there is no later.
func (c *Client) TryNow() {
	c.circuit.tryNow()
	c.final.Store(true)
}
