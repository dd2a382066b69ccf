package hec_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/telemetry/hec"
)

func TestCertificatesAreVerified(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, success) }))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	tests := []struct {
		name string
		set  func(*hec.Client)
		ok   bool
	}{
		{"the system's CAs", func(*hec.Client) {}, false},
		{"a CA of one's own", func(c *hec.Client) { c.CA = func() *x509.CertPool { return pool } }, true},
		{"insecure", func(c *hec.Client) { c.Insecure = true }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := client(s.URL)
			tt.set(c)
			n, err := c.Send(t.Context(), items(1))
			if (err == nil) != tt.ok || (n == 1) != tt.ok {
				t.Errorf("Send = %d, %v", n, err)
			}
			c.CloseIdle()
		})
	}
}

func TestInsecureAllowsPlainHTTP(t *testing.T) {
	s := newServer(t, nil)
	c := client("http://splunk.test:8088")
	c.Insecure = true
	c.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
	if n, err := c.Send(t.Context(), items(1)); n != 1 || err != nil {
		t.Errorf("Send = %d, %v", n, err)
	}
}

// TestOnlyTheConfiguredProxy sets the variables that net/http obeys by default:
// in a sandbox they name our own proxy.
func TestOnlyTheConfiguredProxy(t *testing.T) {
	var proxied atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied.Add(1)
		if r.URL.Host != "splunk.test:8088" {
			t.Errorf("the proxy is asked for %q", r.URL.Host)
		}
		_, _ = io.WriteString(w, success)
	}))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := client("http://splunk.test:8088")
	c.Insecure, c.Proxy = true, u
	if n, err := c.Send(t.Context(), items(1)); n != 1 || err != nil {
		t.Errorf("through the proxy: Send = %d, %v", n, err)
	}
	c = client("http://splunk.test:8088")
	c.Insecure = true
	c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no such host") }
	if _, err := c.Send(t.Context(), items(1)); err == nil || proxied.Load() != 1 {
		t.Errorf("without a proxy: %v, and the proxy saw %d requests", err, proxied.Load())
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	other := newServer(t, nil)
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	if _, err := client(s.URL).Send(t.Context(), items(1)); !errors.Is(err, hec.ErrConfig) {
		t.Errorf("Send: %v, want ErrConfig", err)
	}
	if len(other.seen()) != 0 {
		t.Error("the token went elsewhere")
	}
}

// TestAConnectionThatDiedWhileFrozen closes the server's side of every connection
// between two Sends.
func TestAConnectionThatDiedWhileFrozen(t *testing.T) {
	s := newServer(t, nil)
	c := client(s.URL)
	for range 3 {
		if n, err := c.Send(t.Context(), items(1)); n != 1 || err != nil {
			t.Fatalf("Send = %d, %v", n, err)
		}
		s.CloseClientConnections()
	}
}

// bubble serves handler to a client whose clock and wires are a synctest bubble's.
func bubble(t *testing.T, handler http.Handler) *hec.Client {
	t.Helper()
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: handler}
	go func() { _ = s.Serve(l) }()
	c := client("http://127.0.0.1:8088")
	c.Dial = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		l.conns <- far
		return near, nil
	}
	t.Cleanup(func() {
		c.CloseIdle()
		_ = s.Close()
	})
	return c
}

// pipes is a net.Listener for net.Pipe.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// replies answers with each of statuses in turn, then with success.
func replies(n *atomic.Int32, retryAfter string, statuses ...int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if i := int(n.Add(1)) - 1; i < len(statuses) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(statuses[i])
			return
		}
		_, _ = io.WriteString(w, success)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		c := bubble(t, replies(&n, "3", 503))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if sent, err := c.Send(ctx, items(1)); sent != 1 || err != nil {
			t.Errorf("Send = %d, %v", sent, err)
		}
		if took := time.Since(start); took != 3*time.Second || n.Load() != 2 {
			t.Errorf("%d requests in %v, want 2 in 3s", n.Load(), took)
		}
	})
}

func TestNoWaitBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		c := bubble(t, replies(&n, "3", 503, 503, 503))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if sent, err := c.Send(ctx, items(1)); sent != 0 || err == nil {
			t.Errorf("Send = %d, %v, want an error", sent, err)
		}
		if took := time.Since(start); took != 0 || n.Load() != 1 {
			t.Errorf("%d requests in %v, want to give up at once", n.Load(), took)
		}
	})
}

func TestRetriesAreBoundedWithoutADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		c := bubble(t, replies(&n, "", 503, 503, 503, 503, 503, 503))
		start := time.Now()
		if sent, err := c.Send(context.Background(), items(1)); sent != 0 || err == nil {
			t.Errorf("Send = %d, %v, want an error", sent, err)
		}
		if took := time.Since(start); took > 300*time.Millisecond || n.Load() != 3 {
			t.Errorf("%d requests in %v, want 3 in at most 300ms", n.Load(), took)
		}
	})
}

// TestADeadHECCostsLittle sends in a tight loop, as a busy function's invocations
// do, to a HEC that is down for a minute.
func TestADeadHECCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		c := client("https://splunk.test:8088")
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, errors.New("connection refused")
		}
		start := time.Now()
		var waited time.Duration
		for time.Since(start) < time.Minute {
			before := time.Now()
			if _, err := c.Send(t.Context(), items(1)); err == nil || !strings.Contains(err.Error(), "splunk.test:8088") {
				t.Fatalf("Send: %v, want an error that names the host", err)
			}
			waited += time.Since(before)
			time.Sleep(10 * time.Millisecond)
		}
		if dials > 40 || waited > 4*time.Second {
			t.Errorf("%d dials, %v waited in a minute", dials, waited)
		}
		before := dials
		c.TryNow()
		if _, err := c.Send(t.Context(), items(1)); err == nil || dials == before {
			t.Error("TryNow did not end the pause")
		}
	})
}

func TestAWrongTokenIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		var said []string
		c := bubble(t, replies(&n, "", 403, 403))
		c.Say = func(s string) { said = append(said, s) }
		start := time.Now()
		for time.Since(start) < 59*time.Second {
			if _, err := c.Send(t.Context(), items(1)); !errors.Is(err, hec.ErrConfig) {
				t.Fatalf("Send: %v, want ErrConfig", err)
			}
			time.Sleep(time.Second)
		}
		if n.Load() != 1 || len(said) != 1 {
			t.Errorf("%d requests and %q, want one of each", n.Load(), said)
		}
		time.Sleep(time.Minute)
		_, _ = c.Send(t.Context(), items(1)) // the second 403
		time.Sleep(time.Minute + time.Second)
		if _, err := c.Send(t.Context(), items(1)); err != nil {
			t.Errorf("somebody corrected the token: %v", err)
		}
		if len(said) != 2 || !strings.Contains(said[1], "again") {
			t.Errorf("said %q, want one line when it began and one when it ended", said)
		}
	})
}

// TestAHECThatHangs bounds an attempt, and on a connection that was idle earlier: it
// may be dead since a thaw.
func TestAHECThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		hang := make(chan struct{})
		c := bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if n.Add(1) == 2 {
				<-hang
			}
			_, _ = io.WriteString(w, success)
		}))
		defer close(hang)
		start := time.Now()
		for range 2 {
			time.Sleep(time.Second)
			if sent, err := c.Send(t.Context(), items(1)); sent != 1 || err != nil {
				t.Errorf("Send = %d, %v", sent, err)
			}
		}
		if took := time.Since(start) - 2*time.Second; took != 2*time.Second || n.Load() != 3 {
			t.Errorf("%d requests in %v, want the third on a new connection after 2s", n.Load(), took)
		}
	})
}

func TestSendEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		c := bubble(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
		defer close(hang)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		if sent, err := c.Send(ctx, items(1)); sent != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send = %d, %v", sent, err)
		}
		if took := time.Since(start); took != 700*time.Millisecond {
			t.Errorf("took %v, want 700ms", took)
		}
	})
}

func TestCloseIdleBeforeTheFirstSend(t *testing.T) {
	c := client("https://splunk.test")
	c.CloseIdle() // nothing to do
	c.TryNow()
}
