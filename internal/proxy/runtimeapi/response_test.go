package runtimeapi_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// own is a secret of the function's. It is made up.
const own = "tok_made_up_7Yc2Qm9RkV5sXw8ZtB3n"

// sweeping starts a relay that looks through responses.
func sweeping(t *testing.T, mode policy.Mode, action policy.ResponseAction, events ...string) *fixture {
	t.Helper()
	f := start(t, mode, detect.FormError, events...)
	f.guard.Policy().Responses = action
	set := leak.New([]leak.Secret{{Name: "BILLING_TOKEN", Value: []byte(own), Fingerprint: "0123456789ab"}})
	f.guard.Sweep = func(traces bool) detect.Sweep { return set.Sweep(leak.Response{Traces: traces}) }
	return f
}

// answer posts the function's answer to id-1 as the runtimes do: streamed is
// buffered, streaming, or chunked (buffered, its length not announced).
func (f *fixture) answer(t *testing.T, kind, how, body string) *http.Response {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	if how != "buffered" {
		r = io.MultiReader(r)
	}
	req, err := http.NewRequest(http.MethodPost, f.url+"/2018-06-01/runtime/invocation/id-1/"+kind, r)
	if err != nil {
		t.Fatal(err)
	}
	if how == "streaming" {
		req.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
		req.Trailer = http.Header{"Lambda-Runtime-Function-Error-Type": nil, "Lambda-Runtime-Function-Error-Body": nil}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

func TestResponseWithASecret(t *testing.T) {
	const enforce, monitor = policy.Enforce, policy.Monitor
	const stars = "********************************"
	body := `{"token":"` + own + `","pad":"` + strings.Repeat("x", 100_000) + `"}`
	whole, masked := "response  "+body, "response  "+strings.Replace(body, own, stars, 1)
	const blocked = "error Function.GatehouseLeakBlocked {"
	tests := []struct {
		mode                policy.Mode
		action              policy.ResponseAction
		kind, how           string
		want                string // how what Lambda was told begins
		verdict, act, would string
	}{
		{enforce, policy.ResponseMonitor, "response", "buffered", whole, "allow", "allowed", "allowed"},
		{enforce, policy.ResponseMonitor, "response", "streaming", whole, "allow", "allowed", "allowed"},
		{enforce, policy.ResponseMask, "response", "buffered", masked, "mask", "blocked", "blocked"},
		{enforce, policy.ResponseMask, "response", "chunked", masked, "mask", "blocked", "blocked"},
		{enforce, policy.ResponseMask, "response", "streaming", masked, "mask", "blocked", "blocked"},
		{enforce, policy.ResponseMask, "error", "buffered", strings.Replace(masked, "response", "error", 1), "mask", "blocked", "blocked"},
		{enforce, policy.ResponseRefuse, "response", "buffered", blocked, "refuse", "blocked", "blocked"},
		{enforce, policy.ResponseRefuse, "response", "chunked", blocked, "refuse", "blocked", "blocked"},
		{enforce, policy.ResponseRefuse, "response", "streaming", `response Function.GatehouseLeakBlocked `, "refuse", "blocked", "blocked"},
		{enforce, policy.ResponseRefuse, "error", "buffered", blocked, "refuse", "blocked", "blocked"},
		{monitor, policy.ResponseMask, "response", "buffered", whole, "allow", "allowed", "blocked"},
		{monitor, policy.ResponseRefuse, "response", "buffered", whole, "allow", "allowed", "blocked"},
		{monitor, policy.ResponseRefuse, "response", "streaming", whole, "allow", "allowed", "blocked"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %s %s %s", tt.mode, tt.action, tt.how, tt.kind), func(t *testing.T) {
			f := sweeping(t, tt.mode, tt.action, `{"a":1}`, `{}`)
			f.get(t, nextPath)
			if res := f.answer(t, tt.kind, tt.how, body); res.StatusCode != http.StatusAccepted {
				t.Errorf("the runtime was told %s", res.Status)
			}
			f.get(t, nextPath)
			if len(f.lambda.answers) != 1 || !strings.HasPrefix(f.lambda.answers[0], tt.want) {
				t.Errorf("lambda was told %.200q, want %.200q", f.lambda.answers, tt.want)
			}
			if tt.act == "blocked" && strings.Contains(fmt.Sprint(f.lambda.answers), own[4:]) {
				t.Errorf("the secret left: %.200q", f.lambda.answers)
			}
			f.expectLeakRecord(t, tt.kind, tt.verdict, tt.act, tt.would)
		})
	}
}

// expectLeakRecord checks the records of one answer with the secret in it.
func (f *fixture) expectLeakRecord(t *testing.T, place, verdict, action, would string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.records, func(r *record.Record) bool { return r.Kind == record.Leak })
	if i < 0 || len(f.records) != 2 {
		t.Fatalf("records %+v", f.records)
	}
	r, summary := f.records[i], f.records[1]
	if r.SignatureID != "leak.own-secret" || r.Path != place || r.Verdict != verdict || r.Action != action || r.WouldAction != would ||
		r.RequestID != "id-1" || r.Object != "BILLING_TOKEN" || r.Fingerprint != "0123456789ab" || string(r.Event) != `{"a":1}` || r.ID == "" {
		t.Errorf("record %+v", r)
	}
	if text, _ := r.Encode(); bytes.Contains(text, []byte(own)) {
		t.Errorf("the record shows the secret: %s", text)
	}
	status := "success"
	switch {
	case verdict == "refuse":
		status = "refused"
	case place == "error":
		status = "error"
	}
	if summary.Status != status {
		t.Errorf("status %q, want %q", summary.Status, status)
	}
}

// A stack trace is recorded and left alone, whatever the policy; in what a
// function says of its own failure it is no finding.
func TestStackTraceIsNeverRefused(t *testing.T) {
	const trace = `{"error":"at com.example.Handler.handle(Handler.java:12)"}`
	for _, action := range []policy.ResponseAction{policy.ResponseMonitor, policy.ResponseMask, policy.ResponseRefuse} {
		f := sweeping(t, policy.Enforce, action, `{}`)
		f.get(t, nextPath)
		f.answer(t, "response", "buffered", trace)
		if f.lambda.answers[0] != "response  "+trace {
			t.Errorf("%s: lambda was told %q", action, f.lambda.answers)
		}
		if len(f.records) != 1 || f.records[0].SignatureID != "response.stack-trace" || f.records[0].WouldAction != "allowed" {
			t.Errorf("%s: records %+v", action, f.records)
		}
		f.answer(t, "error", "buffered", trace)
		if len(f.records) != 1 {
			t.Errorf("%s: an error made a record: %+v", action, f.records[1])
		}
	}
}

func TestExceptionForAResponse(t *testing.T) {
	f := sweeping(t, policy.Enforce, policy.ResponseRefuse, `{}`, `{}`)
	p, err := policy.Parse([]byte("version: 1\nmode: enforce\nresponses: {action: refuse}\nevents: {exceptions: [{rule: leak.own-secret, path: response, reason: it hands tokens out}]}"))
	if err != nil {
		t.Fatal(err)
	}
	f.guard.Policy = func() *policy.Policy { return p }
	f.get(t, nextPath)
	f.answer(t, "response", "buffered", own)
	f.get(t, nextPath)
	if f.lambda.answers[0] != "response  "+own || len(f.records) != 1 || len(f.records[0].Exceptions) != 1 {
		t.Errorf("lambda was told %q, records %+v", f.lambda.answers, f.records)
	}
}

// A stream waits with the beginning of a secret alone, and with nothing where
// nothing is done about one.
func TestStreamWaitsOnlyWithABeginning(t *testing.T) {
	for _, tt := range []struct {
		action      policy.ResponseAction
		write, want string
	}{
		{policy.ResponseMonitor, "hello " + own[:20], "hello " + own[:20]},
		{policy.ResponseMask, "hello world", "hello world"},
		{policy.ResponseMask, "hello " + own[:20], "hello "},
		{policy.ResponseRefuse, "hello " + own[:20], "hello "},
	} {
		arrived, all := make(chan string), make(chan string, 1)
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 64)
			n, _ := r.Body.Read(buf)
			arrived <- string(buf[:n])
			rest, _ := io.ReadAll(r.Body)
			all <- string(buf[:n]) + string(rest)
			w.WriteHeader(http.StatusAccepted)
		}))
		f := sweeping(t, policy.Enforce, tt.action)
		f.relay.Upstream = up.Listener.Addr().String()
		pr, pw := io.Pipe()
		go func() {
			_, _ = io.WriteString(pw, tt.write)
			if got := <-arrived; got != tt.want {
				t.Errorf("%s: after %q upstream saw %q, want %q", tt.action, tt.write, got, tt.want)
			}
			_, _ = io.WriteString(pw, "!")
			_ = pw.Close()
		}()
		req, _ := http.NewRequest(http.MethodPost, f.url+"/2018-06-01/runtime/invocation/id/response", pr)
		req.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := <-all; got != tt.write+"!" {
			t.Errorf("%s: upstream got %q", tt.action, got)
		}
		up.Close()
	}
}

// Without announced trailers a stream cannot say that it failed: it is cut, and
// the invocation fails. Of the secret nothing has left.
func TestStreamWithoutTrailersIsCut(t *testing.T) {
	f := sweeping(t, policy.Enforce, policy.ResponseRefuse, `{}`)
	f.get(t, nextPath)
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\nHost: x\r\n"+
		"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"4\r\npart\r\n%x\r\n%s\r\n4\r\nmore\r\n0\r\n\r\n", len(own), own)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusAccepted {
		t.Errorf("status %d", res.StatusCode)
	}
	f.expectStopped(t, own[:8])
	f.expectStopped(t, "more")
}

// expectStopped checks that Lambda was told of a leak, and never got text.
func (f *fixture) expectStopped(t *testing.T, text string) {
	t.Helper()
	f.lambda.mu.Lock()
	defer f.lambda.mu.Unlock()
	told := func(a string) bool { return strings.HasPrefix(a, "error Function.GatehouseLeakBlocked") }
	if !slices.ContainsFunc(f.lambda.answers, told) {
		t.Errorf("lambda was told %.200q", f.lambda.answers)
	}
	for _, b := range f.lambda.bodies {
		if strings.Contains(b, text) {
			t.Errorf("lambda got %.200q", b)
		}
	}
}

// The error that ends a stream is looked through as well.
func TestErrorTrailersAreLookedThrough(t *testing.T) {
	failed := base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"` + own + `"}`))
	masked := base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"` + strings.Repeat("*", len(own)) + `"}`))
	for action, want := range map[policy.ResponseAction]string{
		policy.ResponseMonitor: failed, policy.ResponseMask: masked, policy.ResponseRefuse: "Function.GatehouseLeakBlocked",
	} {
		f := sweeping(t, policy.Enforce, action)
		conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\nHost: x\r\n"+
			"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"+
			"Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"+
			"4\r\npart\r\n0\r\nLambda-Runtime-Function-Error-Type: Function.Late\r\nLambda-Runtime-Function-Error-Body: "+failed+"\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		_ = conn.Close()
		trailer := fmt.Sprint(f.lambda.seen[0].Trailer)
		if !strings.Contains(trailer, want) || f.lambda.bodies[0] != "part" {
			t.Errorf("%s: upstream got %q and trailers %s", action, f.lambda.bodies[0], trailer)
		}
	}
}

// What is too large to be held, or for which there is no room, is stopped on its
// way.
func TestLargeResponseIsStoppedOnItsWay(t *testing.T) {
	f := sweeping(t, policy.Enforce, policy.ResponseRefuse, `{}`)
	f.get(t, nextPath)
	body := strings.Repeat("x", 7<<20)
	f.answer(t, "response", "buffered", body+own)
	f.expectStopped(t, own)
}

// A managed instance holds 32 MiB of responses at most: what comes then is stopped
// on its way, and of it the beginning has left.
func TestManagedInstanceBoundsWhatIsHeld(t *testing.T) {
	f := sweeping(t, policy.Enforce, policy.ResponseRefuse)
	f.guard.Sandbox.Concurrent = true
	for range 6 {
		pr, pw := io.Pipe()
		t.Cleanup(func() { _ = pw.CloseWithError(io.ErrUnexpectedEOF) })
		go func() {
			req, _ := http.NewRequest(http.MethodPost, f.url+"/2018-06-01/runtime/invocation/held/response", pr)
			req.ContentLength = 6 << 20
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
			}
		}()
	}
	begun := func() bool {
		f.lambda.mu.Lock()
		defer f.lambda.mu.Unlock()
		return slices.ContainsFunc(f.lambda.bodies, func(b string) bool { return strings.HasPrefix(b, "yyyy") })
	}
	for end := time.Now().Add(10 * time.Second); !begun(); time.Sleep(time.Millisecond) {
		f.answer(t, "response", "buffered", strings.Repeat("y", 300_000)+own)
		if time.Now().After(end) {
			t.Fatal("everything was held")
		}
	}
	f.expectStopped(t, own)
}

// Every byte passes, whatever a response's length is to the pieces it is read in.
func TestResponsesPassByteForByte(t *testing.T) {
	for _, action := range []policy.ResponseAction{policy.ResponseMonitor, policy.ResponseMask, policy.ResponseRefuse} {
		for _, how := range []string{"buffered", "chunked", "streaming"} {
			f := sweeping(t, policy.Enforce, action)
			for _, n := range []int{0, 1, 7, 4095, 4096, 32767, 32768, 32769, 36864, 65536, 100_001} {
				body := make([]byte, n)
				for i := range body {
					body[i] = byte(i * i >> 3)
				}
				copy(body[n/2:], own[:n/2*20/max(n, 20)]) // a beginning, here and at the end
				copy(body[max(0, n-20):], own)
				f.answer(t, "response", how, string(body))
				f.lambda.mu.Lock()
				if got := f.lambda.bodies[len(f.lambda.bodies)-1]; got != string(body) {
					t.Errorf("%s, %s: %d bytes arrived as %d", action, how, n, len(got))
				}
				f.lambda.mu.Unlock()
			}
			if len(f.records) > 0 {
				t.Errorf("%s, %s: records %+v", action, how, f.records[0])
			}
		}
	}
}

// What a function says of an init that failed reaches the caller, too.
func TestInitErrorIsLookedThrough(t *testing.T) {
	const body = `{"errorMessage":"no database at ` + own + `","errorType":"KeyError"}`
	for action, want := range map[policy.ResponseAction]string{
		policy.ResponseMonitor: "error Function.Init " + body,
		policy.ResponseMask:    "error Function.Init " + strings.Replace(body, own, strings.Repeat("*", len(own)), 1),
		policy.ResponseRefuse:  "error Function.GatehouseLeakBlocked {",
	} {
		for _, chunked := range []bool{false, true} {
			f := sweeping(t, policy.Enforce, action)
			var r io.Reader = strings.NewReader(body)
			if chunked {
				r = io.MultiReader(r)
			}
			req, err := http.NewRequest(http.MethodPost, f.url+"/2018-06-01/runtime/init/error", r)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Lambda-Runtime-Function-Error-Type", "Function.Init")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusAccepted || len(f.lambda.answers) != 1 || !strings.HasPrefix(f.lambda.answers[0], want) {
				t.Errorf("%s: status %d, lambda was told %q", action, res.StatusCode, f.lambda.answers)
			}
			if len(f.records) != 1 || f.records[0].Path != "error" {
				t.Errorf("%s: records %+v", action, f.records)
			}
		}
	}
}

// A sweep that breaks costs nothing but itself, unless it is asked to.
func TestPanicWhileSweeping(t *testing.T) {
	for _, closed := range []bool{false, true} {
		f := sweeping(t, policy.Enforce, policy.ResponseMask, `{}`)
		f.guard.FailClosed = closed
		f.guard.Sweep = func(bool) detect.Sweep { return func([]byte, int, bool) detect.Swept { panic("a bug") } }
		f.get(t, nextPath)
		f.answer(t, "response", "buffered", `{"fine":true}`)
		if f.guard.Recovered() != 1 {
			t.Errorf("closed %v: %d panics", closed, f.guard.Recovered())
		}
		if closed {
			f.expectStopped(t, "fine")
		} else if f.lambda.answers[0] != `response  {"fine":true}` {
			t.Errorf("lambda was told %q", f.lambda.answers)
		}
	}
}
