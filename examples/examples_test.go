// Package examples_test runs the three functions under a local Lambda.
package examples_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/cmd/gatehouse/battery"
	"gatehouse/internal/emulator"
)

// functions are the runtimes that the function is written for. Each one makes
// the command that starts it, or skips.
var functions = map[string]func(*testing.T) []string{
	"go":     buildGo,
	"python": func(t *testing.T) []string { return script(t, "python3", "sns-db-checker-python") },
	"node":   func(t *testing.T) []string { return script(t, "node", "sns-db-checker-node") },
}

func buildGo(t *testing.T) []string {
	t.Helper()
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bootstrap, "./sns-db-checker").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return []string{bootstrap}
}

func script(t *testing.T, interpreter, dir string) []string {
	t.Helper()
	path, err := exec.LookPath(interpreter)
	if err != nil {
		t.Skipf("no %s", interpreter)
	}
	bootstrap, err := filepath.Abs(filepath.Join(dir, "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	return []string{path, bootstrap}
}

// function is one of them, running.
type function struct {
	*emulator.Lambda
	mu  sync.Mutex
	log strings.Builder
}

func start(t *testing.T, command []string, env map[string]string) *function {
	t.Helper()
	f := new(function)
	env["PATH"] = os.Getenv("PATH")
	env["DB_PATH"] = filepath.Join(t.TempDir(), "audit.db")
	l, err := emulator.Start(t.Context(), emulator.Config{
		Command: command, Env: env, Timeout: 10 * time.Second, NoFreeze: true,
		Log: func(line emulator.Line) {
			if line.Source == emulator.FromPlatform {
				return
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.log.WriteString(line.Text + "\n")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Lambda = l
	t.Cleanup(func() { // ends the processes
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = l.Shutdown(ctx)
	})
	return f
}

func (f *function) lines() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

// wait returns the log once it has n lines, or after five seconds as it is: a
// line takes its own way out of the process.
func (f *function) wait(n int) string {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if log := f.lines(); strings.Count(log, "\n") >= n {
			return log
		}
	}
	return f.lines()
}

func (f *function) answer(t *testing.T, message string) string {
	t.Helper()
	out, err := f.Invoke(t.Context(), emulator.Input{Event: battery.SNS(message, "id-1")})
	if err != nil {
		t.Fatalf("invoking: %v\n%s", err, f.lines())
	}
	return string(out.Payload)
}

func TestAnswersAreTheSameInEveryRuntime(t *testing.T) {
	rates := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"USD":1.08}`)) }))
	t.Cleanup(rates.Close)
	const (
		nothing = `{"count":0,"rows":[],"total":"0.00 EUR"}`
		widget  = `{"count":1,"rows":[{"id":1,"name":"blue widget","cents":1250}],"total":"12.50 EUR"}`
	)
	for name, command := range functions {
		t.Run(name, func(t *testing.T) {
			f := start(t, command(t), map[string]string{"RATES_URL": rates.URL})
			for _, test := range []struct{ message, want string }{
				{"blue widget", widget},
				{`{"name":"blue widget","quantity":3}`, widget},
				{`{"order":"blue widget"}`, widget},
				{`{"order":17}`, nothing},
				{"請在星期五之前送到", nothing},
				{"O'Brien", nothing},
				{"", nothing},
				{`{"rates":true}`, `{"count":0,"rows":[],"total":"0.00 EUR","rates":"{\"USD\":1.08}"}`},
				{"x' OR 1=1 AND id<>2 AND NOT id > 1--", widget},
				{"x') OR 1=1--", nothing},
			} {
				if got := strings.TrimSpace(f.answer(t, test.message)); got != test.want {
					t.Errorf("%q: %s, want %s", test.message, got, test.want)
				}
			}
			if log := f.wait(2); strings.Count(log, "checking order: ") != 2 || strings.Count(log, "\n") != 2 {
				t.Errorf("log %q, want two lines", log)
			}
		})
	}
}

// The poison acts when it says, and its failure changes no answer. Go and Python
// ask the proxy that HTTPS_PROXY names; Node does with what the layer preloads.
func TestPoisonActs(t *testing.T) {
	shim, err := filepath.Abs("../layer/gatehouse/proxy.cjs")
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range functions {
		t.Run(name, func(t *testing.T) {
			started := command(t)
			for _, when := range []string{"import", "handler", "thread"} {
				t.Run(when, func(t *testing.T) { poison(t, started, when, "--require="+shim) })
			}
		})
	}
}

func poison(t *testing.T, command []string, when, nodeOptions string) {
	proxy, asked := refuseAll(t)
	f := start(t, command, map[string]string{
		"POISON": when, "POISON_PORT": "8443", "HTTPS_PROXY": "http://" + proxy, "NODE_OPTIONS": nodeOptions,
	})
	if got := f.answer(t, "tea cup"); !strings.Contains(got, `"total":"7.90 EUR"`) {
		t.Errorf("answer %s", got)
	}
	select {
	case line := <-asked:
		if !strings.HasPrefix(line, "CONNECT www.some.test:8443 ") {
			t.Errorf("asked %q", line)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody asked")
	}
	if log := f.lines(); log != "" {
		t.Errorf("log %q, want silence", log)
	}
}

// refuseAll is a proxy that refuses; asked gets the first line of the first
// request.
func refuseAll(t *testing.T) (addr string, asked chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // ends the goroutine
	asked = make(chan string, 16)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(conn).ReadString('\n') // an empty line fails the test
			asked <- line
			_, _ = conn.Write([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	return l.Addr().String(), asked
}
