// Package console is Gatehouse's Splunk for a laptop: an HTTP Event Collector
// that answers as Splunk's does, a SQLite store behind it, and web pages that
// show what arrived. It listens on loopback only, and what attackers sent is
// shown as text and never runs.
//
// It judges nothing: it shows what package record's records say. Records of
// other senders are stored beside ours.
package console

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Bounds that hold for every console.
const (
	defaultMaxRecords = 500_000
	defaultMaxBytes   = 1 << 30
	headerTimeout     = 10 * time.Second
	closeTimeout      = 2 * time.Second
)

// Config says how a console listens and what it keeps. The zero value listens on
// a free port of 127.0.0.1 and keeps its records until Close.
type Config struct {
	// Addr is the TCP address to listen on, "127.0.0.1:0" when empty. Anything
	// but a loopback address is refused: the pages show what attackers sent.
	Addr string
	// Path is the SQLite file. Empty keeps the records in a temporary file that
	// Close removes.
	Path string
	// HECToken is what senders must show; a random GUID when empty.
	HECToken string
	// UseACK answers as a token with indexer acknowledgement does: every request
	// needs a channel, and its reply carries an ackId.
	UseACK bool
	// PageToken opens the pages; random when empty.
	PageToken string
	// MaxRecords bounds the store; beyond it the oldest records go. 0 means
	// 500,000.
	MaxRecords int
	// MaxBytes bounds the size of all stored records together, in bytes of JSON;
	// beyond it the oldest go. 0 means 1 GiB.
	MaxBytes int64
}

// Console is a running console. It is safe for concurrent use.
type Console struct {
	config   Config
	listener net.Listener
	server   *http.Server
	store    *store
	changed  *signal
	done     chan struct{} // closed by Close: live streams end
	served   chan error    // Serve's answer, once
	close    func() error
}

// Open starts a console. It accepts records when it returns; ctx bounds the
// opening, and Close ends the console.
func Open(ctx context.Context, c Config) (*Console, error) {
	c = c.withDefaults()
	if err := checkLoopback(c.Addr); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening for the console: %w", err)
	}
	st, err := openStore(ctx, c.Path, c.MaxRecords, c.MaxBytes)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	con := &Console{config: c, listener: listener, store: st, changed: newSignal(),
		done: make(chan struct{}), served: make(chan error, 1)}
	con.server = &http.Server{Handler: con.routes(), ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: 64 << 10}
	con.close = sync.OnceValue(con.shutdown)
	go func() { con.served <- con.server.Serve(listener) }() // ends in shutdown
	return con, nil
}

func (c Config) withDefaults() Config {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.HECToken == "" {
		c.HECToken = newGUID()
	}
	if c.PageToken == "" {
		c.PageToken = randomHex(16)
	}
	if c.MaxRecords <= 0 {
		c.MaxRecords = defaultMaxRecords
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = defaultMaxBytes
	}
	return c
}

// checkLoopback refuses what other machines could reach. Names other than
// localhost are refused too: what they resolve to may change.
func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("reading the console's address %q: %w", addr, err)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("console address %q is not a loopback address: use 127.0.0.1:8088", addr)
}

// Addr returns the address that the console listens on: host:port.
func (c *Console) Addr() string { return c.listener.Addr().String() }

// HECURL returns the collector's base URL: http://127.0.0.1:8088.
func (c *Console) HECURL() string { return "http://" + c.Addr() }

// HECToken returns the token that senders must show.
func (c *Console) HECToken() string { return c.config.HECToken }

// URL returns the page's URL with its token. The first visit turns the token
// into a cookie.
func (c *Console) URL() string { return c.HECURL() + "/?token=" + c.config.PageToken }

// Received counts the records that are stored now.
func (c *Console) Received() Counts { return c.store.received() }

// Detections returns the findings that f selects, newest first.
func (c *Console) Detections(ctx context.Context, f Filter) ([]Detection, error) {
	return c.store.detections(ctx, f, true)
}

// Close stops listening, waits up to two seconds for requests under way, and
// closes the store. It may be called more than once.
func (c *Console) Close() error { return c.close() }

func (c *Console) shutdown() error {
	close(c.done)
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := c.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = c.server.Close()
	}
	if e := <-c.served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serving the console: %w", e))
	}
	return errors.Join(err, c.store.close())
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return hex.EncodeToString(b)
}

// newGUID makes a random GUID (RFC 9562 version 4), the form of Splunk's tokens.
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
