package console_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"gatehouse/internal/console"
)

// browser is a headless Chromium, driven over its DevTools protocol.
type browser struct {
	conn *websocket.Conn
	last int
}

// patience bounds what a browser may take on a busy machine.
const patience = 60 * time.Second

// startBrowser starts Chromium with one empty tab.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no chromium on this machine: pages are not shown in a browser")
	}
	profile := t.TempDir()
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+profile, "--remote-debugging-port=0", "--remote-allow-origins=*", "about:blank")
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		until(t, "the browser leaves its profile", func() bool { return os.RemoveAll(profile) == nil })
	})
	return &browser{conn: dial(t, debugPort(t, profile))}
}

// until polls done with a deadline.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// debugPort returns the address that the browser writes into its profile.
func debugPort(t *testing.T, profile string) string {
	t.Helper()
	var port string
	until(t, "the browser listens", func() bool {
		f, err := os.Open(filepath.Join(profile, "DevToolsActivePort"))
		if err != nil {
			return false
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Scan()
		port = lines.Text()
		return port != "" && lines.Scan()
	})
	return "127.0.0.1:" + port
}

func dial(t *testing.T, addr string) *websocket.Conn {
	t.Helper()
	var tabs []struct {
		Type string `json:"type"`
		URL  string `json:"webSocketDebuggerUrl"`
	}
	until(t, "the browser has a tab", func() bool {
		resp, err := http.Get("http://" + addr + "/json/list")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return json.NewDecoder(resp.Body).Decode(&tabs) == nil && len(tabs) > 0
	})
	conn, err := websocket.Dial(tabs[0].URL, "", "http://"+addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// call sends one command and decodes its result.
func (b *browser) call(t *testing.T, method string, params, result any) {
	t.Helper()
	b.last++
	if err := websocket.JSON.Send(b.conn, map[string]any{"id": b.last, "method": method, "params": params}); err != nil {
		t.Fatal(err)
	}
	for {
		var message struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  json.RawMessage `json:"error"`
		}
		if err := websocket.JSON.Receive(b.conn, &message); err != nil {
			t.Fatal(err)
		}
		if message.ID != b.last {
			continue // an event
		}
		if message.Error != nil {
			t.Fatalf("%s: %s", method, message.Error)
		}
		if result != nil {
			if err := json.Unmarshal(message.Result, result); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
}

func (b *browser) open(t *testing.T, to string) {
	t.Helper()
	want, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	b.call(t, "Page.navigate", map[string]any{"url": to}, nil)
	loaded := fmt.Sprintf("document.readyState === 'complete' && location.host === %q && location.pathname === %q",
		want.Host, "/"+strings.TrimPrefix(want.Path, "/"))
	until(t, "the page is loaded", func() bool { return b.eval(t, loaded) == true })
}

// eval returns what an expression gives in the page. DevTools may do so whatever
// the page's content policy says.
func (b *browser) eval(t *testing.T, expression string) any {
	t.Helper()
	var result struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
	}
	b.call(t, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &result)
	return result.Result.Value
}

// hostile returns what an attacker would put into every field, and a counter of
// the requests that it made.
func hostile(t *testing.T) (markup string, hits *atomic.Int32) {
	t.Helper()
	hits = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hits.Add(1) }))
	t.Cleanup(server.Close)
	run := fmt.Sprintf("document.title='taken';new Image().src='%s/run'", server.URL)
	return `'"></title></textarea></pre></style><script>` + run + `</script><img src="` + server.URL + `/img" onerror="` + run +
		`"><svg onload="` + run + `"><a href="javascript:` + run + `" autofocus onfocus="` + run + `">x</a>{{.}}${7*7}<!--`, hits
}

// hostileRecord puts markup into every text of a record, keys of the event too.
func hostileRecord(t *testing.T, kind, id, markup string) string {
	t.Helper()
	rec := map[string]any{"id": id, "kind": kind, "event": map[string]any{markup: markup, "list": []string{markup}},
		"decode_chain": []string{markup}, "degraded": []any{map[string]string{"what": markup, "reason": markup}},
		"requests": []any{map[string]string{"url": markup}}}
	for _, name := range []string{"function_name", "function_arn", "request_id", "signature", "signature_id", "category", "severity",
		"action", "verdict", "would_action", "path", "matched", "src", "dest", "url", "sni", "object", "package", "event_source",
		"tls_version", "alpn", "message", "status", "reason", "trace_id", "process"} {
		rec[name] = markup
	}
	body, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(markup)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(envelope(kind, "1700000000", string(body)), `"host":"sns-db-checker"`, `"host":`+string(quoted), 1)
}

// TestBrowserRunsHostileMarkup shows that the markup would run where nobody
// stops it; without that the next test says nothing.
func TestBrowserRunsHostileMarkup(t *testing.T) {
	b := startBrowser(t)
	markup, hits := hostile(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<title>fine", markup)
	}))
	t.Cleanup(server.Close)
	b.open(t, server.URL)
	until(t, "the markup runs", func() bool { return hits.Load() > 0 && b.eval(t, "document.title") == "taken" })
}

func TestHostileRecordsAreText(t *testing.T) {
	b := startBrowser(t)
	markup, hits := hostile(t)
	c := start(t, console.Config{})
	// One page is open before the records arrive, and takes them over live.
	b.open(t, c.URL())
	until(t, "the page listens", func() bool { return b.eval(t, `document.querySelector("#live")?.hidden === false`) == true })
	for i, kind := range []string{"attack", "leak", "connection", "health", "invocation", "log", "runtime"} {
		post(t, c, "/services/collector", hostileRecord(t, kind, fmt.Sprint("id", i), markup)).want(t, 200, "")
	}
	post(t, c, "/services/collector/raw?sourcetype=x", markup).want(t, 200, "")
	until(t, "the page shows the records", func() bool { return b.eval(t, `document.querySelectorAll("#detections .row").length`) == 3.0 })
	inspect := func(page string) {
		if got := b.eval(t, "document.title"); !strings.Contains(fmt.Sprint(got), "Gatehouse") {
			t.Errorf("%s: the title is %v", page, got)
		}
		if got := b.eval(t, `document.querySelectorAll("script:not([src^='/assets/']), img, iframe, [onload], [onerror], [onfocus], a[href^='javascript']").length`); got != 0.0 {
			t.Errorf("%s: %v hostile elements", page, got)
		}
		if got := b.eval(t, `document.body.textContent.includes("<script>document.title='taken'")`); got != true {
			t.Errorf("%s does not show the markup as text", page)
		}
	}
	inspect("the live page")
	for seq := range 8 {
		path := fmt.Sprintf("/record/%d", seq+1)
		b.open(t, c.HECURL()+path)
		inspect(path)
	}
	b.open(t, c.HECURL()+"/?q=%3Cscript%3Edocument.title=%27taken%27%3C/script%3E&function="+strings.Repeat("%3Cb%3E", 9))
	if got := b.eval(t, "document.title"); got != "Overview · Gatehouse" {
		t.Errorf("after a hostile search the title is %v", got)
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("the markup made %d requests", n)
	}
}

func TestChartIsDrawn(t *testing.T) {
	b := startBrowser(t)
	c := start(t, console.Config{})
	post(t, c, "/services/collector", envelope("attack", "1700000000", attackRecord)+
		envelope("invocation", "1700000000", `{"id":"i"}`)).want(t, 200, "")
	b.open(t, c.URL()+"&static=1")
	until(t, "the chart has a canvas", func() bool { return b.eval(t, `document.querySelector("#chart canvas")?.width > 100`) == true })
	const painted = `(() => { const c = document.querySelector("#chart canvas");
		return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some((v) => v > 0) })()`
	until(t, "the chart is painted", func() bool { return b.eval(t, painted) == true })
}
