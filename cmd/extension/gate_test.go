package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/console"
	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
)

// programsDir names the folder where they are, for a child process of a test.
const programsDir = "GATEHOUSE_TEST_PROGRAMS"

// programs are the extension and the functions, built once for all tests.
var programs = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv(programsDir); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "extension-test-")
	if err != nil {
		return "", err
	}
	for name, pkg := range map[string]string{
		"layer/extensions/gatehouse": ".", "func": "../../internal/emulator/testdata/func", "echo": "./testdata/echo", "streamer": "./testdata/streamer", "fetch": "./testdata/fetch", "runner": "./testdata/runner", "spiller": "./testdata/spiller", "consumer": "./testdata/consumer", "sns-db-checker": "../../examples/sns-db-checker",
	} {
		cmd := exec.Command("go", "build", raceFlag, "-o", filepath.Join(dir, name), pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	return dir, os.CopyFS(filepath.Join(dir, "layer", "gatehouse"), os.DirFS("../../layer/gatehouse"))
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil && os.Getenv(programsDir) == "" {
		_ = os.RemoveAll(dir) // the system's own cleaning does it otherwise
	}
	os.Exit(code)
}

// How a function is attached.
const (
	bare    = "bare"    // no layer
	wrapper = "wrapper" // AWS_LAMBDA_EXEC_WRAPPER
	proxied = "proxied" // HTTPS_PROXY alone
)

// setup says how to start a function.
type setup struct {
	attach string
	env    map[string]string
	change func(*emulator.Config)
}

// gate is a started function and the console that its layer reports to.
type gate struct {
	*emulator.Lambda
	console *console.Console
	db      string // the console's
	env     map[string]string

	mu    sync.Mutex
	lines []emulator.Line
}

// start starts program in a local Lambda, with the layer as s says.
func start(t *testing.T, program string, s setup) *gate {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	g := new(gate)
	g.db = filepath.Join(t.TempDir(), "console.db")
	if g.console, err = console.Open(t.Context(), console.Config{Addr: "127.0.0.1:0", Path: g.db}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.console.Close() })
	g.env = map[string]string{
		"GATEHOUSE_RUN_DIR": filepath.Join(t.TempDir(), "run"), "GATEHOUSE_LOG_LEVEL": "error",
		"GATEHOUSE_HEC_URL": g.console.HECURL(), "GATEHOUSE_HEC_TOKEN": g.console.HECToken(),
		"GATEHOUSE_MODE": "enforce", "GATEHOUSE_FLUSH": "end",
		"GORACE": "atexit_sleep_ms=0", // a second of each end otherwise, where it is built in
	}
	for _, name := range []string{"EGRESS", "RUNTIME_API", "TELEMETRY"} {
		g.env["GATEHOUSE_"+name+"_ADDR"] = freeAddr(t)
	}
	c := emulator.Config{Command: []string{filepath.Join(dir, program)}, Log: g.add, Timeout: 10 * time.Second, Env: g.env}
	switch s.attach {
	case bare:
		c.Env = map[string]string{}
	case wrapper:
		g.env["AWS_LAMBDA_EXEC_WRAPPER"] = "/opt/gatehouse/wrapper"
	case proxied:
		g.env["HTTPS_PROXY"] = "http://" + g.env["GATEHOUSE_EGRESS_ADDR"]
	}
	if s.attach != bare {
		c.Layer = filepath.Join(dir, "layer")
	}
	maps.Copy(c.Env, s.env)
	if s.change != nil {
		s.change(&c)
	}
	if g.Lambda, err = emulator.Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.stop(t) })
	return g
}

func (g *gate) stop(t *testing.T) {
	t.Helper()
	if err := g.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
		t.Errorf("shutdown: %v", err)
	}
	if log := g.log("extension"); strings.Contains(log, "panic") || strings.Contains(log, "DATA RACE") {
		t.Errorf("the extension's log:\n%s", log)
	}
	for _, r := range g.records(t, record.Health) {
		if r.Recovered != 0 {
			t.Errorf("%d panics were recovered", r.Recovered)
		}
	}
}

func (g *gate) add(l emulator.Line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines = append(g.lines, l)
}

// log returns the lines of one source.
func (g *gate) log(source string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var b strings.Builder
	for _, l := range g.lines {
		if l.Source == source {
			b.WriteString(l.Text + "\n")
		}
	}
	return b.String()
}

// timed returns all lines with their times.
func (g *gate) timed() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var b strings.Builder
	for _, l := range g.lines {
		fmt.Fprintf(&b, "%s %s %s\n", l.Time.Format("15:04:05.000"), l.Source, l.Text)
	}
	return b.String()
}

// invoke sends one event and returns the answer as the caller sees it.
func (g *gate) invoke(t *testing.T, event string) *emulator.Output {
	t.Helper()
	out, err := g.Invoke(t.Context(), emulator.Input{Event: []byte(event)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// freeAddr is a loopback address that nobody listens on.
//
// It lies below the ports that the system gives to clients: a port that was free a
// moment ago would go to any connection that another test makes, before the
// extension, or its next start after a reset, binds it.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("no free port below 32000")
	return ""
}

// eventually polls until ok, for five seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// records returns what the console has of a kind, in the order of arrival.
func (g *gate) records(t *testing.T, k record.Kind) (list []record.Record) {
	t.Helper()
	db, err := sql.Open("sqlite", g.db)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query(`SELECT event FROM records JOIN bodies USING (seq) WHERE kind = ? ORDER BY seq`, string(k))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text []byte
		var r record.Record
		if err := errors.Join(rows.Scan(&text), json.Unmarshal(text, &r)); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// kinds counts what the console has of a kind.
func (g *gate) kinds(k record.Kind) int { return g.console.Received().Kinds[k] }
