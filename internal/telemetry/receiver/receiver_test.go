package receiver_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry/receiver"
)

// heard collects what a Receiver says, in order.
type heard struct {
	mu      sync.Mutex
	records []record.Record
	calls   []string
}

func (h *heard) receiver() *receiver.Receiver {
	return &receiver.Receiver{
		Add: func(r *record.Record) {
			h.mu.Lock()
			defer h.mu.Unlock()
			c := *r
			c.Platform, c.MessageJSON = slices.Clone(r.Platform), slices.Clone(r.MessageJSON) // which hold until Add returns
			h.records = append(h.records, c)
		},
		Done:     func(id, status string) { h.call("done " + id + " " + status) },
		Platform: func(typ string, raw json.RawMessage) { h.call(typ) },
		Current:  func() string { return "current" },
	}
}

func (h *heard) call(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, fmt.Sprintf("%s after %d", s, len(h.records)))
}

// serve starts rc on loopback.
func serve(t *testing.T, rc *receiver.Receiver) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(rc)
	t.Cleanup(s.Close)
	return s
}

// post sends a batch and returns the answer's status.
func post(t *testing.T, url, body string) int {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

const at = `"time":"2026-11-23T10:00:00.123Z"`

func TestABatchBecomesRecords(t *testing.T) {
	h := &heard{}
	rc := h.receiver()
	s := serve(t, rc)
	status := post(t, s.URL+"/any/path", `[
		{`+at+`,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init"}},
		{`+at+`,"type":"function","record":"cold\n"},
		{`+at+`,"type":"platform.start","record":{"requestId":"r-1","tenantId":"blue","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-2;Sampled=1"}}},
		{`+at+`,"type":"function","record":"hello\r\n"},
		{`+at+`,"type":"function","record":"{\"level\":\"info\"}\n"},
		{`+at+`,"type":"function","record":{"requestId":"r-own","message":"hi"}},
		{`+at+`,"type":"extension","record":"other"},
		{`+at+`,"type":"platform.runtimeDone","record":{"requestId":"r-1","status":"success"}},
		{`+at+`,"type":"function","record":"afterwards"},
		{`+at+`,"type":"platform.report","record":{"requestId":"r-1","status":"success"}},
		{`+at+`,"type":"function","record":"between"}
	]`)
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	want := []record.Record{
		{Kind: record.Platform, PlatformOf: "platform.initStart", Platform: json.RawMessage(`{"initializationType":"on-demand","phase":"init"}`)},
		{Kind: record.Log, LogType: "function", Message: "cold", RequestID: "current"},
		{Kind: record.Platform, PlatformOf: "platform.start", RequestID: "r-1", TenantID: "blue", TraceID: "Root=1-2;Sampled=1",
			Platform: json.RawMessage(`{"requestId":"r-1","tenantId":"blue","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-2;Sampled=1"}}`)},
		{Kind: record.Log, LogType: "function", Message: "hello", RequestID: "r-1"},
		{Kind: record.Log, LogType: "function", MessageJSON: json.RawMessage(`{"level":"info"}`), RequestID: "r-1"},
		{Kind: record.Log, LogType: "function", MessageJSON: json.RawMessage(`{"requestId":"r-own","message":"hi"}`), RequestID: "r-own"},
		{Kind: record.Log, LogType: "extension", Message: "other", RequestID: "r-1"},
		{Kind: record.Platform, PlatformOf: "platform.runtimeDone", RequestID: "r-1", Platform: json.RawMessage(`{"requestId":"r-1","status":"success"}`)},
		{Kind: record.Log, LogType: "function", Message: "afterwards", RequestID: "r-1"},
		{Kind: record.Platform, PlatformOf: "platform.report", RequestID: "r-1", Platform: json.RawMessage(`{"requestId":"r-1","status":"success"}`)},
		{Kind: record.Log, LogType: "function", Message: "between", RequestID: "current"},
	}
	if len(h.records) != len(want) {
		t.Fatalf("%d records, want %d", len(h.records), len(want))
	}
	when := time.Date(2026, 11, 23, 10, 0, 0, 123e6, time.UTC)
	for i := range want {
		want[i].Time = when
		got, _ := json.Marshal(h.records[i])
		exp, _ := json.Marshal(want[i])
		if string(got) != string(exp) {
			t.Errorf("record %d is\n%s, want\n%s", i, got, exp)
		}
	}
	calls := []string{"platform.initStart after 11", "platform.start after 11", "done r-1 success after 11", "platform.report after 11"}
	if !slices.Equal(h.calls, calls) {
		t.Errorf("calls %q, want %q", h.calls, calls)
	}
	if st := rc.Stats(); st != (receiver.Stats{Batches: 1, Records: 11}) {
		t.Errorf("stats %+v", st)
	}
}

// TestWhateverComesIsAnswered sends what Lambda never would: it is counted, what
// is good of it counts, and it is not sent again.
func TestWhateverComesIsAnswered(t *testing.T) {
	good := `{` + at + `,"type":"function","record":"good"}`
	tests := []struct {
		name, body string
		records    int
		unreadable uint64
		large      uint64
	}{
		{"empty", ``, 0, 1, 0},
		{"no JSON", `hello`, 0, 1, 0},
		{"no array", good, 0, 1, 0},
		{"no objects", `[1,"x",null,[]]`, 1, 3, 0},
		{"cut off", `[` + good + `,{"type":"func`, 1, 1, 0},
		{"an event of other types", `[{"time":1,"type":{},"record":[1]},` + good + `]`, 2, 0, 0},
		{"nothing in it", `[{}]`, 1, 0, 0},
		{"no UTF-8", "[{\"type\":\"function\",\"record\":\"\xff\"}]", 1, 0, 0},
		{"unknown platform event", `[{"type":"platform.somethingNew","record":"text"}]`, 1, 0, 0},
		{"10,000 deep", `[{"record":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}]`, 0, 1, 0},
		{"5 MB", `[` + good + `,{"type":"function","record":"` + strings.Repeat("x", 5<<20) + `"}]`, 1, 0, 1},
		{"30,000 events", `[` + strings.Repeat(`{},`, 30_000) + `{}]`, 20_000, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := &heard{}
			rc := h.receiver()
			if status := post(t, serve(t, rc).URL, tt.body); status != http.StatusOK {
				t.Errorf("status %d, want 200", status)
			}
			st := rc.Stats()
			if len(h.records) != tt.records || st.Unreadable != tt.unreadable || st.TooLarge != tt.large || st.Panics != 0 {
				t.Errorf("%d records, stats %+v, want %d records, %d unreadable, %d too large", len(h.records), st, tt.records, tt.unreadable, tt.large)
			}
		})
	}
}

func TestABatchThatComesAgainIsDropped(t *testing.T) {
	h := &heard{}
	rc := h.receiver()
	s := serve(t, rc)
	tick := `{` + at + `,"type":"function","record":"tick"}`
	post(t, s.URL, `[`+tick+`,`+tick+`]`) // a line that was written twice
	post(t, s.URL, `[`+tick+`,`+tick+`]`)
	post(t, s.URL, `[{"time":"2026-11-23T10:00:00.124Z","type":"function","record":"tick"}]`)
	if st := rc.Stats(); len(h.records) != 3 || st.Duplicates != 2 {
		t.Errorf("%d records, %d duplicates, want 3 and 2", len(h.records), st.Duplicates)
	}
}

func TestWhatWasSeenLongAgoIsForgotten(t *testing.T) {
	h := &heard{}
	rc := h.receiver()
	s := serve(t, rc)
	one := func(n int) string { return fmt.Sprintf(`{"type":"function","record":"line %d"}`, n) }
	post(t, s.URL, `[`+one(0)+`]`)
	var many []string
	for n := range 4096 {
		many = append(many, one(n+1))
	}
	post(t, s.URL, `[`+strings.Join(many, ",")+`]`)
	post(t, s.URL, `[`+one(0)+`,`+one(4096)+`]`)
	if st := rc.Stats(); st.Records != 4098 || st.Duplicates != 1 {
		t.Errorf("stats %+v, want 4,098 records and one duplicate", st)
	}
}

func TestLinesOnManagedInstances(t *testing.T) {
	h := &heard{}
	rc := h.receiver()
	rc.Concurrent = true
	post(t, serve(t, rc).URL, `[
		{"type":"platform.start","record":{"requestId":"a"}},
		{"type":"function","record":"whose?"},
		{"type":"function","record":"{\"requestId\":\"b\"}"},
		{"type":"function","record":{"AWSRequestId":"c"}}]`)
	if got := h.records[1].RequestID; got != "" {
		t.Errorf("a line without a name belongs to %q, want nobody", got)
	}
	if got := h.records[2].RequestID; got != "b" {
		t.Errorf("a line with a name belongs to %q, want b", got)
	}
	if got := h.records[3].RequestID; got != "c" {
		t.Errorf("a line with a name belongs to %q, want c", got)
	}
}

func TestForgedNamesAreNotTaken(t *testing.T) {
	h := &heard{}
	post(t, serve(t, h.receiver()).URL, `[
		{"type":"platform.runtimeDone","record":{"requestId":"`+strings.Repeat("x", 1000)+`","status":"a\nb"}},
		{"type":"function","record":{"requestId":"a b"}},
		{"type":"platform.`+strings.Repeat("ä", 1000)+`"}]`)
	if h.calls[0] != "done   after 3" || h.records[1].RequestID != "current" || len(h.records[2].PlatformOf) > 256 {
		t.Errorf("calls %q, request id %q, %d bytes of a type", h.calls, h.records[1].RequestID, len(h.records[2].PlatformOf))
	}
}

func TestDroppedLogsAreCounted(t *testing.T) {
	h := &heard{}
	rc := h.receiver()
	s := serve(t, rc)
	post(t, s.URL, `[{"type":"platform.logsDropped","record":{"reason":"slow","droppedRecords":12,"droppedBytes":100}},
		{"type":"platform.logsDropped","record":{"droppedRecords":-1}},{"type":"platform.logsDropped","record":{"droppedRecords":"x"}}]`)
	if st := rc.Stats(); st.Dropped != 12 {
		t.Errorf("dropped %d, want 12", st.Dropped)
	}
}

func TestOnlyPOST(t *testing.T) {
	resp, err := http.Get(serve(t, (&heard{}).receiver()).URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("status %d, want 405", resp.StatusCode)
	}
}

func TestAPanicIsRecovered(t *testing.T) {
	rc := &receiver.Receiver{Add: func(*record.Record) { panic("bug") }}
	if status := post(t, serve(t, rc).URL, `[{}]`); status != http.StatusOK || rc.Stats().Panics != 1 {
		t.Errorf("status %d, %d panics, want 200 and 1", status, rc.Stats().Panics)
	}
}

// TestABrokenConnectionIsNotABatch cuts a connection in mid-batch and delivers the
// batch again, as Lambda does: each line arrives once.
func TestABrokenConnectionIsNotABatch(t *testing.T) {
	h := &heard{}
	rc := h.receiver()
	s := serve(t, rc)
	body := `[{"type":"function","record":"one"},{"type":"function","record":"two"}]`
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: sandbox\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:50])
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode == http.StatusOK {
		t.Error("half a batch was answered with 200: Lambda would not send the rest")
	}
	post(t, s.URL, body)
	if st := rc.Stats(); len(h.records) != 2 || st.Duplicates != 1 || st.Broken != 1 {
		t.Errorf("%d records, stats %+v, want each line once", len(h.records), st)
	}
}

// TestASlowBatchIsCutOff sends half a batch and then nothing, on more connections
// than are read at once: Lambda's own batch gets its turn.
func TestASlowBatchIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heard{}
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		s := &http.Server{Handler: h.receiver()}
		go func() { _ = s.Serve(l) }()
		defer s.Close()
		dial := func(body string, length int) *bufio.Reader {
			near, far := net.Pipe()
			t.Cleanup(func() { near.Close() })
			l.conns <- far
			fmt.Fprintf(near, "POST / HTTP/1.1\r\nHost: sandbox\r\nContent-Length: %d\r\n\r\n%s", length, body)
			return bufio.NewReader(near)
		}
		for range 4 {
			dial(`[{"type":"function","record":"slow"},`, 1000)
		}
		synctest.Wait()
		start := time.Now()
		good := `[{"type":"function","record":"good"}]`
		resp, err := http.ReadResponse(dial(good, len(good)), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if took := time.Since(start); resp.StatusCode != http.StatusOK || took != 5*time.Second {
			t.Errorf("status %d after %v, want 200 after 5s", resp.StatusCode, took)
		}
	})
}

// pipes is a net.Listener for net.Pipe.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestManyAtOnce(t *testing.T) {
	h := &heard{}
	s := serve(t, h.receiver())
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			post(t, s.URL, fmt.Sprintf(`[{"type":"platform.start","record":{"requestId":"%d"}},{"type":"function","record":"%d"}]`, i, i))
		})
	}
	all.Wait()
	if len(h.records) != 32 {
		t.Errorf("%d records, want 32", len(h.records))
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(`[{` + at + `,"type":"function","record":"x\n"}]`))
	f.Add([]byte(`[{"type":"platform.runtimeDone","record":{"requestId":"r","status":"success"}},{"record":{"a":[]}}]`))
	f.Add([]byte(`[{"time":1},null,"x",{"type":"platform.logsDropped","record":{"droppedRecords":1e400}}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		rc := (&heard{}).receiver()
		rc.Add = func(r *record.Record) {
			if r.Kind == "" || len(r.RequestID) > 256 || len(r.PlatformOf) > 256 || len(r.LogType) > 256 {
				t.Errorf("record %+v", r)
			}
			if text, err := r.Encode(); err != nil || !json.Valid(text) {
				t.Errorf("record %+v does not encode: %v", r, err)
			}
		}
		for range 2 {
			w := httptest.NewRecorder()
			rc.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body))))
			if w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
		}
		if st := rc.Stats(); st.Panics != 0 || st.Duplicates != st.Records {
			t.Errorf("stats %+v after the same body twice", st)
		}
	})
}
