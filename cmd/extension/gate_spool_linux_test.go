package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

const sqlmap = `{"q":"1' UNION SELECT password FROM users -- "}`

// account is what became of a sandbox's records, read from its folder as its next
// start would.
type account struct {
	counts  map[record.Kind]telemetry.Count
	ended   telemetry.Ended
	spooled map[string]record.Kind // by id
}

// bag is a sink that takes all.
type bag map[string]record.Kind

func (b bag) Send(_ context.Context, batch []telemetry.Item) (int, error) {
	for i := range batch {
		b[batch[i].ID] = batch[i].Kind
	}
	return len(batch), nil
}

// left reads the run folder of a sandbox that is over.
func (g *gate) left(t *testing.T) account {
	t.Helper()
	f := runFolder(g.env["GATEHOUSE_RUN_DIR"])
	id, _, _ := strings.Cut(string(f.peek("sandbox")), " ")
	a := account{spooled: make(map[string]record.Kind)}
	p := &telemetry.Pipeline{Sink: bag(a.spooled), Spool: func() *telemetry.Spool {
		return &telemetry.Spool{
			Dir: f.path("spool"), Counters: f.path("counters"), Sandbox: id,
			Secret: func() (string, error) { return g.env["GATEHOUSE_HEC_TOKEN"], nil },
		}
	}}
	defer p.Close()
	var err error
	if a.ended, err = p.Before(); err != nil {
		t.Fatal(err)
	}
	a.counts = p.Counts()
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// balance fails where a record was not stored, spooled, printed or counted as lost:
// of each kind, distinct ids and no more than were made. What was on its way when the
// process was killed may be counted as lost, and have arrived.
func (g *gate) balance(t *testing.T, c *collector) account {
	return g.balanceOf(t, c, false)
}

// balanceOf is balance; where unheard is set, the collector took what it did not
// confirm, which may be counted as lost.
func (g *gate) balanceOf(t *testing.T, c *collector, unheard bool) account {
	t.Helper()
	a := g.left(t)
	ids := c.ids()
	maps.Copy(ids, a.spooled)
	maps.Copy(ids, printed(g.log("extension")))
	have := make(map[record.Kind]uint64)
	for _, k := range ids {
		have[k]++
	}
	var twice uint64
	for k, n := range a.counts {
		if have[k]+n.Lost < n.Made || have[k] > n.Made {
			t.Errorf("%s: made %d, %d of them are somewhere, %d counted as lost", k, n.Made, have[k], n.Lost)
		}
		twice += have[k] + n.Lost - n.Made
	}
	if perhaps := a.ended.Perhaps + g.perhaps(t); twice > perhaps && !unheard {
		t.Errorf("%d records are counted as lost and have arrived, and %d were on their way", twice, perhaps)
	}
	if len(a.counts) == 0 {
		t.Error("no records were made")
	}
	if t.Failed() {
		t.Logf("counts %v, the last start ended %+v, the extension's log is\n%s", a.counts, a.ended, g.log("extension"))
	}
	return a
}

// perhaps is how many records the starts of the sandbox said that a kill may have
// taken on their way.
func (g *gate) perhaps(t *testing.T) (n uint64) {
	t.Helper()
	for line := range strings.Lines(g.log("extension")) {
		if !strings.Contains(line, `"what":"ended"`) {
			continue
		}
		_, rest, _ := strings.Cut(line, " are lost; ")
		var some uint64
		if _, err := fmt.Sscanf(rest, "%d of them were being sent", &some); err != nil {
			t.Errorf("%v in %s", err, line)
		}
		n += some
	}
	return n
}

// process is the extension's process id.
func (g *gate) process(t *testing.T) int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		exe, _ := os.Readlink(dir + "/exe") // gone: not it
		env, _ := os.ReadFile(dir + "/environ")
		if strings.HasSuffix(exe, "/extensions/gatehouse") && bytes.Contains(env, []byte("GATEHOUSE_RUN_DIR="+g.env["GATEHOUSE_RUN_DIR"]+"\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			return pid
		}
	}
	t.Fatal("the extension does not run")
	return 0
}

// kill ends the extension as the kernel does when memory is short.
func (g *gate) kill(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(g.process(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// SHUTDOWN with 300 ms left and a collector that does not answer: the findings are in
// the log, the rest is on disk, and the extension goes by itself.
func TestShutdownWithLittleTimeLeft(t *testing.T) {
	c := newCollector(t)
	env := c.env()
	env["GATEHOUSE_LOG_LEVEL"] = "warn"
	g := start(t, "func", setup{attach: wrapper, env: env, change: func(c *emulator.Config) { c.StopTimeout = 300 * time.Millisecond }})
	g.invoke(t, `{"Say":"line"}`)
	c.fail(silent)
	g.invoke(t, sqlmap)
	began := time.Now()
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := g.log("extension")
	if len(printed(log)) != 1 || !strings.Contains(log, "records did not reach splunk") {
		t.Errorf("after %v the log is\n%s", time.Since(began), log)
	}
	g.balance(t, c)
}

// A healthy collector has everything within a second of SHUTDOWN.
func TestShutdownTakesNoSecond(t *testing.T) {
	c := newCollector(t)
	g := start(t, "func", setup{attach: wrapper, env: c.env()})
	g.invoke(t, `{"Say":"line"}`)
	began := time.Now()
	if err := g.Shutdown(t.Context()); err != nil || time.Since(began) > time.Second {
		t.Errorf("shutdown took %v (%v)", time.Since(began), err)
	}
	if a := g.balance(t, c); len(a.spooled) != 0 {
		t.Errorf("on disk %v", a.spooled)
	}
}

// What HEC does not take outlives a kill -9, and the next start of the sandbox sends
// it and goes on counting where the last one was.
func TestRecordsOutliveAKill(t *testing.T) {
	c := newCollector(t)
	c.fail(down)
	g := start(t, "func", setup{attach: wrapper, env: c.env()})
	for i := range 3 {
		g.invoke(t, fmt.Sprintf(`{"Say":"line %d"}`, i))
		g.invoke(t, sqlmap)
	}
	if len(c.ids()) != 0 {
		t.Fatal("the collector took something")
	}
	eventually(t, "the freeze", func() bool { return g.Sandboxes().Freezes == 6 }) // what is in memory would be lost
	g.kill(t)
	c.fail(nil)
	// The kill is noticed now, or at the next invocation: the one after that is whole.
	_, _ = g.Invoke(t.Context(), emulator.Input{Event: []byte(`{}`)})
	g.invoke(t, sqlmap)
	eventually(t, "all four attacks", func() bool { return c.kind(record.Attack) == 4 })
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := g.balance(t, c)
	if len(a.spooled) != 0 || a.counts[record.Attack].Lost != 0 {
		t.Errorf("on disk %v, counts %v", a.spooled, a.counts)
	}
	if text, err := os.ReadFile(filepath.Join(g.env["GATEHOUSE_RUN_DIR"], "counters")); err != nil || len(text) != 4096 {
		t.Errorf("counters: %d bytes, %v", len(text), err)
	}
}

// The sandbox stands still while the other end closes what is idle: what comes after
// is delivered all the same, once.
func TestAThawAfterThePeerHungUp(t *testing.T) {
	c := newCollector(t)
	g := start(t, "func", setup{attach: wrapper, env: c.env()})
	for i := range 3 {
		g.invoke(t, sqlmap)
		eventually(t, "a freeze", func() bool { return g.Sandboxes().Freezes > i })
		pid := g.process(t)
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		c.closeIdle()
		time.Sleep(2 * time.Second) // the freeze under test
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	g.invoke(t, sqlmap)
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := g.balance(t, c)
	if n := c.kind(record.Attack); n != 4 || c.twice() != 0 || len(a.spooled) != 0 {
		t.Errorf("%d attacks, %d batches twice, on disk %v", n, c.twice(), a.spooled)
	}
}
