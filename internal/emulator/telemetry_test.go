package emulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

// watched runs the function with one subscribed extension.
func watched(t *testing.T, c emulator.Config, env map[string]string) (*emulator.Lambda, *logged, string) {
	t.Helper()
	sink := filepath.Join(t.TempDir(), "sink")
	c.Layer = layer(t, "watch")
	c.Env = map[string]string{"EXT_TELEMETRY": "2025-01-29", "EXT_SINK": sink}
	for k, v := range env {
		c.Env[k] = v
	}
	l, log := start(t, c)
	return l, log, sink
}

func TestTelemetryOfAnInvocation(t *testing.T) {
	t.Parallel()
	l, log, sink := watched(t, emulator.Config{}, map[string]string{"EXT_WORK_SHUTDOWN": "200ms", "INIT_SAY": "early"})
	out := invokeWith(t, l, emulator.Input{Event: []byte(`{"Say":"late"}`), TenantID: "acme"})
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, log.String(), "TELEMETRY\tName: watch\tState: Subscribed\tTypes: [platform, function]", "EXTENSION")
	inOrder(t, log.String(), `ext telemetry 200 "OK"`)
	var events []sent
	for _, e := range received(t, sink) {
		if e.Type != "platform.telemetrySubscription" { // beside the runtime's start: its place is not fixed
			events = append(events, e)
		} else if string(e.Record) != `{"name":"watch","state":"Subscribed","types":["platform","function"]}` {
			t.Errorf("%s: %s", e.Type, e.Record)
		}
	}
	want := []struct{ kind, record string }{
		{"platform.initStart", `"initializationType":"on-demand","phase":"init"`},
		{"function", `"early\n"`},
		{"platform.initRuntimeDone", `{"initializationType":"on-demand","phase":"init","status":"success"}`},
		{"platform.extension", `{"name":"watch","state":"Ready","events":["INVOKE","SHUTDOWN"]}`},
		{"platform.initReport", `"metrics":{"durationMs":`},
		{"platform.start", `{"requestId":"` + out.RequestID + `","version":"$LATEST"`},
		{"function", `"late\n"`},
		{"platform.runtimeDone", `"status":"success","metrics":{"durationMs":`},
		{"platform.report", `"tenantId":"acme"`},
	}
	if len(events) != len(want) {
		t.Fatalf("events %s", types(events))
	}
	for i, w := range want {
		if events[i].Type != w.kind || !strings.Contains(string(events[i].Record), w.record) {
			t.Errorf("event %d: %s %s, want %s %s", i, events[i].Type, events[i].Record, w.kind, w.record)
		}
	}
	var done struct {
		Metrics struct{ ProducedBytes int }
		Spans   []struct{ Name string }
	}
	if err := json.Unmarshal(events[7].Record, &done); err != nil {
		t.Fatal(err)
	}
	if done.Metrics.ProducedBytes != len(out.Payload) || len(done.Spans) != 3 || done.Spans[0].Name != "responseLatency" {
		t.Errorf("runtimeDone: %s", events[7].Record)
	}
	if !slices.IsSortedFunc(events, func(a, b sent) int { return a.Time.Compare(b.Time) }) {
		t.Error("events are not in order of time")
	}
}

// A report is written when the sandbox is about to freeze, so it arrives in
// the next invocation.
func TestReportArrivesInTheNextInvocation(t *testing.T) {
	t.Parallel()
	l, _, sink := watched(t, emulator.Config{}, map[string]string{"EXT_WORK_INVOKE": "60ms"})
	reports := func() int { return strings.Count(types(received(t, sink)), "platform.report") }
	first := invoke(t, l, `{}`)
	settled(t, l)
	time.Sleep(150 * time.Millisecond) // the freeze under test: six times the subscription's patience
	if n := reports(); n != 0 {
		t.Errorf("%d reports while frozen", n)
	}
	invoke(t, l, `{}`)
	eventually(t, "the first report", func() bool { return reports() == 1 })
	for _, e := range received(t, sink) {
		if e.Type == "platform.report" && !strings.Contains(string(e.Record), first.RequestID) {
			t.Errorf("another invocation's report: %s", e.Record)
		}
	}
}

func TestNothingIsHeldBackWithoutFreeze(t *testing.T) {
	t.Parallel()
	l, _, sink := watched(t, emulator.Config{NoFreeze: true}, nil)
	invoke(t, l, `{}`)
	eventually(t, "the report", func() bool { return strings.Contains(types(received(t, sink)), "platform.report") })
	if got := l.Sandboxes().Freezes; got != 0 {
		t.Errorf("%d freezes", got)
	}
}

func TestLogFormats(t *testing.T) {
	t.Parallel()
	const object, text = `{\"level\":\"INFO\",\"n\":1}`, `plain`
	for _, c := range []struct{ format, schema, wantObject, wantText string }{
		{"Text", "2022-07-01", `"{\"level\":\"INFO\",\"n\":1}\n"`, `"plain\n"`},
		{"Text", "2025-01-29", `"{\"level\":\"INFO\",\"n\":1}\n"`, `"plain\n"`},
		{"JSON", "2022-07-01", `"{\"level\":\"INFO\",\"n\":1}\n"`, `"plain\n"`},
		{"JSON", "2022-12-13", `{"level":"INFO","n":1}`, `"plain\n"`},
		{"JSON", "2025-01-29", `{"level":"INFO","n":1}`, `"plain\n"`},
	} {
		l, log, sink := watched(t, emulator.Config{LogFormat: c.format, NoFreeze: true},
			map[string]string{"EXT_TELEMETRY": c.schema, "EXT_TYPES": `["function","extension"]`})
		invoke(t, l, `{"Say":"`+object+`"}`)
		invoke(t, l, `{"Say":"`+text+`"}`)
		records := func() (list []string) {
			for _, e := range received(t, sink) {
				if e.Type == "function" {
					list = append(list, string(e.Record))
				}
			}
			return list
		}
		eventually(t, "two lines", func() bool { return len(records()) == 2 })
		if got := records(); got[0] != c.wantObject || got[1] != c.wantText {
			t.Errorf("%s, schema %s: %s, want %s and %s", c.format, c.schema, got, c.wantObject, c.wantText)
		}
		if !strings.Contains(types(received(t, sink)), "extension") {
			t.Error("no extension lines")
		}
		start := map[string]string{"Text": "START RequestId: ", "JSON": `"type":"platform.start","record":{"requestId":`}[c.format]
		inOrder(t, log.String(), start)
	}
}

func TestTCPDestination(t *testing.T) {
	t.Parallel()
	l, _, sink := watched(t, emulator.Config{NoFreeze: true}, map[string]string{"EXT_TCP": "1"})
	invoke(t, l, `{}`)
	eventually(t, "the report", func() bool { return strings.Contains(types(received(t, sink)), "platform.report") })
}

func TestRefusedBatchIsSentAgain(t *testing.T) {
	t.Parallel()
	l, _, sink := watched(t, emulator.Config{NoFreeze: true}, map[string]string{"EXT_REFUSE": "2"})
	invoke(t, l, `{}`)
	eventually(t, "the report", func() bool { return strings.Contains(types(received(t, sink)), "platform.report") })
	if got := types(received(t, sink)); !strings.HasPrefix(got, "platform.initStart") || strings.Contains(got, "logsDropped") {
		t.Errorf("events %s", got)
	}
}

func TestDroppedRecordsAreCounted(t *testing.T) {
	t.Parallel()
	l, _, sink := watched(t, emulator.Config{NoFreeze: true}, map[string]string{"EXT_REFUSE": "5"}) // a batch is sent five times
	dropped := ""
	eventually(t, "platform.logsDropped", func() bool {
		invoke(t, l, `{}`)
		for _, e := range received(t, sink) {
			if e.Type == "platform.logsDropped" {
				dropped = string(e.Record)
			}
		}
		return dropped != ""
	})
	if !strings.Contains(dropped, `"droppedRecords":`) || strings.Contains(dropped, `"droppedRecords":0`) {
		t.Errorf("record %s", dropped)
	}
}

// A batch is full at maxItems or maxBytes, whichever comes first.
func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	l, log, sink := watched(t, emulator.Config{NoFreeze: true}, map[string]string{"EXT_TYPES": `["function"]`, "EXT_PATIENCE": "1000"})
	settled(t, l)
	invoke(t, l, `{"Say":"x","Lines":1500}`)
	eventually(t, "1500 lines", func() bool { return len(received(t, sink)) == 1500 })
	if !strings.Contains(log.String(), "ext batch 1000 ") {
		t.Error("no batch of 1000 items")
	}
	invoke(t, l, `{"Say":"`+strings.Repeat("x", 2000)+`","Lines":200}`)
	eventually(t, "200 more", func() bool { return len(received(t, sink)) == 1700 })
	for _, batch := range regexp.MustCompile(`ext batch \d+ (\d+)`).FindAllStringSubmatch(log.String(), -1) {
		if size, err := strconv.Atoi(batch[1]); err != nil || size > 262144+4096 {
			t.Errorf("a batch of %s bytes", batch[1])
		}
	}
}

// A consumer that is too slow loses records, and is told how many.
func TestSlowConsumer(t *testing.T) {
	t.Parallel()
	const lines = 10000
	l, _, sink := watched(t, emulator.Config{NoFreeze: true, Timeout: 20 * time.Second}, map[string]string{"EXT_SLOW": "1s"})
	settled(t, l)
	invoke(t, l, `{"Say":"`+strings.Repeat("x", 200)+`","Lines":10000}`)
	var dropped struct {
		Reason         string
		DroppedRecords int
		DroppedBytes   int
	}
	eventually(t, "platform.logsDropped", func() bool {
		for _, e := range received(t, sink) {
			if e.Type == "platform.logsDropped" {
				if err := json.Unmarshal(e.Record, &dropped); err != nil {
					t.Fatal(err)
				}
			}
		}
		return dropped.DroppedRecords > 0
	})
	kept := strings.Count(types(received(t, sink)), "function")
	if kept+dropped.DroppedRecords < lines || kept == 0 || dropped.DroppedBytes < dropped.DroppedRecords*200 || !strings.Contains(dropped.Reason, "fallen behind") {
		t.Errorf("%d kept, dropped %+v of %d", kept, dropped, lines)
	}
}

func TestTelemetryOfAFailure(t *testing.T) {
	t.Parallel()
	l, _, sink := watched(t, emulator.Config{Timeout: time.Second}, map[string]string{"EXT_WORK_SHUTDOWN": "200ms"})
	invokeWith(t, l, emulator.Input{Event: []byte(`{"Do":"exit","Code":2}`), LogTail: true})
	events := received(t, sink)
	inOrder(t, fmt.Sprintf("%s", events), "platform.runtimeDone", `"status":"error","errorType":"Runtime.ExitError"`,
		"platform.report", `"status":"error","errorType":"Runtime.ExitError"`)
	invokeWith(t, l, emulator.Input{Event: []byte(`{"Do":"sleep","Ms":20000}`), LogTail: true})
	events = received(t, sink)[len(events):]
	inOrder(t, fmt.Sprintf("%s", events), "platform.initStart", `"phase":"invoke"`, "platform.runtimeDone", `"status":"timeout"`,
		"platform.report", `"status":"timeout"`, `"durationMs":1000,`)
}

func TestStubbedTelemetry(t *testing.T) {
	t.Parallel()
	l, log, _ := watched(t, emulator.Config{Telemetry202: true}, nil)
	invoke(t, l, `{}`)
	inOrder(t, log.String(), `ext telemetry 202 {"errorType":"Telemetry.NotSupported","errorMessage":"Telemetry API is not supported"}`)
}

// inside calls the sandbox's APIs as a process in it would.
func inside(t *testing.T, l *emulator.Lambda, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// The refusals of every API, in Lambda's words.
func TestRefusals(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{})
	settled(t, l)
	const nobody = "6a0f1c52-0000-4000-8000-000000000000"
	for _, c := range []struct {
		method, path, body string
		header             []string
		status             int
		want               string
	}{
		{"GET", "/2018-06-01/ping", "", nil, 200, "pong"},
		{"GET", "/2018-06-01/runtime/restore/next", "", nil, 404, ""},
		{"PUT", "/2025-01-29/telemetry", "", nil, 404, ""},
		{"PUT", "/2020-08-15/logs", "{}", nil, 202, `{"errorType":"Logs.NotSupported","errorMessage":"Logs API is not supported"}`},
		{"POST", "/2018-06-01/runtime/invocation/x/response", "", nil, 400, `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`},
		{"POST", "/2018-06-01/runtime/invocation/x/error", "", nil, 400, `InvalidRequestID`},
		{"POST", "/2018-06-01/runtime/init/error", "{}", nil, 403, `InvalidStateTransition`},
		{"POST", "/2020-01-01/extension/register", `{}`, nil, 403, `Extension.InvalidExtensionName`},
		{"POST", "/2020-01-01/extension/register", `{`, []string{"Lambda-Extension-Name", "a"}, 403, `InvalidRequestFormat`},
		{"POST", "/2020-01-01/extension/register", `{"events":[],"configurationKeys":["a"]}`, []string{"Lambda-Extension-Name", "a"}, 403, `InvalidRequestFormat`},
		{"POST", "/2020-01-01/extension/register", `{"events":["INVOKE"]}`, []string{"Lambda-Extension-Name", "a"}, 403, `Extension.RegistrationClosed`},
		{"POST", "/2020-01-01/extension/register", `{"events":["SHUTDOWN"]}`, []string{"Lambda-Extension-Name", "a"}, 403,
			`{"errorType":"Extension.InvalidEventType","errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"}`},
		{"POST", "/2020-01-01/extension/register", `{"events":["BOOT"]}`, []string{"Lambda-Extension-Name", "a"}, 403, `BOOT: ErrorInvalidEventType`},
		{"GET", "/2020-01-01/extension/event/next", "", nil, 403, `Extension.MissingExtensionIdentifier`},
		{"GET", "/2020-01-01/extension/event/next", "", []string{"Lambda-Extension-Identifier", "x"}, 403, `Extension.InvalidExtensionIdentifier`},
		{"GET", "/2020-01-01/extension/event/next", "", []string{"Lambda-Extension-Identifier", nobody}, 403, `Extension.UnknownExtensionIdentifier`},
		{"PUT", "/2022-07-01/telemetry", "{}", []string{"Lambda-Extension-Identifier", nobody}, 403, `Extension.UnknownExtensionIdentifier`},
	} {
		status, body, _ := inside(t, l, c.method, c.path, c.body, c.header...)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, status, body, c.status, c.want)
		}
	}
}
