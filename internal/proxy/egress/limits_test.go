package egress_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

// Of many clients at once some have a tunnel, and each of the others an answer that
// says why not; when they have gone, there is room again.
func TestStorm(t *testing.T) {
	const tunnels, clients = 16, 600
	echo := echoServer(t)
	g := newGate(t, "mode: enforce\negress:"+hosts, func(p *egress.Proxy) { p.MaxFlows = tunnels })
	var mu sync.Mutex
	statuses := map[int]int{}
	var held []net.Conn
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			status, c := g.connect("api.test:" + echo)
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
			held = append(held, c)
		})
	}
	all.Wait()
	if n := statuses[http.StatusOK]; n != tunnels || n+statuses[http.StatusServiceUnavailable] != clients {
		t.Errorf("statuses %v, want %d times 200 and the rest 503", statuses, tunnels)
	}
	for _, c := range held {
		_ = c.Close()
	}
	until(t, "there is room again", func() bool { return g.Active() == 0 })
	if status, c := g.connect("api.test:" + echo); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	} else {
		_ = c.Close()
	}
	if g.TurnedAway() == 0 {
		t.Error("no client was turned away before it had a place")
	}
	for _, r := range g.await(record.Connection, 1) {
		if strings.HasPrefix(r.Reason, "egress.too-many-connections") {
			return
		}
	}
	t.Error("no record says that there were too many")
}

// connect asks for a tunnel: 503 must name rule and incident. 0 is no answer.
func (g *gate) connect(target string) (int, net.Conn) {
	c := g.dial("CONNECT " + target + " HTTP/1.1\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
	if err != nil {
		g.t.Error(err)
		return 0, c
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		id := resp.Header.Get("X-Gatehouse-Incident")
		if want := "503 Service Unavailable gatehouse egress.too-many-connections " + id; id == "" || resp.Status != want {
			g.t.Errorf("status %q, want %q", resp.Status, want)
		}
	}
	return resp.StatusCode, c
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// A head must end some time after it began; a connection that says nothing may stay.
func TestSlowHead(t *testing.T) {
	g := newGate(t, "mode: enforce\negress:"+hosts, func(p *egress.Proxy) { p.HeadTimeout = 50 * time.Millisecond })
	silent := g.dial("")
	slow := g.dial("GET http://api.test/ HTTP/1.1\r\nX-A: ")
	go func() { // ends when the proxy has had enough
		for {
			if _, err := slow.Write([]byte("b")); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond) // what is tested
		}
	}()
	_ = slow.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(slow); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("the slow head was waited for")
	}
	_ = silent.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := silent.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("the silent connection: %v, want that nothing came", err)
	}
}

// Peers that do nothing are bounded, recorded, and no reason to wait at SHUTDOWN.
func TestStuckPeers(t *testing.T) {
	before := runtime.NumGoroutine()
	mute := muteServer(t)
	tests := map[string]struct {
		host  string
		speak func(c net.Conn)
	}{
		"a name that is never resolved": {"never.resolved", func(net.Conn) {}},
		"a server that never reads": {"api.test", func(c net.Conn) {
			flood := make([]byte, 64<<10)
			for _ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); ; {
				if _, err := c.Write(flood); err != nil {
					return
				}
			}
		}},
		"a client that begins TLS and stops": {"api.test", func(c net.Conn) { _, _ = c.Write([]byte{0x16, 3, 1, 2, 0, 1}) }},
		"a client that says nothing":         {"api.test", func(net.Conn) {}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, func(p *egress.Proxy) {
				p.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			})
			c := g.dial(fmt.Sprintf("CONNECT %s:%s HTTP/1.1\r\n\r\n", tt.host, mute))
			until(t, "the flow is there", func() bool { return g.Active() == 1 })
			tt.speak(c)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			began := time.Now()
			_ = g.Shutdown(ctx) // it says that something was left
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("shutting down took %v", took)
			}
			_ = c.Close()
			if r := g.connection(); r.Dest != tt.host {
				t.Errorf("recorded %q", r.Dest)
			}
		})
	}
	until(t, "its goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+4 })
}

// A connection that comes about when its flow is over is closed, and holds nobody up.
func TestDialledTooLate(t *testing.T) {
	g := newGate(t, "mode: enforce", nil)
	ours, theirs := net.Pipe()
	defer func() { _ = theirs.Close() }()
	kept := make(chan error, 1)
	go func() { kept <- egress.DialledTooLate(g.Proxy, ours) }()
	select {
	case err := <-kept:
		if err == nil {
			t.Error("it was kept")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("still waiting")
	}
	if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want that it is closed", err)
	}
}

// muteServer accepts and never reads.
func muteServer(t *testing.T) string {
	t.Helper()
	l := listen(t)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return portOf(l.Addr())
}

// Memory, goroutines and descriptors are as before after many connections, of every
// kind that there is.
func TestNothingIsLeftOver(t *testing.T) {
	s := newServer(t, hello)
	g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
	many := func(n int) {
		for i := range n {
			c := g.trusting()
			get(t, c, s.url("api.test", fmt.Sprintf("/%d", i)), 200)
			c.CloseIdleConnections()
		}
		until(t, "no flow is open", func() bool { return g.Active() == 0 })
	}
	many(20)
	goroutines, memory := runtime.NumGoroutine(), heap()
	many(300)
	until(t, "its goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	if more := heap() - memory; more > 4<<20 {
		t.Errorf("%d KiB more on the heap", more>>10)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // finalizers of the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far below
}
