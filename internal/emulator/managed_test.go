package emulator_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

func TestManagedInstanceRunsInvocationsTogether(t *testing.T) {
	t.Parallel()
	sink := t.TempDir() + "/sink"
	l, log := start(t, emulator.Config{Concurrency: 4, Timeout: 10 * time.Second, Layer: layer(t, "watch"), LogFormat: "JSON",
		Env: map[string]string{"EXT_REGISTER": `{"events":["SHUTDOWN"]}`, "EXT_TELEMETRY": "2025-01-29", "EXT_SINK": sink, "EXT_WORK_SHUTDOWN": "300ms"}})
	settled(t, l)
	began := time.Now()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			out, err := l.Invoke(t.Context(), emulator.Input{Event: []byte(`{"Do":"sleep","Ms":500}`)})
			if err != nil || string(out.Payload) != `{"Do":"sleep","Ms":500}` {
				t.Errorf("Invoke: %v, %v", out, err)
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("four invocations of 500 ms took %v", took)
	}
	if got := l.Sandboxes(); got != (emulator.Stats{Inits: 1, Invocations: 4}) {
		t.Errorf("Sandboxes() = %+v", got)
	}
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, log.String(), `"initializationType":"lambda-managed-instances"`, "ext event", `"shutdownReason":"SPINDOWN"`)
	got := types(received(t, sink))
	if strings.Count(got, "platform.start") != 4 || strings.Count(got, "platform.report") != 4 || strings.Contains(got, "platform.runtimeDone") {
		t.Errorf("telemetry %s", got)
	}
}

func TestManagedInstanceRefusesInvokeEvents(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Concurrency: 1, Timeout: time.Second, InitTimeout: time.Second, Layer: layer(t, "watch")})
	invoke(t, l, `{}`)
	inOrder(t, log.String(), `ext register 403 {"errorType":"Extension.InvalidEventType","errorMessage":"INVOKE: ErrorInvalidEventType"}`)
}

func TestManagedInstanceTelemetrySchema(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Concurrency: 1, Layer: layer(t, "watch"), Env: map[string]string{
		"EXT_REGISTER": `{"events":["SHUTDOWN"]}`, "EXT_TELEMETRY": "2022-12-13"}})
	settled(t, l)
	inOrder(t, log.String(), `ext telemetry 400 {"errorType":"ValidationError"`)
}

func TestManagedInstanceOutlivesATimeout(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Concurrency: 2, Timeout: 300 * time.Millisecond})
	out := invoke(t, l, `{"Do":"sleep","Ms":800}`)
	if want := `{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out after 0.30 seconds"}`; string(out.Payload) != want {
		t.Errorf("payload %s, want %s", out.Payload, want)
	}
	if again := invoke(t, l, `{"a":1}`); string(again.Payload) != `{"a":1}` {
		t.Errorf("the invocation after it: %s", again.Payload)
	}
	// aws-lambda-go gives up when its late answer gets 410 and not 202.
	eventually(t, "410", func() bool { return strings.Contains(log.String(), "unexpected status code: 410") })
}

func TestManagedInstanceWithoutRuntimeAtRest(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{Concurrency: 1, Timeout: 5 * time.Second})
	settled(t, l)
	var wg sync.WaitGroup
	wg.Go(func() { invoke(t, l, `{"Do":"sleep","Ms":500}`) })
	eventually(t, "the first invocation", func() bool { return l.Sandboxes().Invocations == 1 })
	var busy *emulator.Output
	eventually(t, "a refusal", func() bool {
		busy = invoke(t, l, `{}`)
		return busy.StatusCode == http.StatusBadRequest
	})
	if !strings.Contains(string(busy.Payload), `"errorType":"Runtime.Unavailable"`) {
		t.Errorf("payload %s", busy.Payload)
	}
	wg.Wait()
}

func TestManagedInstanceIsReplacedAfterACrash(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{Concurrency: 2, Timeout: 5 * time.Second})
	out := invoke(t, l, `{"Do":"exit","Code":1}`)
	if !strings.Contains(string(out.Payload), "Runtime.ExitError") {
		t.Errorf("payload %s", out.Payload)
	}
	if again := invoke(t, l, `{"a":1}`); string(again.Payload) != `{"a":1}` {
		t.Errorf("the invocation after it: %s", again.Payload)
	}
	if got := l.Sandboxes(); got.Inits != 2 || got.Resets != 1 {
		t.Errorf("Sandboxes() = %+v", got)
	}
}
