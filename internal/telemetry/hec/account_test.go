package hec_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
	"gatehouse/internal/telemetry/hec"
)

// account is a sandbox's life in a bubble, over several starts, and what became of its
// records.
type account struct {
	t        *testing.T
	fault    *fault
	endpoint *endpoint
	dir      string
	full     bool // the disk

	*telemetry.Pipeline // of the present start
	client              *hec.Client
	printed             *printer
	made                map[string]record.Kind
	perhaps             uint64 // counted as lost by a kill, and perhaps there
}

// printer is the last resort: the function's log.
type printer struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (p *printer) Send(_ context.Context, batch []telemetry.Item) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range batch {
		p.ids[batch[i].ID] = true
	}
	return len(batch), nil
}

// start begins the sandbox, or begins it again.
func (a *account) start() {
	a.t.Helper()
	folder := filepath.Join(a.dir, "spool")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		a.t.Fatal(err)
	}
	a.client = client("http://127.0.0.1:8088")
	a.client.Dial = a.endpoint.dial
	a.client.Ack = a.fault.ack
	spool := &telemetry.Spool{
		Dir: folder, Counters: filepath.Join(a.dir, "counters"), Sandbox: "0123456789abcdef",
		Secret: func() (string, error) { return token, nil },
		Free: func() (uint64, uint64, error) {
			if a.full {
				return 0, 1 << 40, nil
			}
			return 1 << 40, 1 << 40, nil
		},
	}
	a.Pipeline = &telemetry.Pipeline{Sink: a.client, Last: a.printed, Spool: func() *telemetry.Spool { return spool }}
	ended, err := a.Before()
	if err != nil {
		a.t.Fatal(err)
	}
	a.perhaps += ended.Perhaps
}

// invocation makes records of each kind, and flushes as after an invocation.
func (a *account) invocation() {
	a.t.Helper()
	a.add()
	a.flush()
	a.client.CloseIdle()
}

var kinds = []record.Kind{
	record.Log, record.Platform, record.Invocation, record.Connection, record.Attack, record.Leak, record.Runtime, record.Health,
}

// add adds 23 records: 12 lines, and fewer of what is rarer.
func (a *account) add() {
	for i := range 12 {
		for n, k := range kinds {
			if each := [...]int{1, 4, 12, 6, 6, 12, 12, 12}[n]; i%each > 0 {
				continue
			}
			r := &record.Record{Kind: k, Reason: fmt.Sprintf("number %d, with some words behind it", len(a.made))}
			a.Add(r)
			a.made[r.ID] = k
		}
	}
}

// window is how long a flush may take.
const window = time.Second

func (a *account) flush() {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), window)
	defer cancel()
	began := time.Now()
	_ = a.Flush(ctx) // what fails stays, and is accounted for
	if took := time.Since(began); took > window {
		a.t.Errorf("a flush took %v", took)
	}
}

// shutdown ends the start with the given time left.
func (a *account) shutdown(left time.Duration) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), left)
	defer cancel()
	began := time.Now()
	a.Shutdown(ctx)
	if took := time.Since(began); took > left+100*time.Millisecond {
		a.t.Errorf("SHUTDOWN took %v of %v", took, left)
	}
	a.Close()
	a.client.CloseIdle()
}

// settle has the endpoint work, and the sandbox live until nothing waits.
func (a *account) settle() {
	a.t.Helper()
	a.endpoint.heal()
	for range 40 {
		time.Sleep(time.Minute)
		a.flush()
		a.client.CloseIdle()
		if n, _ := a.Pending(); n == 0 && len(a.Spooled()) == 0 {
			return
		}
	}
	n, _ := a.Pending()
	a.t.Errorf("%d records wait in memory and %v on disk, although everything works", n, a.Spooled())
}

// judge holds that each record is stored, printed or counted, and that only those are there
// twice of which nobody could know.
func (a *account) judge(b blow) {
	a.t.Helper()
	e := a.endpoint
	e.mu.Lock()
	defer e.mu.Unlock()
	var excess uint64
	lost := a.Lost()
	for _, kind := range kinds {
		var made, there uint64
		for id, k := range a.made {
			if k != kind {
				continue
			}
			made++
			if e.stored[id] > 0 || a.printed.ids[id] {
				there++
			}
		}
		switch counted := there + lost[string(kind)]; {
		case counted < made:
			a.t.Errorf("%s: of %d, %d are there, and %d are counted as lost", kind, made, there, lost[string(kind)])
		case counted > made:
			excess += counted - made
		}
	}
	doubt := a.perhaps
	if b.full && b.ends { // what nothing has room for is counted as lost, be it there
		doubt += uint64(len(e.ambiguous))
	}
	if excess > doubt {
		a.t.Errorf("%d records are counted as lost and are there, of which it could not be known %d", excess, doubt)
	}
	twice := 0
	for id, n := range e.stored {
		if _, ours := a.made[id]; !ours {
			a.t.Errorf("record %s was never made", id)
		}
		if n > 1 {
			twice++
			if !e.ambiguous[id] && !b.kill {
				a.t.Errorf("a %s record is there %d times, although every answer came through", a.made[id], n)
			}
		}
	}
	a.t.Logf("made %d, stored %d, %d of them twice, printed %d, lost %v", len(a.made), len(e.stored), twice, len(a.printed.ids), lost)
}

// blow is what happens to a sandbox in the middle of a fault.
type blow struct {
	name             string
	do               func(a *account)
	kill, full, ends bool // whether the process is killed, the disk is full, and there is SHUTDOWN
}

var blows = []blow{
	{name: "none", do: func(*account) {}},
	{name: "freeze", do: func(a *account) {
		a.add()
		a.flush() // and no CloseIdle: whoever is frozen at once has no time for it
		a.endpoint.closeAll()
		time.Sleep(7 * time.Hour)
	}},
	{name: "SHUTDOWN with 300 ms left", ends: true, do: func(a *account) {
		a.add()
		a.shutdown(200 * time.Millisecond) // of 300, a third is for the rest
		a.start()
	}},
	{name: "kill", kill: true, do: func(a *account) {
		a.invocation()
		a.add()
		a.Close()
		a.client.CloseIdle()
		a.start()
	}},
	{name: "disk full", full: true, do: func(a *account) {
		a.full = true
		for range 3 {
			a.invocation()
		}
		a.full = false
	}},
	{name: "disk full at SHUTDOWN", full: true, ends: true, do: func(a *account) {
		a.full = true
		a.add()
		a.shutdown(200 * time.Millisecond)
		a.full = false
		a.start()
	}},
}

// TestAccount: whatever goes wrong between a sandbox and its HEC, and whatever happens to
// the sandbox meanwhile, of each kind of record as many are there or counted as were made.
func TestAccount(t *testing.T) {
	for i := range clientFaults {
		for _, b := range blows {
			t.Run(clientFaults[i].name+"/"+b.name, func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					a := &account{t: t, fault: &clientFaults[i], dir: dir, made: make(map[string]record.Kind), printed: &printer{ids: make(map[string]bool)}}
					a.endpoint = newEndpoint(t, a.fault)
					a.start()
					defer func() { a.Close(); a.client.CloseIdle() }()
					a.invocation()
					a.endpoint.breakDown()
					a.invocation()
					a.invocation()
					b.do(a)
					a.invocation()
					time.Sleep(time.Minute)
					a.invocation()
					a.settle()
					a.invocation()
					a.settle()
					a.judge(b)
				})
			})
		}
	}
}

// endpoint is a HEC in the bubble.
type endpoint struct {
	fault *fault
	pipes *pipes

	mu        sync.Mutex
	broken    bool
	n         int // requests while broken
	conns     []net.Conn
	stored    map[string]int
	ambiguous map[string]bool // taken, and the client cannot know
	acks      map[string]map[int64]time.Time
	next      map[string]int64
}

func newEndpoint(t *testing.T, f *fault) *endpoint {
	t.Helper()
	e := &endpoint{
		fault: f, pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})},
		stored: make(map[string]int), ambiguous: make(map[string]bool), acks: make(map[string]map[int64]time.Time), next: make(map[string]int64),
	}
	s := &http.Server{Handler: e}
	go func() { _ = s.Serve(e.pipes) }() // ends with the pipes
	t.Cleanup(func() {
		_ = s.Close()
		e.closeAll()
	})
	return e
}

func (e *endpoint) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	e.mu.Lock()
	broken := e.broken
	e.mu.Unlock()
	if broken && e.fault.dial != nil {
		return nil, e.fault.dial
	}
	near, far := net.Pipe()
	select {
	case e.pipes.conns <- far:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conns = append(e.conns, far)
	return near, nil
}

// closeAll is what a HEC does with connections that nobody uses.
func (e *endpoint) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.conns {
		_ = c.Close()
	}
	e.conns = nil
}

func (e *endpoint) breakDown() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.broken, e.n = true, 0
}

func (e *endpoint) heal() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.broken = false
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r := read(req)
	e.mu.Lock()
	broken := e.broken
	if broken {
		e.n++
	}
	n := e.n
	e.mu.Unlock()
	if broken && e.fault.serve != nil && e.fault.serve(e, w, req, r, n) {
		return
	}
	e.work(w, req, r)
}

// work is what a HEC does that works.
func (e *endpoint) work(w http.ResponseWriter, req *http.Request, r request) {
	if req.URL.Path == "/services/collector/ack" {
		e.say(w, req, r, func(at time.Time) bool { return true })
		return
	}
	e.take(r.ids)
	if e.fault.ack == hec.AckOff {
		say(w, 200, success)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	channel := req.Header.Get("X-Splunk-Request-Channel")
	id := e.next[channel]
	e.next[channel]++
	if e.acks[channel] == nil {
		e.acks[channel] = make(map[int64]time.Time)
	}
	e.acks[channel][id] = time.Now()
	say(w, 200, fmt.Sprintf(`{"text":"Success","code":0,"ackId":%d}`, id))
}

// take stores records.
func (e *endpoint) take(ids []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		e.stored[id]++
	}
}

// doubt notes records of which the client cannot know whether they were taken.
func (e *endpoint) doubt(ids []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range ids {
		e.ambiguous[id] = true
	}
}
