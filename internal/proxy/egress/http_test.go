package egress_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

// TestKeepAlive judges each request of one connection by itself.
func TestKeepAlive(t *testing.T) {
	const rules = `
  default: deny
  rules: [{allow: api.test, methods: [GET], paths: [/v1/*]}]`
	steps := []struct {
		method, path string
		status       int
	}{
		{"GET", "/v1/a", 200}, {"POST", "/v1/a", 403}, {"GET", "/v2", 403}, {"GET", "/v1/../v2", 403}, {"GET", "/v1/b", 200},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			g := newGate(t, "mode: enforce\negress:"+hosts+inspecting+rules, nil)
			w := new(witness)
			s := way.server(t, w)
			c := way.client(g)
			for _, step := range steps {
				r, err := http.NewRequestWithContext(t.Context(), step.method, s.url("api.test", step.path), nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := c.Do(r)
				if err != nil {
					t.Fatalf("%s %s: %v", step.method, step.path, err)
				}
				_, _ = io.Copy(io.Discard, resp.Body) // else the connection is not used again
				_ = resp.Body.Close()
				if resp.StatusCode != step.status {
					t.Errorf("%s %s: status %s, want %d", step.method, step.path, resp.Status, step.status)
				}
				if incident := resp.Header.Get("X-Gatehouse-Incident"); (incident != "") != (step.status == 403) {
					t.Errorf("%s %s: incident %q", step.method, step.path, incident)
				}
			}
			if _, n := w.saw(); n != 2 {
				t.Errorf("%d requests reached the server, want 2", n)
			}
			c.CloseIdleConnections()
			blocked := 0
			for _, r := range g.await(record.Connection, 3) {
				if r.Action == "blocked" {
					blocked++
				}
				if n := len(r.Requests); n == 0 || r.Requests[0].Status == 0 || r.Requests[n-1].Status == 0 {
					t.Errorf("requests %v", r.Requests)
				}
			}
			if blocked != 3 {
				t.Errorf("%d records of a refusal, want 3", blocked)
			}
		})
	}
}

// TestUnverifiable lets nothing through on the promise of an inspection that
// does not come.
func TestUnverifiable(t *testing.T) {
	const rules = `
  default: deny
  rules: [{allow: [api.test, third.test], methods: [GET]}]`
	echo := echoServer(t)
	g := newGate(t, "mode: enforce\negress:"+hosts+inspecting+rules, nil)
	c := g.tunnel("api.test:" + echo) // not TLS: its requests cannot be seen
	_, _ = c.Write([]byte("plain"))   // the reading says
	if got, _ := io.ReadAll(c); strings.Contains(string(got), "plain") {
		t.Errorf("got %q", got)
	}
	bypassed := g.dial("CONNECT third.test:443 HTTP/1.1\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(bypassed), nil); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("response %v, %v", resp, err)
	}
}

// TestFronting asks inside an inspected connection for a host other than the
// connection's.
func TestFronting(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			g := newGate(t, "mode: enforce\negress:"+hosts+inspecting+"\n  rules: [{deny: other.test}]", nil)
			w := new(witness)
			s := way.server(t, w)
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url("api.test", "/"), nil)
			r.Host = "other.test"
			resp, err := way.client(g).Do(r)
			if err != nil || resp.StatusCode != http.StatusForbidden {
				t.Errorf("response %v, %v", resp, err)
			}
			if saw, n := w.saw(); n > 0 {
				t.Errorf("the server saw %q", saw)
			}
		})
	}
}

func TestFaithful(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
			s := way.server(t, http.HandlerFunc(peculiar))
			c := way.client(g)
			c.Transport.(*http.Transport).DisableCompression = true
			t.Run("head", func(t *testing.T) { head(t, c, s.url("api.test", "/length")) })
			t.Run("trailers", func(t *testing.T) { trailers(t, c, s.url("api.test", "/trailers")) })
			t.Run("stream", func(t *testing.T) { stream(t, c, s.url("api.test", "/stream")) })
			t.Run("early hints", func(t *testing.T) { hints(t, c, s.url("api.test", "/hints")) })
			t.Run("bare", func(t *testing.T) { bare(t, c, s.url("api.test", "/bare")) })
			t.Run("gzip", func(t *testing.T) { zipped(t, c, s.url("api.test", "/gzip")) })
			t.Run("torn", func(t *testing.T) { torn(t, c, s.url("api.test", "/torn")) })
			t.Run("100-continue", func(t *testing.T) { expect(t, c, s.url("api.test", "/refuse")) })
			t.Run("headers", func(t *testing.T) { headers(t, c, s.url("api.test", "/headers")) })
		})
	}
}

// peculiar answers as servers in the field do.
func peculiar(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w).Flush
	h := w.Header()
	switch r.URL.Path {
	case "/length":
		h.Set("Content-Length", "12345")
	case "/trailers":
		h.Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		h.Set("X-Sum", "42")
		h.Set(http.TrailerPrefix+"X-Late", "43")
	case "/stream":
		_ = http.NewResponseController(w).EnableFullDuplex()
		for i := range 3 {
			fmt.Fprintf(w, "event %d\n", i)
			_ = flush()
			if r.Header.Get("X-Wait") != "" {
				_, _ = io.ReadFull(r.Body, make([]byte, 1))
			}
		}
		_, _ = io.Copy(io.Discard, r.Body)
	case "/hints":
		h.Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		h.Set("X-Final", "1")
	case "/bare":
		h["Date"], h["Content-Type"] = nil, nil
		_, _ = io.WriteString(w, "<html>")
	case "/gzip":
		h.Set("X-Asked", r.Header.Get("Accept-Encoding"))
		h.Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, "zipped")
		_ = z.Close()
	case "/torn":
		_, _ = io.WriteString(w, "half")
		_ = flush()
		panic(http.ErrAbortHandler)
	case "/refuse":
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case "/headers":
		for name, values := range r.Header {
			h["X-Got-"+name] = values
		}
	}
}

func head(t *testing.T, c *http.Client, url string) {
	resp, err := c.Head(url)
	if err != nil || resp.ContentLength != 12345 {
		t.Errorf("response %v, %v", resp, err)
	}
}

func trailers(t *testing.T, c *http.Client, url string) {
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if string(body) != "body" || err != nil || resp.Trailer.Get("X-Sum") != "42" || resp.Trailer.Get("X-Late") != "43" {
		t.Errorf("body %q, %v, trailers %v", body, err, resp.Trailer)
	}
}

// stream wants each event before the server may go on.
func stream(t *testing.T, c *http.Client, url string) {
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Wait", "1")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(resp.Body)
	for i := range 3 {
		if line, err := lines.ReadString('\n'); line != fmt.Sprintf("event %d\n", i) {
			t.Fatalf("line %q, %v", line, err)
		}
		_, _ = out.Write([]byte("x")) // the next line says
	}
	_ = out.Close()
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("rest %q, %v", rest, err)
	}
}

func hints(t *testing.T, c *http.Client, url string) {
	var early string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		early = fmt.Sprint(code, h.Get("Link"))
		return nil
	}})
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	resp, err := c.Do(r)
	if err != nil || early != "103</a.css>" || resp.Header.Get("X-Final") != "1" {
		t.Errorf("early %q, response %v, %v", early, resp, err)
	}
}

func bare(t *testing.T, c *http.Client, url string) {
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Date", "Content-Type", "Via", "X-Forwarded-For"} {
		if v, ok := resp.Header[name]; ok {
			t.Errorf("%s: %q was added", name, v)
		}
	}
}

func zipped(t *testing.T, c *http.Client, url string) {
	resp, err := c.Get(url)
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" || resp.Header.Get("X-Asked") != "" {
		t.Fatalf("response %v, %v", resp, err)
	}
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(z); string(body) != "zipped" {
		t.Errorf("body %q, %v", body, err)
	}
}

func torn(t *testing.T, c *http.Client, url string) {
	resp, err := c.Get(url)
	if err != nil {
		return // also a way to say it
	}
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("body %q looks whole", body)
	}
}

func expect(t *testing.T, c *http.Client, url string) {
	var read atomic.Bool
	body := readFunc(func(p []byte) (int, error) { read.Store(true); return len(p), nil })
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, io.LimitReader(body, 1<<20))
	r.ContentLength = 1 << 20
	r.Header.Set("Expect", "100-continue")
	c.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	resp, err := c.Do(r)
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || read.Load() && resp.ProtoMajor == 1 {
		t.Errorf("response %v, %v; body asked for: %v", resp, err, read.Load())
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func headers(t *testing.T, c *http.Client, url string) {
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	r.Header = http.Header{
		"User-Agent": {""}, "X-Two": {"a", "b"}, "Te": {"trailers"},
		"Proxy-Authorization": {"Basic eDp5"}, "Proxy-Connection": {"keep-alive"},
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range resp.Header {
		if name, ok := strings.CutPrefix(name, "X-Got-"); ok && name != "X-Two" && name != "Te" {
			t.Errorf("%s: %q arrived", name, values)
		}
	}
	if got := resp.Header["X-Got-X-Two"]; len(got) != 2 {
		t.Errorf("X-Two: %q", got)
	}
}

// TestMalformed is answered and recorded, whatever the mode.
func TestMalformed(t *testing.T) {
	s := newPlainServer(t, mirror)
	at := "http://api.test:" + s.port + "/ HTTP/1.1\r\nHost: x\r\n"
	tests := []struct {
		name, request string
		status        int
	}{
		{"not HTTP", "nonsense\r\n\r\n", 400},
		{"two lengths", "POST " + at + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"two lengths, the other way", "POST " + at + "transfer-encoding: chunked\r\ncontent-length : 5\r\n\r\n0\r\n\r\n", 400},
		{"lengths that differ", "POST " + at + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
		{"bad chunk", "POST " + at + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", 400},
		{"unknown encoding", "POST " + at + "Transfer-Encoding: rot13\r\n\r\n", 501},
		{"long header", "GET " + at + "X-Long: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", 431},
		{"relative", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		{"https without CONNECT", "GET https://api.test/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGate(t, "mode: monitor\negress:"+hosts, nil)
			c := g.dial("")
			go func() { _, _ = c.Write([]byte(test.request)) }() // it may be reset; the answer says
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || resp.StatusCode != test.status {
				t.Fatalf("response %v, %v; want %d", resp, err, test.status)
			}
			_ = c.Close()
			if r := g.await(record.Connection, 1)[0]; r.Action != "blocked" || !strings.HasPrefix(r.Reason, "egress.malformed-request") {
				t.Errorf("action %q, reason %q", r.Action, r.Reason)
			}
		})
	}
}

// TestPlainHosts asks more hosts over one connection than are kept open.
func TestPlainHosts(t *testing.T) {
	s := newPlainServer(t, hello)
	g := newGate(t, "egress:"+hosts, nil)
	c := g.dial("")
	r := bufio.NewReader(c)
	for i := range 24 {
		fmt.Fprintf(c, "GET http://h%d.test:%s/ HTTP/1.1\r\nHost: x\r\n\r\n", i%12, s.port)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("response %v, %v", resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		if n := g.Active(); n > 8 {
			t.Fatalf("%d active", n)
		}
	}
	_ = c.Close()
	g.await(record.Connection, 24)
}

// TestRequests bounds what one record lists.
func TestRequests(t *testing.T) {
	s := newPlainServer(t, hello)
	g := newGate(t, "egress:"+hosts, nil)
	c := g.client(nil)
	for i := range egress.MaxRequests + 6 {
		get(t, c, s.url("api.test", fmt.Sprint("/", i)), 200)
	}
	get(t, c, s.url("api.test", "/"+strings.Repeat("x", 20<<10)), 200)
	c.CloseIdleConnections()
	r := g.connection()
	if len(r.Requests) != egress.MaxRequests || len(r.URL) > 100 || !strings.HasSuffix(r.URL, "/…") {
		t.Errorf("%d requests, last URL of %d bytes", len(r.Requests), len(r.URL))
	}
}

// TestCloseIdle reports before a freeze and goes on with a new connection.
func TestCloseIdle(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
			s := way.server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }))
			c := way.client(g)
			last := ""
			for i, id := range []string{"one", "two"} {
				g.Guard.Sandbox.Open(proxy.Invocation{RequestID: id})
				from := get(t, c, s.url("api.test", "/"+id), 200)
				if from == last {
					t.Errorf("%s was used again", from)
				}
				last = from
				g.CloseIdle("")
				r := g.await(record.Connection, i+1)[i]
				if r.RequestID != id || !strings.HasSuffix(r.URL, "/"+id) {
					t.Errorf("request id %q, url %q; want %q", r.RequestID, r.URL, id)
				}
				g.Guard.Sandbox.Close(id)
			}
			if n := g.Active(); n != 1 {
				t.Errorf("%d active, want 1", n)
			}
		})
	}
}

// TestShutdown cuts what is left and reports it.
func TestShutdown(t *testing.T) {
	g := newGate(t, "egress:"+hosts, nil)
	g.tunnel("api.test:" + echoServer(t))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := g.Shutdown(ctx); err == nil {
		t.Error("an open tunnel did not count")
	}
	g.connection()
	if n := g.Active(); n != 0 {
		t.Errorf("%d active", n)
	}
}

// TestCounters counts for the one open invocation.
func TestCounters(t *testing.T) {
	g := newGate(t, "mode: enforce\negress:"+hosts+inspecting+"\n  rules: [{deny: other.test}]", nil)
	s := newServer(t, hello)
	g.Guard.Sandbox.Open(proxy.Invocation{RequestID: "one"})
	get(t, g.trusting(), s.url("api.test", "/"), 200)
	get(t, g.client(authority.pool()), s.url("third.test", "/"), 200)
	if _, err := g.trusting().Get(s.url("other.test", "/")); err == nil {
		t.Error("other.test was not refused")
	}
	inv, _ := g.Guard.Sandbox.Close("one")
	if want := (proxy.Counters{Connections: 3, Inspected: 1, Tunnelled: 1, Refused: 1}); inv.Counters != want {
		t.Errorf("%+v, want %+v", inv.Counters, want)
	}
}

// TestCustomersProxy goes through a proxy that wants a password, and TLS perhaps.
func TestCustomersProxy(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) { customersProxy(t, scheme) })
	}
}

func customersProxy(t *testing.T, scheme string) {
	corporate := newGate(t, "egress:"+hosts, nil)
	var asked []string
	front := startServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Header.Get("Proxy-Authorization"))
		if r.Method == http.MethodConnect && strings.HasPrefix(r.Host, "locked.") {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		corporate.ServeHTTP(w, r)
	}, scheme == "https", "localhost")
	via := &url.URL{Scheme: scheme, Host: "localhost:" + front.port, User: url.UserPassword("me", "hunter2")}
	secure, plain := newServer(t, hello), newPlainServer(t, hello)
	for _, inspect := range []string{"", inspecting} {
		asked = nil
		g := newGate(t, "mode: enforce\negress:\n  default: allow"+inspect, func(p *egress.Proxy) {
			p.Upstream = func(_, host string, _ int) *url.URL {
				if host == "third.test" {
					return nil
				}
				return via
			}
			p.Resolve = func(context.Context, string) ([]netip.Addr, error) { return nil, fmt.Errorf("resolved here") }
		})
		c := g.client(authority.pool())
		if inspect != "" {
			c = g.trusting()
		}
		get(t, c, secure.url("api.test", "/"), 200)
		get(t, c, plain.url("api.test", "/"), 200)
		const auth = "Basic bWU6aHVudGVyMg=="
		if got := strings.Join(asked, ","); got != "CONNECT "+auth+",GET "+auth {
			t.Errorf("the proxy was asked %q", got)
		}
		get(t, c, plain.url("third.test", "/"), 502)
		if _, err := c.Get("https://locked.test/"); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v", err)
		}
		resp := g.dial("CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n")
		if r, err := http.ReadResponse(bufio.NewReader(resp), nil); err != nil || r.StatusCode != http.StatusForbidden {
			t.Errorf("metadata through the proxy: %v, %v", r, err)
		}
	}
}

// TestOffNeedsNothing serves with no more than Off.
func TestOffNeedsNothing(t *testing.T) {
	p := &egress.Proxy{Off: func() bool { return true }}
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	plain, secure := newPlainServer(t, hello), newServer(t, hello)
	for _, request := range []string{
		"GET http://127.0.0.1:" + plain.port + "/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"CONNECT 127.0.0.1:" + secure.port + " HTTP/1.1\r\n\r\n",
		"nonsense\r\n\r\n",
		"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n",
	} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, request) // the answer says
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Errorf("%q: %v", request, err)
		}
		_ = c.Close()
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil || p.Recovered() > 0 {
		t.Errorf("%v, %d panics", err, p.Recovered())
	}
}

// TestRecovered breaks a scanner: one connection is lost and counted.
func TestRecovered(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			bad := make(chan bool, 1)
			g := newGate(t, "egress:"+hosts+inspecting, func(p *egress.Proxy) {
				p.Guard.Scanner = func(o detect.Outlet) detect.Scanner {
					if o.Place == "body" {
						select {
						case <-bad:
							return broken{}
						default:
						}
					}
					return nil
				}
			})
			s := way.server(t, http.HandlerFunc(mirror))
			c := way.client(g)
			bad <- true
			resp, err := c.Post(s.url("api.test", "/"), "text/plain", strings.NewReader("x"))
			if err == nil && resp.StatusCode < 500 {
				t.Errorf("status %s", resp.Status)
			}
			if n := g.forgive(); n != 1 {
				t.Errorf("%d panics were counted, want 1", n)
			}
			resp, err = c.Post(s.url("api.test", "/"), "text/plain", strings.NewReader("x"))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("after that: %v, %v", resp, err)
			}
		})
	}
}

type broken struct{}

func (broken) Write([]byte) (int, *detect.Finding) { panic("broken") }
func (broken) Flush() (int, *detect.Finding)       { return 0, nil }
func (broken) Close() *detect.Finding              { return nil }
