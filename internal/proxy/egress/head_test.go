package egress_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

// Whatever two readers could take for the end of a request, the server gets one
// request that ends in one place, or nothing at all.
func TestOneReading(t *testing.T) {
	const (
		hidden = "GET /hidden HTTP/1.1\r\nHost: api.test\r\n\r\n"
		chunks = "5\r\nhello\r\n0\r\n\r\n"
	)
	tests := []struct {
		name, head, body string
		status           int    // of the first answer
		arrives          string // the body that the server gets, where it gets one
	}{
		{"a plus in the length", "Content-Length: +5\r\n", "hello" + hidden, 400, ""},
		{"a length in hexadecimal", "Content-Length: 0x5\r\n", "hello" + hidden, 400, ""},
		{"a negative length", "Content-Length: -5\r\n", "hello" + hidden, 400, ""},
		{"a list of lengths", "Content-Length: 5, 5\r\n", "hello", 400, ""},
		{"a length twice, the same", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello", 200, "hello"},
		{"an unknown encoding that begins like one", "Transfer-Encoding: xchunked\r\n", chunks + hidden, 501, ""},
		{"an encoding twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks + hidden, 501, ""},
		{"two encodings", "Transfer-Encoding: chunked, identity\r\n", chunks + hidden, 501, ""},
		{"a vertical tab before the encoding", "Transfer-Encoding: \x0bchunked\r\n", chunks + hidden, 400, ""},
		{"a space before the colon", "Transfer-Encoding : chunked\r\n", chunks + hidden, 400, ""},
		{"an encoding on a folded line", "Transfer-Encoding:\r\n chunked\r\n", chunks, 200, "hello"},
		{"NUL in a value", "X-A: a\x00b\r\n", "", 400, ""},
		{"CR in a value", "X-A: a\rContent-Length: 5\r\n", "", 400, ""},
		{"no colon", "X-A\r\n", "", 400, ""},
		{"a name with a space", "X A: 1\r\n", "", 400, ""},
		{"lines that end in LF", "Content-Length: 5\nX-A: b\n", "hello", 200, "hello"},
		{"a chunk's size with a plus", "Transfer-Encoding: chunked\r\n", "+5\r\nhello\r\n0\r\n\r\n", 400, ""},
		{"a chunk's size with 0x", "Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n", 400, ""},
		{"a chunk's size that ends in LF", "Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n", 400, ""},
		{"a chunk longer than it says", "Transfer-Encoding: chunked\r\n", "3\r\nhello\r\n0\r\n\r\n", 400, ""},
		{"a chunk's size beyond 64 bits", "Transfer-Encoding: chunked\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n", 400, ""},
		{"a chunk with an extension", "Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n", 200, "hello"},
		{"a chunk with a huge extension", "Transfer-Encoding: chunked\r\n", "5;a=" + strings.Repeat("b", 64<<10) + "\r\nhello\r\n0\r\n\r\n", 400, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newPlainServer(t, mirror)
			g := newGate(t, "mode: enforce\negress:"+hosts, nil)
			c := g.dial("")
			request := "POST http://api.test:" + s.port + "/ HTTP/1.1\r\nHost: api.test\r\n" + test.head + "\r\n" + test.body
			go func() { _, _ = c.Write([]byte(request)) }() // it may be reset; the answer says
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || resp.StatusCode != test.status {
				t.Fatalf("response %v, %v; want %d", resp, err, test.status)
			}
			if body, err := io.ReadAll(resp.Body); test.status == 200 && (err != nil || string(body) != test.arrives) {
				t.Errorf("the server got %q, %v; want %q", body, err, test.arrives)
			}
			_ = c.Close()
			if strings.Contains(s.received(), "hidden") {
				t.Errorf("the server got %q", s.received())
			}
			r := g.await(record.Connection, 1)[0]
			if refused := strings.HasPrefix(r.Reason, "egress.malformed-request"); refused != (test.status != 200) {
				t.Errorf("action %q, reason %q", r.Action, r.Reason)
			}
		})
	}
}

// A request behind another in the same packet is judged like any other.
func TestPipelined(t *testing.T) {
	s := newPlainServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	g := newGate(t, "mode: enforce\negress:"+hosts+"\n  rules: [{deny: other.test}, {deny: api.test, paths: [/denied]}]", nil)
	at := func(host, path string) string {
		return "GET http://" + host + ":" + s.port + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
	}
	c := g.dial(at("api.test", "/one") + at("api.test", "/denied") + at("other.test", "/two") + at("third.test", "/three"))
	r := bufio.NewReader(c)
	for _, want := range []struct {
		status int
		body   string
	}{{200, "/one"}, {403, ""}, {403, ""}, {200, "/three"}} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want.status || want.body != "" && string(body) != want.body {
			t.Errorf("%d %q, %v; want %d %q", resp.StatusCode, body, err, want.status, want.body)
		}
	}
	if got := s.received(); strings.Contains(got, "/denied") || strings.Contains(got, "/two") {
		t.Errorf("the server got %q", got)
	}
}

// A name is looked up once for each dial, and what is dialled is what was judged: an
// answer that changes changes nothing before the next dial, which is judged anew.
func TestRebinding(t *testing.T) {
	echo := echoServer(t)
	var asked atomic.Int32
	g := newGate(t, "mode: enforce", func(p *egress.Proxy) {
		p.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			if asked.Add(1) == 1 {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("::ffff:169.254.169.254"), netip.MustParseAddr("127.0.0.1")}, nil
		}
	})
	ask := func() *http.Response {
		c := g.dial("CONNECT app.localhost:" + echo + " HTTP/1.1\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		return resp
	}
	if first := ask(); first.StatusCode != http.StatusOK || asked.Load() != 1 {
		t.Errorf("%s after %d look-ups, want 200 after one", first.Status, asked.Load())
	}
	if second := ask(); !strings.HasPrefix(second.Status, "403 Forbidden gatehouse egress.metadata-service") || asked.Load() != 2 {
		t.Errorf("%s after %d look-ups, want the metadata service refused after two", second.Status, asked.Load())
	}
	for _, r := range g.await(record.Connection, 2) {
		if want := map[string]string{"allowed": "127.0.0.1", "blocked": "169.254.169.254"}[r.Action]; strings.TrimPrefix(r.DestIP, "::ffff:") != want {
			t.Errorf("%s: recorded %q, want %q", r.Action, r.DestIP, want)
		}
	}
}

// FuzzHead sends whatever it is to the proxy, behind which is one host. What arrives
// there must be requests that a strict reader takes for such, for that host, and free
// of the secret; and whatever comes, the proxy must go on.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n\r\n",
		"POST http://api.test/a?b HTTP/1.1\r\nHost: api.test\r\nContent-Length: 5\r\n\r\nhello",
		"POST http://api.test/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-A: 1\r\n\r\n",
		"POST http://api.test/ HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET http://api.test/ HTTP/1.1\r\n\r\n",
		"GET http://api.test/ HTTP/1.0\r\nConnection: keep-alive, X-B\r\nX-B: " + secret + "\r\n\r\n",
		"CONNECT api.test:80 HTTP/1.1\r\nHost: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
		"GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x85abcd",
		"GET http://a@api.test:80/%2e%2e HTTP/1.1\r\nExpect: 100-continue\r\nX-A:\r\n b\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: api.test\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	s := newStrict(f)
	g := newGate(f, "mode: enforce\negress:\n  default: deny\n  hosts: {api.test: '"+s.addr+"'}\n  rules: [{allow: api.test}]", nil)
	f.Fuzz(func(t *testing.T, raw []byte) {
		s.blind.Store(bytes.Contains(raw, []byte("CONNECT")))
		c, err := net.Dial("tcp", g.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		go func() { _, _ = c.Write(raw); _ = c.(*net.TCPConn).CloseWrite() }() // ends with c
		got, err := io.ReadAll(c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%q: no end; so far %q", raw, got)
		}
		if len(got) > 0 && !bytes.HasPrefix(got, []byte("HTTP/1.")) {
			t.Fatalf("%q: answered %q", raw, got)
		}
		if wrong := s.wrong.Load(); wrong != nil {
			t.Fatalf("%q: %s", raw, *wrong)
		}
		if n := g.Recovered() + g.Guard.Recovered(); n > 0 {
			t.Fatalf("%q: %d panics", raw, n)
		}
	})
}

// strict is a server that says what it should not have got.
type strict struct {
	addr  string
	wrong atomic.Pointer[string]
	blind atomic.Bool // there are tunnels, through which anything may come
}

func newStrict(f *testing.F) *strict {
	l := listen(f)
	f.Cleanup(func() { _ = l.Close() })
	s := &strict{addr: l.Addr().String()}
	go func() { // ends with l
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

// serve answers requests until one is not understood.
func (s *strict) serve(c net.Conn) {
	defer c.Close()
	var seen bytes.Buffer
	r := bufio.NewReader(io.TeeReader(c, &seen))
	for {
		begin := seen.Len() - r.Buffered()
		req, err := http.ReadRequest(r)
		head := seen.Bytes()[begin : seen.Len()-r.Buffered()]
		if err != nil {
			if cut := new(net.OpError); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &cut) {
				s.complain("%v: %q", err, head)
			}
			return
		}
		s.check(req, head)
		if req.Header.Get("Expect") != "" {
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") // the next write says
		}
		_, err = io.Copy(io.Discard, req.Body)
		if bytes.Contains(seen.Bytes(), []byte(secret)) {
			s.complain("the secret came: %q", seen.Bytes())
		}
		if err != nil { // the client's body broke off, or the proxy broke it off
			return
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

// check says what is wrong with a head.
func (s *strict) check(req *http.Request, head []byte) {
	if host, _, err := egress.ParseTarget(req.Host, 80); err != nil || host != "api.test" {
		s.complain("for the host %q: %q", req.Host, head)
	}
	lower := bytes.ToLower(head)
	lengths, encodings := bytes.Count(lower, []byte("\ncontent-length:")), bytes.Count(lower, []byte("\ntransfer-encoding:"))
	if lengths+encodings > 1 {
		s.complain("two lengths: %q", head)
	}
	if n := bytes.Count(head, []byte("\n")); n != bytes.Count(head, []byte("\r\n")) || n != bytes.Count(head, []byte("\r")) || bytes.IndexByte(head, 0) >= 0 {
		s.complain("lines that others may end elsewhere: %q", head)
	}
}

func (s *strict) complain(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !s.blind.Load() {
		s.wrong.CompareAndSwap(nil, &text)
	}
}
