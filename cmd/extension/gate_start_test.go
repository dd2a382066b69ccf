package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/console"
	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
)

// What is wrong is said in the log and in the health record, each naming what to
// mend; the function runs, and no value of a token's is shown.
func TestMistakesAreSaid(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(broken, []byte("version: 1\nmodus: enforce\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"unknown setting", map[string]string{"GATEHOUSE_MOD": "tok_9f8e7d6c5b4a"}, []string{"GATEHOUSE_MOD: no such setting; the nearest is GATEHOUSE_MODE"}},
		{"policy", map[string]string{"GATEHOUSE_POLICY": broken}, []string{"line 2, column 1: unknown key", "the nearest is"}},
		{"no policy", map[string]string{"GATEHOUSE_POLICY": "/nowhere.yaml"}, []string{"GATEHOUSE_POLICY: open /nowhere.yaml"}},
		{"token without a URL", map[string]string{"GATEHOUSE_HEC_TOKEN": "tok_9f8e7d6c5b4a", "GATEHOUSE_HEC_CA": "/nowhere.pem", "GATEHOUSE_MODE": "tok"}, []string{`GATEHOUSE_MODE: \"tok\" is not one of`}},
	}
	for _, tt := range tests {
		env := map[string]string{"GATEHOUSE_HEC_URL": "", "GATEHOUSE_HEC_TOKEN": "", "GATEHOUSE_LOG_LEVEL": "debug"}
		for k, v := range tt.env {
			env[k] = v
		}
		g := start(t, "echo", setup{attach: wrapper, env: env})
		if out := g.invoke(t, `{"a":1}`); string(out.Payload) != `{"a":1}` {
			t.Errorf("%s: the function answered %q", tt.name, out.Payload)
		}
		eventually(t, tt.name+": a health record", func() bool { return strings.Contains(g.log("extension"), `"kind":"health"`) })
		for line := range strings.Lines(g.log("extension")) {
			for _, want := range tt.want {
				if (strings.Contains(line, `"degraded"`) || strings.Contains(line, "health")) && !strings.Contains(line, want) {
					t.Errorf("%s: no %q in\n%s", tt.name, want, line)
				}
			}
		}
		if strings.Contains(g.log("extension"), "tok_9f8e7d6c5b4a") {
			t.Errorf("%s: a token was printed:\n%s", tt.name, g.log("extension"))
		}
	}
}

// With GATEHOUSE_ON_ERROR=closed a function that cannot be guarded does not start,
// and Lambda is told why.
func TestClosedRefusesToStart(t *testing.T) {
	for _, env := range []map[string]string{
		{"GATEHOUSE_POLICY": "/nowhere.yaml"}, {"GATEHOUSE_MODE": "enfroce"}, {"GATEHOUSE_RUN_DIR": "/proc/nowhere"},
	} {
		env["GATEHOUSE_ON_ERROR"] = "closed"
		g := start(t, "echo", setup{attach: wrapper, env: env})
		out := g.invoke(t, `{}`)
		if out.FunctionError == "" { // the extension's error or the wrapper's, whichever is first
			t.Errorf("%v: the caller got %s", env, out.Payload)
		}
		for name, value := range env {
			if log := g.log("extension"); name != "GATEHOUSE_ON_ERROR" && !strings.Contains(log, value) {
				t.Errorf("%s=%s is not in the log:\n%s", name, value, log)
			}
		}
	}
}

// GATEHOUSE=off is off, whatever else is wrong; the port that a function may name
// in its HTTPS_PROXY tunnels.
func TestOffStillTunnels(t *testing.T) {
	g := start(t, "echo", setup{attach: wrapper, env: map[string]string{
		"GATEHOUSE": "off", "GATEHOUSE_ON_ERROR": "closed", "GATEHOUSE_POLICY": "/nowhere.yaml", "GATEHOUSE_MODE": "enfroce",
	}, change: func(c *emulator.Config) { c.NoFreeze = true }})
	const attack = `{"q":"1' UNION SELECT password FROM users -- "}`
	if out := g.invoke(t, attack); string(out.Payload) != attack {
		t.Errorf("the function answered %q %q", out.Payload, out.FunctionError)
	}
	if got := ask(t, g, echo(t)); got != "hello" {
		t.Errorf("through the tunnel came %q", got)
	}
	if _, err := os.Stat(filepath.Join(g.env["GATEHOUSE_RUN_DIR"], "ready")); err == nil {
		t.Error("there is a ready file")
	}
}

func TestReadyFile(t *testing.T) {
	g := start(t, "echo", setup{attach: wrapper, env: map[string]string{"GATEHOUSE_INSPECT_TLS": "true"}, change: func(c *emulator.Config) { c.NoFreeze = true }})
	g.invoke(t, `{}`)
	dir := g.env["GATEHOUSE_RUN_DIR"]
	text, err := os.ReadFile(filepath.Join(dir, "ready"))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for line := range strings.Lines(string(text)) {
		key, _, _ := strings.Cut(line, "=")
		keys = append(keys, key)
	}
	want := "runtime_api egress no_proxy ca bundle php"
	if hasJava("") {
		want = "runtime_api egress no_proxy ca bundle truststore php"
	}
	if got := strings.Join(keys, " "); got != want || !strings.Contains(string(text), "egress="+g.env["GATEHOUSE_EGRESS_ADDR"]+"\n") {
		t.Errorf("ready:\n%s", text)
	}
	if strings.Contains(string(text), "169.254.169.254") {
		t.Error("the metadata service would go around the guard")
	}
	for name, want := range map[string]os.FileMode{".": 0o700, "ready": 0o600, "ca.pem": 0o600, "bundle.pem": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
		t.Error("the ready file outlived SHUTDOWN")
	}
}

// The customer's own proxy becomes our upstream, for hosts outside his NO_PROXY.
func TestCustomerProxyIsUpstream(t *testing.T) {
	target := echo(t)
	p := newProxy(t, target)
	g := start(t, "echo", setup{attach: wrapper, env: map[string]string{
		"HTTPS_PROXY": "http://user:word@" + p.addr, "NO_PROXY": "127.0.0.1,direct.test",
	}, change: func(c *emulator.Config) { c.NoFreeze = true }})
	g.invoke(t, `{}`)
	if got := ask(t, g, "api.test:443"); got != "hello" || p.seen() != "api.test:443" {
		t.Errorf("outside NO_PROXY: %q, the proxy saw %q", got, p.seen())
	}
	if got := ask(t, g, target); got != "hello" || p.seen() != "api.test:443" {
		t.Errorf("inside NO_PROXY: %q, the proxy saw %q", got, p.seen())
	}
}

// A function that names our port in its own HTTPS_PROXY shows it to us too.
func TestOwnPortAsProxyDoesNotLoop(t *testing.T) {
	g := start(t, "echo", setup{attach: proxied, change: func(c *emulator.Config) { c.NoFreeze = true }})
	g.invoke(t, `{}`)
	if got := ask(t, g, echo(t)); got != "hello" {
		t.Errorf("through the tunnel came %q", got)
	}
	eventually(t, "one connection, one record", func() bool {
		g.invoke(t, `{}`)
		return g.kinds(record.Connection) == 1
	})
}

// A reset keeps the sandbox's id and counts.
func TestResetKeepsTheSandbox(t *testing.T) {
	const attack = `{"q":"1' UNION SELECT password FROM users -- "}`
	g := start(t, "func", setup{attach: wrapper})
	for range 2 {
		g.invoke(t, attack)
		g.invoke(t, `{"Do":"exit","Code":1}`)
	}
	var list []console.Detection
	eventually(t, "both attacks", func() bool {
		list, _ = g.console.Detections(t.Context(), console.Filter{Kind: record.Attack})
		return len(list) == 2
	})
	id := func(raw []byte) string { return between(string(raw), `"sandbox_id":"`, `"`) }
	if id(list[0].Raw) == "" || id(list[0].Raw) != id(list[1].Raw) ||
		!strings.Contains(string(list[1].Raw), `"generation":1`) || !strings.Contains(string(list[0].Raw), `"generation":2`) {
		t.Errorf("records\n%s\n%s", list[1].Raw, list[0].Raw)
	}
}

// aws-lambda-go has an extension of its own in the function, to hear of SIGTERM.
// It registers through the relay.
func TestInternalExtensionBehindTheRelay(t *testing.T) {
	g := start(t, "func", setup{attach: wrapper, env: map[string]string{"SIGTERM": "the function says goodbye"}})
	if out := g.invoke(t, `{"a":1}`); string(out.Payload) != `{"a":1}` {
		t.Fatalf("the function answered %q %s", out.FunctionError, out.Payload)
	}
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(g.log("function"), "the function says goodbye") {
		t.Errorf("no SIGTERM reached the handler:\n%s", g.log("function"))
	}
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

// echo is a server on loopback that greets and hangs up.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// ask sends a CONNECT for target through the gate, and returns what comes back.
func ask(t *testing.T, g *gate, target string) string {
	t.Helper()
	c, err := net.Dial("tcp", g.env["GATEHOUSE_EGRESS_ADDR"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		return res.Status
	}
	said, _ := io.ReadAll(r)
	return string(said)
}

// connectProxy is a customer's proxy: whatever is asked for, it dials one target.
type connectProxy struct {
	addr string
	mu   sync.Mutex
	asks []string
}

func (p *connectProxy) seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.asks, " ")
}

func newProxy(t *testing.T, target string) *connectProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &connectProxy{addr: l.Addr().String()}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asks = append(p.asks, r.Host)
		p.mu.Unlock()
		if user, word, ok := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth(); !ok || user != "user" || word != "word" {
			t.Errorf("the proxy was given %q %q", user, word)
		}
		up, err := net.Dial("tcp", target)
		if err != nil {
			t.Error(err)
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		_, _ = io.Copy(c, up)
		_ = up.Close()
		_ = c.Close()
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return p
}

// A function that crashes has its summary, though its sandbox is reset at once.
func TestCrashHasItsSummary(t *testing.T) {
	g := start(t, "func", setup{attach: wrapper})
	for n := range 5 {
		g.invoke(t, `{"Do":"exit","Code":1}`)
		eventually(t, fmt.Sprintf("summary %d", n+1), func() bool { return g.kinds(record.Invocation) == n+1 })
	}
}
