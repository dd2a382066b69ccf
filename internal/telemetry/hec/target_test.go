package hec_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/telemetry/hec"
)

// nobody is a URL on loopback where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// TestFailOver sends three times to a first server that fails in some way, and a
// second one that is well.
func TestFailOver(t *testing.T) {
	tests := []struct {
		name   string
		status int // of the first; -1: nobody listens
		first  int // requests to the first, of three Sends
	}{
		{"nobody listens", -1, 0},
		{"it hangs up", 0, 1},
		{"busy", 503, 1},
		{"internal error", 500, 1},
		{"restarting", 404, 1},
		{"another token", 403, 1},
		{"a redirect", 302, 1},
		{"a client's mistake", 415, 1},
		{"well", 200, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := newServer(t, func(int, request) (int, string) { return tt.status, "" })
			second := newServer(t, nil)
			c := client(first.URL)
			c.URLs = append(c.URLs, second.URL)
			if tt.status < 0 {
				c.URLs[0] = nobody(t)
			}
			var said []string
			c.Say = func(s string) { said = append(said, s) }
			for range 3 {
				if n, err := c.Send(t.Context(), items(2)); n != 2 || err != nil {
					t.Fatalf("Send = %d, %v", n, err)
				}
			}
			if len(first.seen()) != tt.first || len(second.seen()) != 3 && tt.status != 200 {
				t.Errorf("%d requests to the first, %d to the second", len(first.seen()), len(second.seen()))
			}
			if moved := tt.status != 200; moved != (len(said) == 1) || moved && !strings.Contains(said[0], strings.TrimPrefix(second.URL, "http://")) {
				t.Errorf("said %q, want one line that names the second, where it is used", said)
			}
		})
	}
}

func TestFailOverGoesRound(t *testing.T) {
	down := 0 // which one
	answer := func(me int) func(int, request) (int, string) {
		return func(int, request) (int, string) {
			if down == me {
				return 503, ""
			}
			return 200, success
		}
	}
	first, second := newServer(t, answer(1)), newServer(t, answer(2))
	c := client(first.URL)
	c.URLs = append(c.URLs, second.URL)
	for _, down = range []int{0, 1, 0, 2, 0} {
		if n, err := c.Send(t.Context(), items(1)); n != 1 || err != nil {
			t.Fatalf("%d is down: Send = %d, %v", down, n, err)
		}
	}
	if len(first.seen()) != 4 || len(second.seen()) != 3 { // each with one 503
		t.Errorf("%d requests to the first, %d to the second: want one that works to be kept", len(first.seen()), len(second.seen()))
	}
}

func TestWhereNoneIsWell(t *testing.T) {
	tests := []struct {
		name          string
		first, second int
		requests      int
		config        bool
	}{
		{"both refuse", 403, 401, 2, true},
		{"both are busy", 503, 503, 6, false},
		{"one refuses, one is busy", 403, 503, 6, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := newServer(t, func(int, request) (int, string) { return tt.first, "" })
			second := newServer(t, func(int, request) (int, string) { return tt.second, "" })
			c := client(first.URL)
			c.URLs = append(c.URLs, second.URL)
			n, err := c.Send(t.Context(), items(1))
			if n != 0 || err == nil || errors.Is(err, hec.ErrConfig) != tt.config {
				t.Errorf("Send = %d, %v", n, err)
			}
			if got := len(first.seen()) + len(second.seen()); got != tt.requests {
				t.Errorf("%d requests, want %d", got, tt.requests)
			}
			if tt.first == 403 && len(first.seen()) != 1 {
				t.Errorf("the one that refuses got %d requests of one Send", len(first.seen()))
			}
		})
	}
}

// TestAFirstThatHangsLeavesTimeForTheSecond: the window of a flush is a second.
func TestAFirstThatHangsLeavesTimeForTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var second atomic.Int32
		c := bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "127.0.0.1:1" {
				<-hang
			}
			second.Add(1)
			_, _ = io.WriteString(w, success)
		}))
		defer close(hang)
		c.URLs = []string{"http://127.0.0.1:1", "http://127.0.0.1:2"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if n, err := c.Send(ctx, items(1)); n != 1 || err != nil || second.Load() != 1 {
			t.Errorf("Send = %d, %v", n, err)
		}
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("took %v, want half of the window for the first", took)
		}
	})
}

// TestATokenThatWasRotated is fetched again when HEC does not take the old one.
func TestATokenThatWasRotated(t *testing.T) {
	const old = "99999999-1111-2222-3333-444444444444"
	for _, status := range []int{401, 403} {
		s := newServer(t, nil)
		s.answer = func(_ int, r request) (int, string) {
			if r.header.Get("Authorization") != "Splunk "+token {
				return status, body(4, -1)
			}
			return 200, success
		}
		current, asked := old, 0
		c := client(s.URL)
		c.Token = func(context.Context) (string, error) { asked++; return current, nil }
		c.Say = func(line string) { t.Errorf("said %q, want nothing", line) }
		current = token
		if _, err := c.Send(t.Context(), items(1)); err != nil || asked != 1 {
			t.Errorf("status %d: %v, asked %d times", status, err, asked)
		}
		s.answer = func(_ int, r request) (int, string) {
			if r.header.Get("Authorization") != "Splunk "+old {
				return status, body(4, -1)
			}
			return 200, success
		}
		current = old
		if n, err := c.Send(t.Context(), items(2)); n != 2 || err != nil || asked != 2 {
			t.Errorf("status %d: Send = %d, %v, asked %d times", status, n, err, asked)
		}
		if _, err := c.Send(t.Context(), items(1)); err != nil || asked != 2 {
			t.Errorf("status %d: %v, asked %d times, want the token kept", status, err, asked)
		}
	}
}

// TestATokenThatStaysWrong is asked for once with each Send that gets through to HEC,
// and said once.
func TestATokenThatStaysWrong(t *testing.T) {
	s := newServer(t, func(int, request) (int, string) { return 403, body(4, -1) })
	var said []string
	asked := 0
	c := client(s.URL)
	c.Token = func(context.Context) (string, error) { asked++; return token, nil }
	c.Say = func(line string) { said = append(said, line) }
	for range 5 {
		c.TryNow()
		if _, err := c.Send(t.Context(), items(1)); !errors.Is(err, hec.ErrConfig) {
			t.Fatalf("Send: %v", err)
		}
	}
	if asked != 5 || len(s.seen()) != 5 || len(said) != 1 || !strings.Contains(said[0], "does not take the token") {
		t.Errorf("asked %d times, %d requests, said %q", asked, len(s.seen()), said)
	}
}

func TestA404ThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := bubble(t, http.NotFoundHandler())
		var said []string
		c.Say = func(s string) { said = append(said, s) }
		start := time.Now()
		for time.Since(start) < 5*time.Minute {
			_, err := c.Send(t.Context(), items(1))
			if late := time.Since(start) > time.Minute; errors.Is(err, hec.ErrConfig) != late && (late || time.Since(start) < 30*time.Second) {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
			time.Sleep(time.Second)
		}
		if len(said) != 1 || !strings.Contains(said[0], "no collector at /services/collector/event") {
			t.Errorf("said %q", said)
		}
	})
}

func TestRetryAfterHoldsForLaterSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, date := range []bool{false, true} {
			var n atomic.Int32
			after := "20"
			if date {
				after = time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat)
			}
			c := bubble(t, replies(&n, after, 429))
			start := time.Now()
			for time.Since(start) < 19*time.Second {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				if _, err := c.Send(ctx, items(1)); err == nil || time.Since(start)%time.Second != 0 {
					t.Fatalf("after %v: %v", time.Since(start), err)
				}
				cancel()
				time.Sleep(time.Second)
			}
			if n.Load() != 1 {
				t.Errorf("Retry-After %s: %d requests before that", after, n.Load())
			}
			time.Sleep(2 * time.Second)
			if _, err := c.Send(t.Context(), items(1)); err != nil || n.Load() != 2 {
				t.Errorf("Retry-After %s: %v, %d requests", after, err, n.Load())
			}
		}
	})
}

func TestAHECThatIsNearlyFullIsSlowedDownFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests int
		c := bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			requests++
			_, _ = io.WriteString(w, body(24, -1))
		}))
		start := time.Now()
		if n, err := c.Send(t.Context(), pad(items(10), 300_000)); n != 10 || err != nil || requests != 4 {
			t.Errorf("Send = %d, %v in %d requests", n, err, requests)
		}
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("took %v, want 100ms between requests", took)
		}
	})
}
