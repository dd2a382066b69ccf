package egress_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/detect/leak"
	"gatehouse/internal/record"
)

// witness is a server's handler that keeps all that it sees.
type witness struct {
	mu   sync.Mutex
	seen bytes.Buffer
	n    int // requests
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.n++
	fmt.Fprintf(&w.seen, "%s %s %s %v\n", r.Method, r.RequestURI, r.Host, r.Header)
	w.mu.Unlock()
	body, _ := io.ReadAll(r.Body) // what was cut short counts, too
	w.mu.Lock()
	fmt.Fprintf(&w.seen, "%s\n%v\n", body, r.Trailer)
	w.mu.Unlock()
	fmt.Fprintf(rw, "%d bytes", len(body))
}

func (w *witness) saw() (string, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.String(), w.n
}

// way is how a request gets to a server.
type way struct {
	name   string
	secure bool
	h2     bool
}

var ways = []way{{"plain", false, false}, {"h1", true, false}, {"h2", true, true}}

func (w way) server(t testing.TB, h http.Handler) *server {
	t.Helper()
	if w.secure {
		return newServer(t, h.ServeHTTP)
	}
	return newPlainServer(t, h.ServeHTTP)
}

func (w way) client(g *gate) *http.Client {
	c := g.trusting()
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = w.h2
	return c
}

var filler = strings.Repeat("lorem ipsum ", 20000)

func TestLeaks(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte("x:" + secret))
	tests := []struct {
		name, place string
		change      func(*http.Request)
	}{
		{"query", "url", func(r *http.Request) { r.URL.RawQuery = "q=" + url.QueryEscape(secret) }},
		{"path", "url", func(r *http.Request) { r.URL.Path = "/x/" + secret }},
		{"header", "header:x-debug", func(r *http.Request) { r.Header.Set("X-Debug", "a "+secret) }},
		{"header's name", "header", func(r *http.Request) { r.Header[nameable] = []string{"1"} }},
		{"cookie", "header:cookie", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "a", Value: secret}) }},
		{"password", "header:authorization", func(r *http.Request) { r.Header.Set("Authorization", "Basic "+encoded) }},
		{"user agent", "header:user-agent", func(r *http.Request) { r.Header.Set("User-Agent", secret) }},
		{"method", "method", func(r *http.Request) { r.Method = nameable }},
		{"body", "body", func(r *http.Request) { setBody(r, secret, false) }},
		{"end of a long body", "body", func(r *http.Request) { setBody(r, filler+secret, false) }},
		{"middle of a long body", "body", func(r *http.Request) { setBody(r, filler+secret+filler, false) }},
		{"chunked body", "body", func(r *http.Request) { setBody(r, filler+secret+filler, true) }},
		{"body byte by byte", "body", func(r *http.Request) { setBody(r, "a "+secret+" b", true) }},
		{"trailer", "trailer:x-sum", func(r *http.Request) {
			setBody(r, "harmless", true)
			r.Trailer = http.Header{"X-Sum": {secret}}
		}},
	}
	for _, way := range ways {
		for _, test := range tests {
			for _, mode := range []string{"enforce", "monitor"} {
				t.Run(way.name+"/"+test.name+"/"+mode, func(t *testing.T) {
					leaks(t, way, mode, test.place, test.change)
				})
			}
		}
	}
}

func leaks(t *testing.T, way way, mode, place string, change func(*http.Request)) {
	t.Helper()
	g := newGate(t, "mode: "+mode+"\negress:"+hosts+inspecting, nil)
	w := new(witness)
	s := way.server(t, w)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("api.test", "/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	change(r)
	c := way.client(g)
	resp, err := c.Do(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body) // it may be cut
		_ = resp.Body.Close()
	}
	c.CloseIdleConnections()
	found := g.await(record.Leak, 1)[0]
	if found.Path != place || !strings.HasPrefix(found.SignatureID, leak.RuleOwnSecret) || found.Dest != "api.test" || !strings.Contains(found.URL, "api.test") {
		t.Errorf("leak at %q by %q to %q, url %q", found.Path, found.SignatureID, found.Dest, found.URL)
	}
	conn := g.await(record.Connection, 1)[0]
	saw, n := w.saw()
	if mode == "monitor" {
		if err != nil || resp.StatusCode != http.StatusOK || n != 1 || found.WouldAction != "blocked" || conn.Action != "allowed" {
			t.Errorf("response %v, error %v, %d requests, would %q, connection %q", resp, err, n, found.WouldAction, conn.Action)
		}
		return
	}
	if err == nil && resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %s", resp.Status)
	}
	if err == nil && resp.Header.Get("X-Gatehouse-Incident") != found.ID {
		t.Errorf("incident %q, want %q", resp.Header.Get("X-Gatehouse-Incident"), found.ID)
	}
	if head := place != "body" && !strings.HasPrefix(place, "trailer"); head && n > 0 {
		t.Errorf("%d requests reached the server", n)
	}
	for _, s := range []string{saw, s.received()} {
		if strings.Contains(s, secret[:10]) || strings.Contains(s, nameable[:10]) {
			t.Errorf("the server saw the secret")
		}
	}
	if conn.Action != "blocked" || conn.ID == found.ID {
		t.Errorf("connection %q, id %q", conn.Action, conn.ID)
	}
}

// setBody gives r a body that GetBody cannot repeat.
func setBody(r *http.Request, text string, chunked bool) {
	r.Body = io.NopCloser(strings.NewReader(text))
	if len(text) < 100 {
		r.Body = io.NopCloser(iotestOneByte{strings.NewReader(text)})
	}
	r.ContentLength = int64(len(text))
	if chunked {
		r.ContentLength = -1
	}
}

type iotestOneByte struct{ io.Reader }

func (r iotestOneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

// TestLeakInUpgrade leaks through a WebSocket-like stream.
func TestLeakInUpgrade(t *testing.T) {
	for _, way := range ways[:2] {
		t.Run(way.name, func(t *testing.T) {
			var got bytes.Buffer
			done := make(chan struct{})
			s := way.server(t, upgrader(&got, done))
			g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
			stream := upgrade(t, way.client(g), s.url("api.test", "/"))
			echo := make([]byte, 5)
			if _, err := stream.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(stream, echo); err != nil || string(echo) != "hello" {
				t.Fatalf("echo %q, %v", echo, err)
			}
			_, _ = stream.Write([]byte("now " + secret)) // it may be cut meanwhile
			_, _ = io.ReadAll(stream)
			<-done
			if strings.Contains(got.String(), secret[:10]) {
				t.Errorf("the server saw %q", got.String())
			}
			if r := g.await(record.Leak, 1)[0]; r.Path != "body" {
				t.Errorf("leak at %q", r.Path)
			}
		})
	}
}

// TestUpgradesThatCannotBeRead: a server is not asked for another HTTP, behind which no
// request would be judged, nor for frames that are compressed.
func TestUpgradesThatCannotBeRead(t *testing.T) {
	for _, way := range ways[:2] {
		for asked, want := range map[string]string{
			"h2c": "", "HTTP/2.0": "", "TLS/1.0": "", "websocket": "websocket", "h2c, websocket": "websocket", "test": "test",
		} {
			t.Run(way.name+"/"+asked, func(t *testing.T) {
				w := new(witness)
				s := way.server(t, w)
				g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url("api.test", "/"), nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = http.Header{
					"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {asked}, "Http2-Settings": {"AAMAAABkAAQAoAAAAAIAAAAA"},
					"Sec-Websocket-Extensions": {"permessage-deflate"},
				}
				resp, err := way.client(g).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				saw, _ := w.saw()
				if want != "" && !strings.Contains(saw, "Upgrade:["+want+"]") || want == "" && strings.Contains(saw, "Upgrade") ||
					strings.Contains(saw, "Settings") || strings.Contains(saw, "permessage") {
					t.Errorf("the server was asked %q", saw)
				}
			})
		}
	}
}

// upgrader changes to a protocol that echoes.
func upgrader(got *bytes.Buffer, done chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		if r.Header.Get("Upgrade") != "test" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\nX-More: 1\r\n\r\n")
		_, _ = io.Copy(c, io.TeeReader(rw, got))
	}
}

func upgrade(t *testing.T, c *http.Client, url string) io.ReadWriteCloser {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "test")
	resp, err := c.Transport.RoundTrip(r) // a Client with a time-out hides Write
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("X-More") != "1" {
		t.Fatalf("status %s, headers %v", resp.Status, resp.Header)
	}
	stream := resp.Body.(io.ReadWriteCloser)
	t.Cleanup(func() { _ = stream.Close() })
	return stream
}
