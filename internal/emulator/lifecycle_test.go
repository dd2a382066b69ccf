package emulator_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

// aws-lambda-go's SIGTERM option registers an extension inside the runtime.
func TestExtensionInsideTheRuntime(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Env: map[string]string{"SIGTERM": "bye"}})
	invoke(t, l, `{}`)
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, log.String(), "EXTENSION\tName: GoLangEnableSIGTERM\tState: Ready\tEvents: []", "REPORT", "bye")
}

// Without an extension the runtime is killed without a word.
func TestRuntimeAloneGetsNoSIGTERM(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Command: []string{"/bin/sh", "-c", `trap 'echo term' TERM; exec 2>&1; "$0"; exit`, program(t, "func")}})
	invoke(t, l, `{}`)
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "term\n") {
		t.Error("it got SIGTERM")
	}
}

func TestShutdownKillsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Timeout: time.Minute})
	settled(t, l)
	done := make(chan *emulator.Output)
	go func() {
		out, err := l.Invoke(context.Background(), emulator.Input{Event: []byte(`{"Say":"begun","Do":"sleep","Ms":60000}`)})
		if err != nil {
			t.Errorf("Invoke: %v", err)
		}
		done <- out
	}()
	eventually(t, "the invocation", func() bool { return strings.Contains(log.String(), "begun") })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Shutdown(ctx); err == nil {
		t.Error("Shutdown says that all went well")
	}
	if out := <-done; !strings.Contains(string(out.Payload), "signal: killed") {
		t.Errorf("payload %s", out.Payload)
	}
}

// What the caller has of a stream when the time is over stays his.
func TestTimeoutInAStream(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{Command: []string{"/bin/sh", "-c", "sleep 60"}, Timeout: time.Second})
	done := make(chan *emulator.Output)
	go func() {
		out, err := l.Invoke(t.Context(), emulator.Input{Event: []byte(`{}`)})
		if err != nil {
			t.Errorf("Invoke: %v", err)
		}
		done <- out
	}()
	var header http.Header
	eventually(t, "the sandbox", func() bool {
		var status int
		status, _, header = inside(t, l, "GET", "/2018-06-01/runtime/invocation/next", "")
		return status == http.StatusOK
	})
	r, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = w.Write([]byte("first part")) }()
	req, err := http.NewRequestWithContext(t.Context(), "POST",
		"http://"+l.Addr()+"/2018-06-01/runtime/invocation/"+header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
	go func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	out := <-done
	body, err := base64.StdEncoding.DecodeString(out.Trailers.Get("Lambda-Runtime-Function-Error-Body"))
	if err != nil || string(out.Payload) != "first part" || out.FunctionError != "Unhandled" || !strings.Contains(string(body), "Task timed out after 1.00 seconds") {
		t.Errorf("payload %s, error %q, trailers %v", out.Payload, out.FunctionError, out.Trailers)
	}
}

// The order of a runtime's calls is held as Lambda holds it.
func TestAnswersOutOfTurn(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{Command: []string{"/bin/sh", "-c", "sleep 60"}, Timeout: 2 * time.Second, NoFreeze: true})
	done := make(chan *emulator.Output)
	go func() {
		out, err := l.Invoke(t.Context(), emulator.Input{Event: []byte(`{"n":1}`), RequestID: "8f5a2a3c-0000-4000-8000-000000000006"})
		if err != nil {
			t.Errorf("Invoke: %v", err)
		}
		done <- out
	}()
	const path = "/2018-06-01/runtime/invocation/"
	const answer = path + "8f5a2a3c-0000-4000-8000-000000000006/response"
	eventually(t, "the sandbox", func() bool {
		status, _, _ := inside(t, l, "GET", path+"next", "")
		return status == http.StatusOK
	})
	for _, c := range []struct {
		method, path, body string
		header             []string
		status             int
		want               string
	}{
		{"GET", path + "next", "", nil, 200, `{"n":1}`}, // asked twice: shown twice
		{"POST", path + "other/response", `{}`, nil, 400, "InvalidRequestID"},
		{"POST", answer, `{}`, []string{"Lambda-Runtime-Function-Response-Mode", "sideways"}, 400, "InvalidFunctionResponseMode"},
		{"POST", answer, `{}`, nil, 403, "State transition from RuntimeResponseSentState to InvocationResponse failed for runtime"},
	} {
		status, body, _ := inside(t, l, c.method, c.path, c.body, c.header...)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, body, c.status, c.want)
		}
	}
	if out := <-done; !strings.Contains(string(out.Payload), `"errorType":"Runtime.InvalidResponseModeHeader"`) {
		t.Errorf("payload %s", out.Payload)
	}
}

func TestCPUShare(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{CPUShare: true, MemoryMB: 256, Timeout: 10 * time.Second})
	if out := invoke(t, l, `{"a":1}`); string(out.Payload) != `{"a":1}` {
		t.Errorf("payload %s", out.Payload)
	}
	group := string(invoke(t, l, `{"Do":"file","Message":"/proc/self/cgroup"}`).Payload)
	limited := strings.Contains(group, "/gatehouse-")
	if said := strings.Count(log.String(), "the CPU share is not limited: "); limited == (said == 1) {
		t.Errorf("limited %v, said so %d times; cgroups %s", limited, said, group)
	}
}
