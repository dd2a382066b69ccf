package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"gatehouse/internal/lambdaapi"
	"gatehouse/internal/record"
)

// wire is a network in memory, so that time in it is the test's own.
type wire struct {
	arrive chan net.Conn

	mu    sync.Mutex
	open  map[*end]bool
	dials int
}

// end is the server's end of a connection.
type end struct {
	net.Conn
	w *wire
}

func newWire() *wire { return &wire{arrive: make(chan net.Conn), open: make(map[*end]bool)} }

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	e := &end{theirs, w}
	w.mu.Lock()
	w.open[e] = true
	w.dials++
	w.mu.Unlock()
	select {
	case w.arrive <- e:
		return ours, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), e.Close())
	}
}

func (e *end) Close() error {
	e.w.mu.Lock()
	delete(e.w.open, e)
	e.w.mu.Unlock()
	return e.Conn.Close()
}

func (w *wire) dialled() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials
}

// sockets is how many connections the server has.
func (w *wire) sockets() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}

func (w *wire) Accept() (net.Conn, error) {
	c, ok := <-w.arrive
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (w *wire) Close() error   { return nil }
func (w *wire) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// ledger is a HEC that remembers which records of a sandbox it has, by their seq, in
// memory that does not grow.
type ledger struct {
	mu       sync.Mutex
	have     []bool
	stored   uint64
	twice    uint64
	requests int
	fault    fault
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.requests++
	n, f := l.requests, l.fault
	l.mu.Unlock()
	if f != nil {
		f(w, r, nil, n)
		return
	}
	l.take(r)
	answer(w, 200, `{"text":"Success","code":0}`)
}

func (l *ledger) take(r *http.Request) {
	list := objects(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range list {
		seq := list[i].Seq
		if l.have[seq] {
			l.twice++
			continue
		}
		l.have[seq] = true
		l.stored++
	}
}

func (l *ledger) fail(f fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

// life is an extension without Lambda, in a bubble.
type life struct {
	*extension
	ledger *ledger
	wire   *wire
	n      int // invocations
}

func newLife(t *testing.T, env ...string) *life {
	t.Helper()
	cfg, err := readConfig(append([]string{
		"AWS_LAMBDA_FUNCTION_NAME=orders", "AWS_REGION=eu-west-1", "GATEHOUSE_RUN_DIR=" + filepath.Join(t.TempDir(), "run"),
		"GATEHOUSE_HEC_URL=http://127.0.0.1:8088", "GATEHOUSE_HEC_TOKEN=" + hecToken,
	}, env...))
	if err != nil {
		t.Fatal(err)
	}
	l := &life{extension: newExtension(cfg, zap.NewNop()), wire: newWire(), ledger: &ledger{have: make([]bool, 1<<20)}}
	l.hec.Dial = l.wire.dial
	l.invoked = true
	l.telemetry.Store(true)
	if l.folder, err = openRunFolder(cfg.RunDir); err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: l.ledger}
	go func() { _ = s.Serve(l.wire) }() // ends with Accept
	t.Cleanup(func() { l.pipeline.Close() })
	return l
}

// invocation runs one invocation that prints lines and ends; every 20th is an attack.
func (l *life) invocation(ctx context.Context, lines int) {
	l.n++
	id := fmt.Sprintf("%08d-0000-4000-8000-000000000000", l.n)
	for i := range lines {
		l.pipeline.Add(&record.Record{Kind: record.Log, RequestID: id, Message: fmt.Sprintf("line %d of invocation %d: an order was taken and a price was asked for", i, l.n)})
	}
	if l.n%20 == 0 {
		l.pipeline.Add(&record.Record{Kind: record.Attack, RequestID: id, SignatureID: "sqli.tautology", Matched: "' OR 1=1 --"})
	}
	l.endings.end(id)
	l.invoke(ctx, &lambdaapi.Event{Type: "INVOKE", DeadlineMS: time.Now().Add(10 * time.Second).UnixMilli(), RequestID: id, InvokedFunctionARN: "arn:aws:lambda:eu-west-1:123456789012:function:orders"})
}

// end is SHUTDOWN with two seconds left.
func (l *life) end(ctx context.Context) {
	l.shutdown(ctx, &lambdaapi.Event{Type: "SHUTDOWN", ShutdownReason: "SPINDOWN", DeadlineMS: time.Now().Add(2 * time.Second).UnixMilli()})
}

// account fails where a record is not stored, on disk or counted.
func (l *life) account(t *testing.T) {
	t.Helper()
	var made, lost, spooled uint64
	for _, c := range l.pipeline.Counts() {
		made, lost, spooled = made+c.Made, lost+c.Lost, spooled+c.Spooled
	}
	pending, _ := l.pipeline.Pending()
	l.ledger.mu.Lock()
	defer l.ledger.mu.Unlock()
	t.Logf("made %d, stored %d, %d of them twice, lost %d, on disk %d, in %d requests", made, l.ledger.stored, l.ledger.twice, lost, spooled, l.ledger.requests)
	if l.ledger.stored+lost+spooled+uint64(pending) != made {
		t.Errorf("made %d, stored %d, lost %d, on disk %d, in memory %d", made, l.ledger.stored, lost, spooled, pending)
	}
}

// held is what a sandbox holds on to, at rest.
type held struct {
	heap                       uint64
	goroutines, files, sockets int
	disk                       []string
}

func (l *life) held(t *testing.T) (h held) {
	t.Helper()
	synctest.Wait()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.heap, h.goroutines, h.sockets = m.HeapAlloc, runtime.NumGoroutine(), l.wire.sockets()
	fds, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	h.files = len(fds)
	for _, dir := range []string{l.cfg.RunDir, filepath.Join(l.cfg.RunDir, "spool")} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			h.disk = append(h.disk, e.Name())
		}
	}
	return h
}

// A day of a sandbox: 50,000 invocations in rushes and one by one, freezes of hours, and
// a collector that is busy, silent, slow, breaks off and limits, an hour or two each.
// Nothing grows: not memory, files, goroutines or sockets (a rush keeps one); nothing of ours runs while
// the sandbox is frozen; and every record is accounted for.
func TestADayOfASandbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t)
		ctx := t.Context()
		began := time.Now()
		// busy has n invocations in the given time, of a hundred at a time.
		busy := func(n int, d time.Duration) {
			for range n / 100 {
				for range 100 {
					l.invocation(ctx, 3)
					time.Sleep(20 * time.Millisecond)
				}
				time.Sleep(max(0, d/time.Duration(n/100)-100*20*time.Millisecond))
			}
		}
		frozen := func(d time.Duration) {
			l.invocation(ctx, 3)
			synctest.Wait()
			before := l.ledger.count()
			if n := l.wire.sockets(); n != 0 {
				t.Errorf("%d connections go into the freeze", n)
			}
			time.Sleep(d)
			synctest.Wait()
			if n := l.ledger.count(); n != before {
				t.Errorf("%d requests during a freeze", n-before)
			}
		}
		// rush is a freeze in the middle of one: its connection is not used again.
		rush := func() {
			busy(100, 2*time.Second)
			if n := l.wire.sockets(); n != 1 {
				t.Errorf("%d connections in a rush, want one", n)
			}
			dials := l.wire.dialled()
			time.Sleep(time.Hour)
			l.invocation(ctx, 3)
			if n := l.wire.dialled() - dials; n != 1 {
				t.Errorf("%d dials after a freeze, want one", n)
			}
		}
		faulty := func(f fault) {
			l.ledger.fail(f)
			busy(3000, time.Hour)
			l.ledger.fail(nil)
			busy(1000, time.Hour/2)
		}

		busy(5000, time.Hour)
		frozen(3 * time.Hour)
		rush()
		faulty(down)
		first := l.held(t) // what is made once is there
		faulty(silent)
		frozen(2 * time.Hour)
		faulty(always(429, `{"text":"Server is busy","code":9}`, "Retry-After", "30"))
		faulty(func(w http.ResponseWriter, r *http.Request, _ *collector, _ int) { // taken, and not heard
			l.ledger.take(r)
			panic(http.ErrAbortHandler)
		})
		faulty(func(w http.ResponseWriter, r *http.Request, _ *collector, _ int) { // slow
			l.ledger.take(r)
			time.Sleep(5 * time.Second)
			answer(w, 200, `{"text":"Success","code":0}`)
		})
		faulty(func(_ http.ResponseWriter, r *http.Request, _ *collector, _ int) {
			_, _ = io.ReadFull(r.Body, make([]byte, 10))
			panic(http.ErrAbortHandler)
		})
		frozen(5 * time.Hour)
		busy(48_900-l.n, 2*time.Hour)
		busy(1000, 24*time.Hour-time.Since(began))
		for l.n < 50_000 {
			l.invocation(ctx, 3)
		}
		last := l.held(t)
		l.account(t)
		l.end(ctx)
		l.account(t)

		t.Logf("after 9,000 invocations: %+v; after %d and %v: %+v; %d dials", first, l.n, time.Since(began).Round(time.Minute), last, l.wire.dialled())
		if last.heap > first.heap+1<<20 || last.goroutines > first.goroutines || last.files > first.files || last.sockets > 1 || !slices.Equal(last.disk, first.disk) {
			t.Errorf("it grew from %+v to %+v", first, last)
		}
		if lost := l.pipeline.Lost(); lost["attack"]+lost["health"] != 0 {
			t.Errorf("lost %v", lost)
		}
		close(l.wire.arrive)
		l.hec.CloseIdle()
	})
}
