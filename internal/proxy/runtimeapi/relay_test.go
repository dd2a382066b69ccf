package runtimeapi_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/runtimeapi"
	"gatehouse/internal/record"
)

// engine finds the word ATTACK and knows one source.
type engine struct{ form detect.Form }

func (e engine) Source([]byte) *detect.Source { return &detect.Source{Name: "test", Form: e.form} }

func (e engine) Inspect(event []byte, _ *detect.Source, r *detect.Result, _ func() bool) {
	if bytes.Contains(event, []byte("PANIC")) {
		panic("a bug")
	}
	if i := bytes.Index(event, []byte("ATTACK")); i >= 0 {
		r.Findings = append(r.Findings, detect.Finding{RuleID: "test.attack", Path: "p", Matched: "ATTACK", MatchOffset: i})
	}
}

// lambda is a fake Runtime API: it hands out events and keeps the answers.
type lambda struct {
	mu      sync.Mutex
	events  []string
	answers []string // "id kind errortype body"
	seen    []*http.Request
	bodies  []string
	id      string // of every event; "" numbers them
	refuse  int    // status for answers; 0: they are taken
}

func (l *lambda) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen, l.bodies = append(l.seen, r), append(l.bodies, string(body))
	if strings.HasSuffix(r.URL.Path, "/next") && len(l.events) > 0 {
		e := l.events[0]
		l.events = l.events[1:]
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", cmp.Or(l.id, fmt.Sprintf("id-%d", len(l.seen))))
		w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:orders")
		w.Header().Set("X-New-Header", "kept")
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(e)))
		_, _ = io.WriteString(w, e)
		return
	}
	part := strings.Split(r.URL.Path, "/")
	if kind := part[len(part)-1]; kind == "response" || kind == "error" {
		if l.refuse != 0 {
			w.WriteHeader(l.refuse)
			return
		}
		errorType := r.Header.Get("Lambda-Runtime-Function-Error-Type") + r.Trailer.Get("Lambda-Runtime-Function-Error-Type")
		l.answers = append(l.answers, fmt.Sprintf("%s %s %s", kind, errorType, body))
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"status":"OK"}`)
		return
	}
	w.Header().Set("X-Path", r.URL.Path+"?"+r.URL.RawQuery)
	w.WriteHeader(http.StatusTeapot)
	_, _ = w.Write(body)
}

type fixture struct {
	lambda  *lambda
	guard   *proxy.Guard
	relay   *runtimeapi.Relay
	url     string
	mu      sync.Mutex
	records []*record.Record
	done    []string
}

func start(t *testing.T, mode policy.Mode, form detect.Form, events ...string) *fixture {
	t.Helper()
	f := &fixture{lambda: &lambda{events: events}}
	up := httptest.NewServer(f.lambda)
	t.Cleanup(up.Close)
	p := policy.Default()
	p.Mode = mode
	f.guard = &proxy.Guard{
		Sandbox: new(proxy.Sandbox), Engine: engine{form}, Policy: func() *policy.Policy { return p },
		Report: func(r *record.Record) { f.mu.Lock(); defer f.mu.Unlock(); f.records = append(f.records, r) },
	}
	f.relay = &runtimeapi.Relay{Upstream: up.Listener.Addr().String(), Guard: f.guard,
		Done: func(id string) { f.mu.Lock(); defer f.mu.Unlock(); f.done = append(f.done, id) }}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := f.relay.Server()
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	f.url = "http://" + l.Addr().String()
	return f
}

func (f *fixture) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get(f.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

const nextPath = "/2018-06-01/runtime/invocation/next"

func TestBenignEventArrivesByteForByte(t *testing.T) {
	for _, event := range []string{`{"a": 1 }`, "", "not json", "\xff\xfe", strings.Repeat(`"`, 1<<20), `[[`} {
		f := start(t, policy.Enforce, detect.FormError, event)
		res, body := f.get(t, nextPath)
		if body != event {
			t.Errorf("event of %d bytes arrived as %d bytes", len(event), len(body))
		}
		if got := res.Header.Get("X-New-Header"); got != "kept" || res.StatusCode != http.StatusOK {
			t.Errorf("status %d, header %q, want 200 and kept", res.StatusCode, got)
		}
	}
}

// Without an engine nothing is held: the event arrives, and its invocation is open.
func TestUninspectedEventArrivesByteForByte(t *testing.T) {
	for _, event := range []string{`{"p":"ATTACK"}`, "", strings.Repeat("x", 1<<20)} {
		f := start(t, policy.Enforce, detect.FormError, event)
		f.guard.Engine = nil
		if _, body := f.get(t, nextPath); body != event {
			t.Errorf("event of %d bytes arrived as %d bytes", len(event), len(body))
		}
		open, _ := f.guard.Sandbox.At()
		if len(open) != 1 || open[0].BytesIn != int64(len(event)) {
			t.Errorf("open invocations = %+v, want one of %d bytes", open, len(event))
		}
	}
}

func TestRefusal(t *testing.T) {
	tests := []struct {
		form detect.Form
		want string // how the answer begins
	}{
		{detect.FormError, `error Function.GatehouseRefused {"errorMessage":"refused by gatehouse: test.attack (incident `},
		{detect.FormDrop, `error Function.GatehouseRefused {"errorMessage":"refused by gatehouse: test.attack (incident `},
		{detect.FormSuccess, `response  null`},
		{detect.FormHTTP, `response  {"body":"{\"incident\":\"`},
	}
	for _, tt := range tests {
		f := start(t, policy.Enforce, tt.form, `{"p":"ATTACK 1"}`, `{"p":"fine"}`)
		_, body := f.get(t, nextPath)
		if body != `{"p":"fine"}` {
			t.Errorf("form %d: the function got %q", tt.form, body)
		}
		if len(f.lambda.answers) != 1 || !strings.HasPrefix(f.lambda.answers[0], tt.want) {
			t.Errorf("form %d: lambda was told %q, want %q", tt.form, f.lambda.answers, tt.want)
		}
		if strings.Contains(fmt.Sprint(f.lambda.answers), "ATTACK") {
			t.Errorf("form %d: the refusal shows the payload", tt.form)
		}
		if len(f.done) != 1 || f.done[0] != "id-1" {
			t.Errorf("form %d: done = %q, want id-1", tt.form, f.done)
		}
	}
}

func TestRecordsOfARefusal(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError, `{"p":"ATTACK"}`, `{}`)
	f.get(t, nextPath)
	if len(f.records) != 2 {
		t.Fatalf("%d records, want an attack and an invocation", len(f.records))
	}
	a, i := f.records[0], f.records[1]
	if a.Kind != record.Attack || a.Action != "blocked" || a.WouldAction != "blocked" || a.RequestID != "id-1" || string(a.Event) != `{"p":"ATTACK"}` {
		t.Errorf("attack record: %+v", a)
	}
	if i.Kind != record.Invocation || i.Status != "refused" || i.Action != "blocked" || i.Receipt == nil || i.Receipt.Bytes != 14 {
		t.Errorf("invocation record: %+v", i)
	}
}

func TestMonitorModeRefusesNothing(t *testing.T) {
	f := start(t, policy.Monitor, detect.FormError, `{"p":"ATTACK"}`)
	if _, body := f.get(t, nextPath); body != `{"p":"ATTACK"}` {
		t.Errorf("the function got %q", body)
	}
	if r := f.records[0]; r.Action != "allowed" || r.WouldAction != "blocked" {
		t.Errorf("action %q, would %q, want allowed and blocked", r.Action, r.WouldAction)
	}
}

func TestPanicWhileInspectingFailsOpen(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError, `PANIC`)
	if _, body := f.get(t, nextPath); body != `PANIC` {
		t.Errorf("the function got %q", body)
	}
	if got := f.guard.Recovered(); got != 1 {
		t.Errorf("Recovered() = %d, want 1", got)
	}
	f.guard.Finish("id-1", "success")
	if r := f.records[0]; r.Receipt == nil || r.Receipt.Inspected || r.Receipt.Gaps[0].Reason != "panic" {
		t.Errorf("the receipt does not say so: %+v", r.Receipt)
	}
}

func TestPanicWhileInspectingFailsClosedWhereAsked(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError, `PANIC`, `fine`)
	f.guard.FailClosed = true
	if _, body := f.get(t, nextPath); body != `fine` {
		t.Errorf("the function got %q", body)
	}
	if r := f.records[0]; r.Kind != record.Attack || r.SignatureID != "gatehouse.broken" || r.Action != "blocked" || !strings.Contains(f.lambda.answers[0], r.ID) {
		t.Errorf("record %+v, answer %q", r, f.lambda.answers)
	}
}

// A retry of Lambda's own has the request id of the first try, in the same
// sandbox.
func TestRetriedInvocationIsOneMore(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError, `{}`, `{"a":1}`)
	f.lambda.id = "again"
	f.get(t, nextPath)
	f.get(t, nextPath)
	f.guard.Sandbox.Open(proxy.Invocation{RequestID: "again", ARN: "arn"}) // INVOKE
	if open, phase := f.guard.Sandbox.At(); len(open) != 1 || open[0].BytesIn != 7 || phase != proxy.Invoke {
		t.Errorf("open %+v, phase %s", open, phase)
	}
	f.guard.Finish("again", "success")
	if len(f.records) != 2 {
		t.Errorf("%d summaries, want 2", len(f.records))
	}
}

func TestRefusalThatLambdaDoesNotTake(t *testing.T) {
	for _, closed := range []bool{false, true} {
		f := start(t, policy.Enforce, detect.FormError, `ATTACK`)
		f.guard.FailClosed, f.lambda.refuse = closed, http.StatusGone
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+nextPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if (err != nil) != closed {
			t.Fatalf("closed %v: %v", closed, err)
		}
		if closed {
			continue
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		f.guard.Finish("id-1", "success")
		gaps := f.records[len(f.records)-1].Receipt.Gaps
		if string(body) != `ATTACK` || len(gaps) != 1 || gaps[0].Reason != "not-refused" {
			t.Errorf("the function got %q, the receipt says %+v", body, gaps)
		}
	}
}

// The events that wait for inspection on a managed instance are bounded: what is
// beyond passes, and its receipt says so, or is refused where that is asked for.
func TestManagedInstanceBoundsWhatWaits(t *testing.T) {
	const workers = 8
	big := strings.Repeat("x", 6<<20)
	for _, closed := range []bool{false, true} {
		f := start(t, policy.Enforce, detect.FormError, slices.Repeat([]string{big}, workers)...)
		f.guard.Sandbox.Concurrent, f.guard.FailClosed = true, closed
		release := make(chan struct{})
		f.guard.Engine = slow{engine{}, release}
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				if res, err := http.Get(f.url + nextPath); err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			})
		}
		end := time.Now().Add(10 * time.Second)
		for unseen := 0; unseen < workers-5; time.Sleep(time.Millisecond) { // 5 of 6 MiB fit
			unseen = 0
			open, _ := f.guard.Sandbox.At()
			for _, inv := range open {
				if inv.Event != nil {
					t.Error("the event is kept")
				}
				if inv.Receipt != nil && inv.Receipt.Gaps[0].Reason == "memory" {
					unseen++
				}
			}
			if closed {
				f.mu.Lock()
				for _, r := range f.records {
					if r.SignatureID == "gatehouse.unseen" {
						unseen++
					}
				}
				f.mu.Unlock()
			}
			if time.Now().After(end) {
				close(release)
				t.Fatalf("closed %v: %d events passed unseen", closed, unseen)
			}
		}
		close(release)
		wg.Wait()
	}
}

// slow inspects when it is let.
type slow struct {
	engine
	release chan struct{}
}

func (s slow) Inspect(event []byte, source *detect.Source, r *detect.Result, stop func() bool) {
	<-s.release
	s.engine.Inspect(event, source, r, stop)
}

// A managed instance outlives a time-out. Its invocation must not stay open.
func TestManagedInstanceClosesWhatIsLate(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError, `{}`)
	f.guard.Sandbox.Concurrent, f.lambda.refuse = true, http.StatusGone
	f.get(t, nextPath)
	res, err := http.Post(f.url+"/2018-06-01/runtime/invocation/id-1/response", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusGone || len(f.records) != 1 || f.records[0].Status != "timeout" {
		t.Errorf("status %d, records %+v", res.StatusCode, f.records)
	}
	f.guard.Sandbox.Begin(proxy.Invocation{RequestID: "b", Deadline: time.Unix(100, 0)})
	f.guard.FinishOverdue(time.Unix(99, 0))
	f.guard.FinishOverdue(time.Unix(101, 0))
	if len(f.records) != 2 || f.records[1].Status != "timeout" {
		t.Errorf("records %+v", f.records)
	}
}

func TestUnknownPathsPassUnchanged(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError)
	big := strings.Repeat("x", 1<<20)
	req, err := http.NewRequest(http.MethodPatch, f.url+"/2021-04-23/cr%2Fedentials?a=1&a=2", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Lambda-Runtime-Function-Xray-Error-Cause", big)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusTeapot || string(body) != "body" || res.Header.Get("X-Path") != "/2021-04-23/cr/edentials?a=1&a=2" {
		t.Errorf("got %d %q %q", res.StatusCode, body, res.Header.Get("X-Path"))
	}
	up := f.lambda.seen[0]
	if up.Header.Get("Lambda-Runtime-Function-Xray-Error-Cause") != big || up.URL.RawPath != "/2021-04-23/cr%2Fedentials" {
		t.Error("a header of 1 MiB, or the escaped path, did not pass")
	}
}

func TestTrailersPass(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError)
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\nHost: x\r\n"+
		"Transfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"+
		"4\r\npart\r\n0\r\nLambda-Runtime-Function-Error-Type: Function.Late\r\nLambda-Runtime-Function-Error-Body: e30=\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusAccepted || len(f.lambda.answers) != 1 || f.lambda.answers[0] != "response Function.Late part" {
		t.Errorf("status %d, lambda got %q", res.StatusCode, f.lambda.answers)
	}
}

func TestHaltSwallowsTheAnswer(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError, `{}`)
	f.get(t, nextPath)
	f.guard.Sandbox.Halt()
	if err := f.relay.FailUnanswered(t.Context(), proxy.Verdict{Rule: "leak.own-secret", Incident: "01X"}); err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(f.url+"/2018-06-01/runtime/invocation/id-1/response", "application/json", strings.NewReader(`"late"`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	want := `error Function.GatehouseLeakBlocked {"errorMessage":"refused by gatehouse: leak.own-secret (incident 01X)","errorType":"Gatehouse.LeakBlocked","stackTrace":[]}`
	if res.StatusCode != http.StatusAccepted || len(f.lambda.answers) != 1 || f.lambda.answers[0] != want {
		t.Errorf("status %d, lambda was told %q", res.StatusCode, f.lambda.answers)
	}
}

func TestStreamedAnswerIsNotHeldBack(t *testing.T) {
	arrived := make(chan string)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 8)
		n, _ := r.Body.Read(buf)
		arrived <- string(buf[:n])
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer up.Close()
	f := start(t, policy.Enforce, detect.FormError)
	f.relay.Upstream = up.Listener.Addr().String()
	pr, pw := io.Pipe()
	go func() {
		_, _ = io.WriteString(pw, "first")
		if got := <-arrived; got != "first" {
			t.Errorf("upstream saw %q before the end of the stream", got)
		}
		_ = pw.Close()
	}()
	res, err := http.Post(f.url+"/2018-06-01/runtime/invocation/id/response", "application/octet-stream", pr)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

func TestInvocationEndsWithTheNextRequest(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError, `{}`, `{}`)
	f.get(t, nextPath)
	res, err := http.Post(f.url+"/2018-06-01/runtime/invocation/id-1/response", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if _, phase := f.guard.Sandbox.At(); phase != proxy.AfterResponse {
		t.Errorf("phase %q after the answer", phase)
	}
	f.get(t, nextPath)
	if len(f.done) == 0 || f.done[0] != "id-1" {
		t.Errorf("done = %q, want id-1", f.done)
	}
	if r := f.records[0]; r.Kind != record.Invocation || r.Status != "success" || r.BytesOut != 2 {
		t.Errorf("summary: %+v", r)
	}
}

// Code in the function that asks for the next event before the present one is
// answered, which Lambda refuses, does not end the invocation: what is found
// after that must still belong to it.
func TestAskingEarlyEndsNothing(t *testing.T) {
	f := start(t, policy.Enforce, detect.FormError, `{}`)
	f.get(t, nextPath)
	if res, _ := f.get(t, nextPath); res.StatusCode != http.StatusTeapot {
		t.Fatalf("the second request was answered %s", res.Status)
	}
	if open, _ := f.guard.Sandbox.At(); len(open) != 1 || open[0].RequestID != "id-1" || len(f.done) > 0 {
		t.Errorf("open %+v, done %q", open, f.done)
	}
	f.lambda.refuse = http.StatusForbidden
	res, err := http.Post(f.url+"/2018-06-01/runtime/invocation/id-1/response", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	f.get(t, nextPath)
	if open, _ := f.guard.Sandbox.At(); len(open) != 1 {
		t.Errorf("after an answer that was refused: open %+v", open)
	}
}
