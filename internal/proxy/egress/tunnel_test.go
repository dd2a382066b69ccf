package egress_test

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/detect/leak"
	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.Proto)
}

func TestTunnel(t *testing.T) {
	g := newGate(t, "mode: enforce\negress:"+hosts, nil)
	s := newServer(t, hello)
	c := g.client(authority.pool())
	body := get(t, c, s.url("api.test", "/x"), 200)
	if want := "GET api.test:" + s.port + " HTTP/2.0"; body != want {
		t.Errorf("got %q, want %q", body, want)
	}
	c.CloseIdleConnections()
	r := g.connection()
	if r.Dest != "api.test" || r.DestIP != "127.0.0.1" || fmt.Sprint(r.DestPort) != s.port || r.SNI != "api.test" {
		t.Errorf("dest %q %q %d, sni %q", r.Dest, r.DestIP, r.DestPort, r.SNI)
	}
	if !ja4.MatchString(r.JA4) || r.ECH {
		t.Errorf("ja4 %q, ech %v", r.JA4, r.ECH)
	}
	if r.TLSVersion != "1.3" || r.ALPN != "h2,http/1.1" || r.Via != "connect" || *r.Decrypted {
		t.Errorf("tls %q, alpn %q, via %q, inspected %v", r.TLSVersion, r.ALPN, r.Via, *r.Decrypted)
	}
	if r.Action != "allowed" || r.WouldAction != "allowed" || r.Verdict != "allow" || r.ID == "" {
		t.Errorf("action %q, would %q, verdict %q, id %q", r.Action, r.WouldAction, r.Verdict, r.ID)
	}
	if r.BytesIn < 500 || r.BytesOut < 300 || r.DurationMS <= 0 {
		t.Errorf("%d bytes in, %d out, %v ms", r.BytesIn, r.BytesOut, r.DurationMS)
	}
}

func get(t *testing.T, c *http.Client, url string, status int) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s: status %d, want %d: %s", url, resp.StatusCode, status, body)
	}
	return string(body)
}

// TestConnectForms sends what clients in the field send.
func TestConnectForms(t *testing.T) {
	echo := echoServer(t)
	tests := []struct{ name, request string }{
		{"HTTP/1.1", "CONNECT api.test:%s HTTP/1.1\r\nHost: api.test:%[1]s\r\n\r\n"},
		{"HTTP/1.0 without Host, as urllib", "CONNECT api.test:%s HTTP/1.0\r\n\r\n"},
		{"HTTP/1.1 without Host", "CONNECT api.test:%s HTTP/1.1\r\n\r\n"},
		{"upper case", "CONNECT API.TEST:%s HTTP/1.1\r\nHost: API.TEST\r\n\r\n"},
		{"trailing dot", "CONNECT api.test.:%s HTTP/1.1\r\nHost: api.test.\r\n\r\n"},
		{"IPv4 literal", "CONNECT 127.0.0.1:%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"},
		{"IPv4 in IPv6", "CONNECT [::ffff:127.0.0.1]:%s HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"headers for the proxy", "CONNECT api.test:%s HTTP/1.1\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\n\r\n"},
		{"first bytes at once", "CONNECT api.test:%s HTTP/1.1\r\n\r\nping"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGate(t, "mode: enforce\negress:"+hosts, nil)
			request := fmt.Sprintf(test.request, echo)
			c := g.dial(request)
			r := bufio.NewReader(c)
			resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("response %v, error %v", resp, err)
			}
			if want := request[strings.Index(request, "HTTP/"):][:8]; resp.Proto != want {
				t.Errorf("answered as %s, asked as %s", resp.Proto, want)
			}
			if !strings.HasSuffix(request, "ping") {
				_, _ = c.Write([]byte("ping")) // the reading below says
			}
			_ = c.(*net.TCPConn).CloseWrite()
			if got, err := io.ReadAll(r); string(got) != "echo:ping" {
				t.Errorf("got %q, %v", got, err)
			}
			if r := g.connection(); r.BytesOut != 4 || r.BytesIn != 9 || r.SNI != "" {
				t.Errorf("%d bytes out, %d in, sni %q", r.BytesOut, r.BytesIn, r.SNI)
			}
		})
	}
}

// echoServer speaks first, then echoes until its client is through.
func echoServer(t *testing.T) (port string) {
	t.Helper()
	l := listen(t)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Write([]byte("echo:"))
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func TestRefusals(t *testing.T) {
	s := newServer(t, hello)
	own := listen(t)
	defer own.Close()
	_, ownPort, _ := net.SplitHostPort(own.Addr().String())
	const deny = "  rules: [{deny: other.test, reason: no business there}]"
	tests := []struct {
		name, mode, target string
		status             int
		rule               string
	}{
		{"allowed", "enforce", "api.test:" + s.port, 200, ""},
		{"denied by rule", "enforce", "other.test:" + s.port, 403, "egress.rule"},
		{"denied by rule, monitored", "monitor", "other.test:" + s.port, 200, "egress.rule"},
		{"metadata by name", "enforce", "metadata.test:80", 403, "egress.metadata-service"},
		{"metadata by name, monitored", "monitor", "metadata.test:80", 403, "egress.metadata-service"},
		{"metadata by address", "monitor", "169.254.169.254:80", 403, "egress.metadata-service"},
		{"metadata in IPv6", "monitor", "[::ffff:a9fe:a9fe]:80", 403, "egress.metadata-service"},
		{"loopback by name", "enforce", "rebound.test:" + s.port, 403, "egress.loopback-by-name"},
		{"own listener", "monitor", "127.0.0.1:" + ownPort, 403, "egress.own-listener"},
		{"own listener by name", "monitor", "rebound.test:" + ownPort, 403, "egress.own-listener"},
		{"no such host", "enforce", "nowhere.example:443", 502, ""},
		{"nobody listens", "enforce", "api.test:1", 502, ""},
		{"no port", "enforce", "nowhere.example", 502, ""},
		{"bad port", "enforce", "api.test:99999", 400, "egress.malformed-request"},
		{"bad host", "enforce", "a_%2f.test:1", 400, "egress.malformed-request"},
		{"a secret in the name", "enforce", nameable + ".test:1", 403, leak.RuleOwnSecret},
		{"a secret in the name, in lower case", "enforce", strings.ToLower(nameable) + ".test:1", 403, leak.RuleOwnSecret},
		{"a secret in the name, monitored", "monitor", nameable + ".test:1", 502, leak.RuleOwnSecret},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGate(t, "mode: "+test.mode+"\negress:"+hosts+"\n"+deny, func(p *egress.Proxy) {
				p.Guard.Own = []string{own.Addr().String()}
			})
			c := g.dial("CONNECT " + test.target + " HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status {
				t.Fatalf("status %s, want %d", resp.Status, test.status)
			}
			_ = c.Close()
			r := g.connection()
			if !strings.HasPrefix(r.Reason, test.rule) {
				t.Errorf("reason %q, want %q", r.Reason, test.rule)
			}
			if test.rule != "" && r.WouldAction != "blocked" || test.rule == "" && r.WouldAction != "allowed" {
				t.Errorf("would_action %q with rule %q", r.WouldAction, test.rule)
			}
			if test.status == 403 {
				id := r.ID
				if test.rule == leak.RuleOwnSecret {
					id = g.await(record.Leak, 1)[0].ID
				}
				want := "403 Forbidden gatehouse " + test.rule + " " + id
				if resp.Status != want || resp.Header.Get("X-Gatehouse-Incident") != id || r.Action != "blocked" {
					t.Errorf("status %q, incident %q; want %q; action %q", resp.Status, resp.Header.Get("X-Gatehouse-Incident"), want, r.Action)
				}
			}
		})
	}
}

func TestServerName(t *testing.T) {
	s := newServer(t, hello)
	tests := []struct {
		name, mode, sni string
		refused         bool
		rule            string
	}{
		{"the same", "enforce", "api.test", false, ""},
		{"the same in upper case", "enforce", "API.test", false, ""},
		{"none", "enforce", "", false, ""},
		{"another", "enforce", "third.test", true, "egress.sni-mismatch"},
		{"a denied one", "enforce", "other.test", true, "egress.rule"},
		{"a denied one, monitored", "monitor", "other.test", false, "egress.rule"},
	}
	for _, test := range tests {
		for _, step := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s/%d", test.name, step), func(t *testing.T) {
				g := newGate(t, "mode: "+test.mode+"\negress:"+hosts+"\n  rules: [{deny: other.test}]", nil)
				raw := g.tunnel("api.test:" + s.port)
				c := tls.Client(dribble{raw, step}, &tls.Config{ServerName: test.sni, InsecureSkipVerify: true})
				err := c.Handshake()
				if denied := err != nil && strings.Contains(err.Error(), "access denied"); denied != test.refused {
					t.Fatalf("handshake: %v, want refused %v", err, test.refused)
				}
				_ = raw.Close()
				r := g.connection()
				if r.SNI != strings.ToLower(test.sni) || !strings.HasPrefix(r.Reason, test.rule) {
					t.Errorf("sni %q, reason %q", r.SNI, r.Reason)
				}
				if test.refused && (r.Action != "blocked" || r.BytesOut != 0) {
					t.Errorf("action %q, %d bytes out", r.Action, r.BytesOut)
				}
			})
		}
	}
}

// tunnel opens a CONNECT tunnel.
func (g *gate) tunnel(target string) net.Conn {
	g.t.Helper()
	c := g.dial("CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n")
	const want = "HTTP/1.1 200 Connection established\r\n\r\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		g.t.Fatalf("CONNECT: %q, %v", got, err)
	}
	return c
}

// dribble writes step bytes at a time; 0 writes all at once.
type dribble struct {
	net.Conn
	step int
}

func (d dribble) Write(p []byte) (n int, err error) {
	if d.step == 0 {
		return d.Conn.Write(p)
	}
	for n < len(p) && err == nil {
		var m int
		m, err = d.Conn.Write(p[n:min(n+d.step, len(p))])
		n += m
	}
	return n, err
}

// TestBadHello hides the server name in something that only begins like TLS.
func TestBadHello(t *testing.T) {
	for _, mode := range []string{"enforce", "monitor"} {
		t.Run(mode, func(t *testing.T) {
			echo := echoServer(t)
			g := newGate(t, "mode: "+mode+"\negress:"+hosts, nil)
			c := g.tunnel("api.test:" + echo)
			_, _ = c.Write([]byte("\x16\x03\x01\x00\x05nonsense")) // the record says
			_ = c.(*net.TCPConn).CloseWrite()
			got, _ := io.ReadAll(c)
			r := g.connection()
			if !strings.HasPrefix(r.Reason, "egress.malformed-hello") || r.WouldAction != "blocked" {
				t.Errorf("reason %q, would %q", r.Reason, r.WouldAction)
			}
			if passed := strings.Contains(string(got), "nonsense"); passed != (mode == "monitor") {
				t.Errorf("got %q in %s mode", got, mode)
			}
		})
	}
}

func TestHalted(t *testing.T) {
	g := newGate(t, "mode: enforce\negress:"+hosts, nil)
	s := newServer(t, hello)
	g.Guard.Sandbox.Halt()
	_, err := g.client(authority.pool()).Get(s.url("api.test", "/"))
	if err == nil || !strings.Contains(err.Error(), "egress.halted") {
		t.Errorf("error %v", err)
	}
}

// TestBigTunnel moves 100 MB each way.
func TestBigTunnel(t *testing.T) {
	const size = 100 << 20
	g := newGate(t, "mode: enforce\negress:"+hosts, nil)
	s := newServer(t, mirror)
	moveMuch(t, g.client(authority.pool()), s.url("api.test", "/"), size)
}

// mirror answers with what it gets.
func mirror(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	_, _ = io.Copy(w, r.Body)
}

func moveMuch(t *testing.T, c *http.Client, url string, size int64) {
	t.Helper()
	sent, got := sha256.New(), sha256.New()
	resp, err := c.Post(url, "application/octet-stream", io.TeeReader(&noise{left: size}, sent))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(got, resp.Body)
	if err != nil || n != size {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if string(sent.Sum(nil)) != string(got.Sum(nil)) {
		t.Error("hashes differ")
	}
}

// noise is left bytes that repeat at no short distance.
type noise struct {
	left int64
	once sync.Once
	page []byte
}

func (s *noise) Read(p []byte) (int, error) {
	s.once.Do(func() {
		s.page = make([]byte, 1<<20-1)
		_, _ = rand.Read(s.page)
	})
	if s.left == 0 {
		return 0, io.EOF
	}
	at := s.left % int64(len(s.page))
	n := copy(p[:min(int64(len(p)), s.left)], s.page[at:])
	s.left -= int64(n)
	return n, nil
}

// TestLeakInPlainTunnel leaks through CONNECT and no TLS, as curl -p does: what is
// there to be read is read, whether TLS is inspected or not.
func TestLeakInPlainTunnel(t *testing.T) {
	tests := []struct {
		mode, policy, greeting string
		step                   int // bytes of one write
		arrives                bool
	}{
		{"enforce", "", "", 1 << 10, false},
		{"enforce", inspecting, "", 1 << 10, false},
		{"enforce", inspecting, "220 ready\r\n", 1 << 10, false},
		{"enforce", "", "", 1, false},
		{"monitor", inspecting, "", 1 << 10, true},
		{"monitor", "", "220 ready\r\n", 1, true},
	}
	for _, test := range tests {
		g := newGate(t, "mode: "+test.mode+"\negress:"+hosts+test.policy, nil)
		l := listen(t)
		got := make(chan string, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, test.greeting) // the client says
			all, _ := io.ReadAll(c)                 // what was cut short counts, too
			got <- string(all)
			_ = c.Close()
		}()
		c := g.tunnel("api.test:" + portOf(l.Addr()))
		heard := make([]byte, len(test.greeting))
		if _, err := io.ReadFull(c, heard); err != nil || string(heard) != test.greeting {
			t.Fatalf("%+v: the greeting is %q, %v", test, heard, err)
		}
		said := []byte("GET /?d=" + secret + " HTTP/1.1\r\nHost: api.test\r\n\r\n")
		for part := range slices.Chunk(said, test.step) {
			_, _ = c.Write(part) // it may be cut meanwhile
		}
		_ = c.(*net.TCPConn).CloseWrite() // the server says
		switch all := <-got; {
		case test.arrives && all != string(said):
			t.Errorf("%+v: the server saw %q", test, all)
		case !test.arrives && strings.Contains(all, secret[:8]):
			t.Errorf("%+v: the server saw %q", test, all)
		}
		_ = c.Close()
		if r := g.await("leak", 1)[0]; r.Path != "body" || r.Dest != "api.test" || r.Action == "blocked" == test.arrives {
			t.Errorf("%+v: leak at %q to %q, %s", test, r.Path, r.Dest, r.Action)
		}
		if r := g.connection(); r.Action == "blocked" == test.arrives || test.arrives && r.BytesOut != int64(len(said)) {
			t.Errorf("%+v: connection %s, %d bytes out", test, r.Action, r.BytesOut)
		}
		_ = l.Close()
	}
}

// TestHalfClose lets the client end first, and the server answer after.
func TestHalfClose(t *testing.T) {
	l := listen(t)
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		all, _ := io.ReadAll(c)
		_, _ = fmt.Fprintf(c, "%d bytes", len(all))
	}()
	g := newGate(t, "mode: enforce\negress:"+hosts, nil)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c := g.tunnel("api.test:" + port)
	_, _ = c.Write(make([]byte, 1000)) // the answer says
	_ = c.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "1000 bytes" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOffAndRelay(t *testing.T) {
	s := newServer(t, hello)
	deny := "mode: enforce\negress: {default: deny}"
	tests := []struct {
		name   string
		change func(*egress.Proxy)
	}{
		{"off", func(p *egress.Proxy) { p.Off = func() bool { return true } }},
		{"runtime API", func(p *egress.Proxy) { p.RuntimeAPI = "127.0.0.1:" + s.port }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGate(t, deny, test.change)
			get(t, g.client(authority.pool()), s.url("127.0.0.1", "/"), 200)
			plain := newPlainServer(t, hello)
			if test.name == "runtime API" {
				g2 := newGate(t, deny, func(p *egress.Proxy) { p.RuntimeAPI = "127.0.0.1:" + plain.port })
				rawGet(t, g2, plain)
				g = g2
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			if len(g.records) > 0 {
				t.Errorf("%d records", len(g.records))
			}
		})
	}
}

// rawGet asks a loopback address through the proxy, which Go's client would not.
func rawGet(t *testing.T, g *gate, s *server) {
	t.Helper()
	c := g.dial("GET http://127.0.0.1:" + s.port + "/2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if got, err := io.ReadAll(c); !strings.HasPrefix(string(got), "HTTP/1.1 200") {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestTooMany fills the table of flows.
func TestTooMany(t *testing.T) {
	echo := echoServer(t)
	g := newGate(t, "mode: enforce\negress:"+hosts, func(p *egress.Proxy) { p.MaxFlows = 2 })
	g.tunnel("api.test:" + echo)
	second := g.tunnel("api.test:" + echo)
	c := g.dial("CONNECT api.test:" + echo + " HTTP/1.1\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("response %v, error %v", resp, err)
	}
	if n := g.Active(); n != 2 {
		t.Errorf("%d active, want 2", n)
	}
	_ = second.Close()
	for deadline := time.Now().Add(5 * time.Second); g.Active() != 1; {
		if time.Now().After(deadline) {
			t.Fatalf("%d active, want 1", g.Active())
		}
		time.Sleep(time.Millisecond) // polling
	}
}

func portOf(a net.Addr) string { return a.String()[strings.LastIndexByte(a.String(), ':')+1:] }
