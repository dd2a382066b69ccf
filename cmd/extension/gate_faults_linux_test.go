package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

// silent never answers.
func silent(_ http.ResponseWriter, r *http.Request, _ *collector, _ int) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func down(w http.ResponseWriter, _ *http.Request, _ *collector, _ int) {
	answer(w, 503, `{"text":"Server is busy","code":9}`)
}

// always answers every request the same, and takes nothing.
func always(status int, body string, header ...string) fault {
	return func(w http.ResponseWriter, r *http.Request, _ *collector, _ int) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		answer(w, status, body)
	}
}

// indexes takes everything, and says of each acknowledgement that it is not there,
// for the first n requests.
func indexes(n int) fault {
	return func(w http.ResponseWriter, r *http.Request, c *collector, i int) {
		if strings.HasSuffix(r.URL.Path, "/ack") {
			c.confirm(w, r, i > n)
			return
		}
		c.take(r)
		answer(w, 200, c.success())
	}
}

// hecFault is something that is wrong with the way to Splunk.
type hecFault struct {
	name    string
	fault   fault
	refused bool // nobody listens, instead
	env     map[string]string
	stuck   bool // TLS to a port that does not speak it: it cannot be mended
	twice   bool // the collector may have taken what it does not confirm
}

var hecFaults = []hecFault{
	{name: "none"},
	{name: "refused", refused: true},
	{name: "reset in mid-body", fault: func(w http.ResponseWriter, r *http.Request, _ *collector, _ int) {
		_, _ = io.ReadFull(r.Body, make([]byte, 100))
		panic(http.ErrAbortHandler)
	}},
	{name: "reset for an answer", twice: true, fault: func(_ http.ResponseWriter, r *http.Request, c *collector, _ int) {
		c.take(r)
		panic(http.ErrAbortHandler)
	}},
	{name: "slow", twice: true, fault: func(w http.ResponseWriter, r *http.Request, c *collector, _ int) {
		c.take(r)
		select {
		case <-time.After(5 * time.Second):
			answer(w, 200, `{"text":"Success","code":0}`)
		case <-r.Context().Done():
		}
	}},
	{name: "never answers", fault: silent},
	{name: "401", fault: always(401, `{"text":"Token is required","code":2}`)},
	{name: "403", fault: always(403, `{"text":"Invalid token","code":4}`)},
	{name: "400/6 at an event", fault: func(w http.ResponseWriter, r *http.Request, c *collector, _ int) {
		list := objects(r)
		n := len(list) / 2
		c.store(list[:n])
		answer(w, 400, fmt.Sprintf(`{"text":"Invalid data format","code":6,"invalid-event-number":%d}`, n))
	}},
	{name: "400/7", fault: always(400, `{"text":"Incorrect index","code":7,"invalid-event-number":0}`)},
	{name: "404 in a restart", fault: always(404, `{"text":"The requested URL was not found","code":404}`)},
	{name: "413", fault: func(w http.ResponseWriter, r *http.Request, c *collector, _ int) {
		list := objects(r)
		if len(list) > 3 {
			answer(w, 413, `{"text":"Content-Length too large","code":27}`)
			return
		}
		c.store(list)
		answer(w, 200, c.success())
	}},
	{name: "429", fault: always(429, `{"text":"Server is busy","code":9}`, "Retry-After", "2")},
	{name: "500", fault: always(500, `{"text":"Internal server error","code":8}`)},
	{name: "503", fault: down},
	{name: "a page of a load balancer", fault: always(200, "<html><body>maintenance</body></html>", "Content-Type", "text/html")},
	{name: "a redirect", fault: always(307, "", "Location", "http://127.0.0.1:1/services/collector/event")},
	{name: "back after 3 requests", fault: func(w http.ResponseWriter, r *http.Request, c *collector, n int) {
		if n <= 3 {
			down(w, r, c, n)
			return
		}
		c.take(r)
		answer(w, 200, c.success())
	}},
	{name: "acknowledged never", twice: true, fault: indexes(1 << 30), env: map[string]string{"GATEHOUSE_HEC_ACK": "on"}},
	{name: "acknowledged late", twice: true, fault: indexes(8), env: map[string]string{"GATEHOUSE_HEC_ACK": "on"}},
	{name: "acknowledged never, not waited for", twice: true, fault: indexes(1 << 30), env: map[string]string{"GATEHOUSE_HEC_ACK": "auto"}},
	{name: "acknowledged late, not waited for", twice: true, fault: indexes(8), env: map[string]string{"GATEHOUSE_HEC_ACK": "auto"}},
	{name: "TLS fails", stuck: true},
}

// on lets the fault happen.
func (f *hecFault) on(c *collector) {
	if f.refused {
		c.shut()
	}
	c.fail(f.fault)
}

// off mends it.
func (f *hecFault) off(t *testing.T, c *collector) {
	c.fail(nil)
	if f.refused {
		c.open(t)
	}
}

// blow is what happens to the sandbox beside a fault.
type blow struct {
	name string
	// folder makes where the run folder is; nil: anywhere.
	folder func(*testing.T) string
	// end is how long the end of the sandbox may take; 0: as in Lambda.
	end time.Duration
	do  func(t *testing.T, g *gate, c *collector)
	// cuts is how many requests it may end whose answer nobody hears.
	cuts int
	// last: it happens at the end, and nothing is mended before.
	last bool
}

var blows = []blow{
	{name: "nothing", do: func(*testing.T, *gate, *collector) {}},
	{name: "kill -9", cuts: 1, do: func(t *testing.T, g *gate, _ *collector) {
		g.kill(t)
		g.try(t, `{}`) // the kill is noticed
	}},
	{name: "two seconds stopped", cuts: 1, do: func(t *testing.T, g *gate, c *collector) {
		pid := g.process(t)
		_ = syscall.Kill(pid, syscall.SIGSTOP)
		c.closeIdle()
		time.Sleep(2 * time.Second) // the freeze under test
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}},
	{name: "time-out", do: func(t *testing.T, g *gate, _ *collector) { g.try(t, `{"Do":"sleep","Ms":60000,"Say":"last words"}`) }},
	{name: "SHUTDOWN with 300 ms left", cuts: 1, end: 300 * time.Millisecond, last: true},
	{name: "SHUTDOWN", last: true},
}

// try sends an event whose answer may be anything.
func (g *gate) try(t *testing.T, event string) {
	_, _ = g.Invoke(t.Context(), emulator.Input{Event: []byte(event)})
}

// cell runs one sandbox through a fault and a blow.
func cell(t *testing.T, f hecFault, b blow) {
	c := newCollector(t)
	env := c.env()
	env["GATEHOUSE_FLUSH"], env["GATEHOUSE_LOG_LEVEL"] = "", "" // the defaults
	maps.Copy(env, f.env)
	if f.stuck {
		env["GATEHOUSE_HEC_URL"] = "https://" + c.addr
	}
	c.useACK = env["GATEHOUSE_HEC_ACK"] != ""
	if b.folder != nil {
		env["GATEHOUSE_RUN_DIR"] = filepath.Join(b.folder(t), "run")
	}
	g := start(t, "func", setup{attach: wrapper, env: env, change: func(c *emulator.Config) {
		c.Timeout, c.StopTimeout = 3*time.Second, b.end
	}})
	visit := func() {
		g.try(t, `{"Say":"a line","Lines":3}`)
		g.try(t, sqlmap)
	}
	visit()
	f.on(c)
	visit()
	if b.do != nil {
		b.do(t, g, c)
	}
	visit()
	if !b.last {
		f.off(t, c)
		visit()
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := g.balanceOf(t, c, f.twice)
	if n := c.twice(); !f.twice && n > b.cuts {
		t.Errorf("something of %d batches came twice, and all but %d answers were plain", n, b.cuts)
	}
	if n := len(a.spooled); !b.last && !f.stuck && n > 0 {
		t.Errorf("%d records are on disk, although the collector is back", n)
	}
	if len(a.spooled) > 0 && c.count() == 0 && !f.stuck {
		t.Error("the collector was never asked")
	}
}

// together is how many sandboxes of the matrix run at once: most of the time they
// wait.
const together = 6

// TestFaultMatrix runs every fault of the way to Splunk against every blow to the
// sandbox. Of each kind, the distinct ids that are stored, on disk or printed, and
// what is counted as lost, make up what was made.
func TestFaultMatrix(t *testing.T) {
	matrix(t, blows)
}

func matrix(t *testing.T, blows []blow) {
	turns := make(chan struct{}, together)
	var wg sync.WaitGroup
	for _, b := range blows {
		for _, f := range hecFaults {
			wg.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				t.Run(strings.NewReplacer(" ", "-", "/", "-", ",", "").Replace(f.name+" x "+b.name), func(t *testing.T) { cell(t, f, b) })
			})
		}
	}
	wg.Wait()
}

// smallDisk names the folder for run folders of a child process, on a disk of its own.
const smallDisk = "GATEHOUSE_TEST_SMALL_DISK"

// TestFaultMatrixOnAFullDisk is the matrix's column of a run folder without room. It
// runs in a child with a mount namespace of its own.
func TestFaultMatrixOnAFullDisk(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		fullDisk(t, dir)
		return
	}
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFaultMatrixOnAFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir(), programsDir+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// fullDisk runs the column on a disk of 1 MiB that is filled when the fault begins.
func fullDisk(t *testing.T, dir string) {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	var disks atomic.Int64
	full := blow{name: "disk full", folder: func(t *testing.T) string {
		path := filepath.Join(dir, fmt.Sprint(disks.Add(1)))
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatal(err)
		}
		return path
	}, do: func(t *testing.T, g *gate, _ *collector) {
		fill(t, filepath.Join(filepath.Dir(g.env["GATEHOUSE_RUN_DIR"]), "full"))
	}}
	matrix(t, []blow{full})
}

// fill writes until nothing more fits.
func fill(t *testing.T, path string) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it is full
	for n := 64 << 10; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
}
