package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

const (
	// clients is how many clients load a proxy at once.
	clients = 8
	// turn is how long each proxy is loaded at a time.
	turn = time.Second
)

// load is one way to load a proxy. It returns how much was done in a turn.
type load struct {
	name, unit string
	scale      float64 // of what is done, for the unit
	do         func(ctx context.Context, c *caller) (int64, error)
}

var loads = []load{
	{"new connections", "1/s", 1, connections},
	{"download", "MB/s", 1e-6, download},
	{"upload", "MB/s", 1e-6, upload},
	{"requests", "1/s", 1, requests},
}

// caller is a client of the function's.
type caller struct {
	proxy  string // host:port; "" goes directly
	target string
	tls    *tls.Config
}

func newCaller(proxy, target string, roots *x509.CertPool) *caller {
	return &caller{proxy: proxy, target: target, tls: &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}}}
}

// dial opens a connection to the target as clients do through a proxy.
func (c *caller) dial(ctx context.Context) (net.Conn, error) {
	conn, err := c.reach(ctx)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	secure := tls.Client(conn, c.tls)
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return secure, nil
}

// reach opens a connection to the target on which nothing was said yet.
func (c *caller) reach(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	at := c.proxy
	if at == "" {
		at = c.target
	}
	conn, err := d.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, err
	}
	if c.proxy == "" {
		return conn, nil
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if err := c.connect(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, conn.SetDeadline(time.Time{})
}

func (c *caller) connect(conn net.Conn) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", c.target, c.target); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return fmt.Errorf("CONNECT: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("CONNECT: %s", resp.Status)
	}
	return nil
}

// connections opens one connection after the other, with one request each.
func connections(ctx context.Context, c *caller) (n int64, err error) {
	for ctx.Err() == nil {
		conn, err := c.dial(context.Background())
		if err != nil {
			return n, err
		}
		err = get(conn, c.target)
		conn.Close()
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// get asks for a small answer and reads it, no further than it goes.
func get(conn net.Conn, target string) error {
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET: %s", resp.Status)
	}
	return err
}

// download receives for a turn over one connection.
func download(ctx context.Context, c *caller) (int64, error) {
	conn, err := c.dial(context.Background())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET /stream HTTP/1.1\r\nHost: %s\r\n\r\n", c.target); err != nil {
		return 0, err
	}
	var n int64
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		k, err := conn.Read(buf)
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// client is one keep-alive HTTP client.
func (c *caller) client() *http.Client {
	t := &http.Transport{TLSClientConfig: c.tls, MaxIdleConnsPerHost: 1}
	if c.proxy != "" {
		t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: c.proxy})
	}
	return &http.Client{Transport: t, Timeout: 30 * time.Second}
}

// upload sends a body for a turn over one connection.
func upload(ctx context.Context, c *caller) (int64, error) {
	client := c.client()
	defer client.CloseIdleConnections()
	return post(client, c.target, &endless{ctx: ctx})
}

// requests sends one after the other, of 1 KB each, over one connection.
func requests(ctx context.Context, c *caller) (n int64, err error) {
	client := c.client()
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		if _, err := post(client, c.target, bytes.NewReader(piece[:1<<10])); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// post returns how much of body arrived.
func post(client *http.Client, target string, body io.Reader) (int64, error) {
	r, err := http.NewRequest(http.MethodPost, "https://"+target+"/v1/orders?source=bench", body)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer of-no-secret")
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", resp.Status, text)
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(text), 10, 64)
}

// endless gives JSON text until its context ends.
type endless struct {
	ctx context.Context
	at  int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.ctx.Err() != nil {
		return 0, io.EOF
	}
	n := copy(p, piece[e.at:])
	e.at = (e.at + n) % len(piece)
	return n, nil
}

// run loads c's proxy for one turn with all clients, and returns what was done in a
// second.
func (l *load) run(c *caller) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), turn)
	defer cancel()
	began := time.Now()
	var mu sync.Mutex
	var sum int64
	var failed error
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			n, err := l.do(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			sum += n
			if err != nil && failed == nil {
				failed = err
			}
		})
	}
	all.Wait()
	return float64(sum) * l.scale / time.Since(began).Seconds(), failed
}
