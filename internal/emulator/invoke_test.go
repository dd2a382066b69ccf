package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

func TestResponseIsTheFunctions(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{})
	for range 3 {
		out := invokeWith(t, l, emulator.Input{Event: []byte(`{"Say":"hello","x":"é"}`), RequestID: "8f5a2a3c-0000-4000-8000-000000000001", LogTail: true})
		if string(out.Payload) != `{"Say":"hello","x":"é"}` || out.FunctionError != "" || out.StatusCode != http.StatusOK {
			t.Errorf("output %s, error %q, status %d", out.Payload, out.FunctionError, out.StatusCode)
		}
		inOrder(t, string(out.LogTail), "START RequestId: 8f5a2a3c-0000-4000-8000-000000000001 Version: $LATEST\n", "hello\n",
			"END RequestId: 8f5a2a3c", "REPORT RequestId: 8f5a2a3c", "Duration: ", "Billed Duration: ", "Memory Size: 128 MB")
	}
	inOrder(t, log.String(), "INIT_START Runtime Version: ", "START RequestId", "hello", "END", "Init Duration: ", "START", "REPORT")
	if got := l.Sandboxes(); got != (emulator.Stats{Inits: 1, Invocations: 3, Freezes: 3}) {
		t.Errorf("Sandboxes() = %+v", got)
	}
}

func TestContextOfAnInvocation(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{FunctionName: "orders", Timeout: 7 * time.Second})
	out := invokeWith(t, l, emulator.Input{
		Event: []byte(`{"Do":"context"}`), RequestID: "8f5a2a3c-0000-4000-8000-000000000002", TenantID: "acme",
		ClientContext: `{"client":{"app_title":"shop"}}`, TraceID: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
	})
	var got map[string]any
	if err := json.Unmarshal(out.Payload, &got); err != nil {
		t.Fatalf("%s: %v", out.Payload, err)
	}
	for name, want := range map[string]any{
		"requestId": "8f5a2a3c-0000-4000-8000-000000000002", "tenant": "acme", "client": "shop",
		"arn": "arn:aws:lambda:us-east-1:123456789012:function:orders", "trace": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
	if left := got["leftMs"].(float64); left <= 6000 || left > 7000 {
		t.Errorf("%v ms left of 7 s", left)
	}
}

// The caller's view of every way to fail, and whether the sandbox survives.
func TestErrors(t *testing.T) {
	t.Parallel()
	const id = "8f5a2a3c-0000-4000-8000-000000000003"
	for _, c := range []struct {
		name, event, payload, log string
		resets                    int
	}{
		{"error", `{"Do":"error","Message":"no stock"}`, `{"errorMessage":"no stock","errorType":"errorString"}`, "", 0},
		{"panic", `{"Do":"panic","Message":"oh"}`, `"errorMessage":"oh"`,
			"RequestId: " + id + " Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n", 1},
		{"exit", `{"Do":"exit","Code":3}`,
			`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited with error: exit status 3"}`,
			"Status: error\tError Type: Runtime.ExitError\n", 1},
		{"exit 0", `{"Do":"exit"}`,
			`{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited without providing a reason"}`,
			"Runtime.ExitError", 1},
		{"timeout", `{"Do":"sleep","Ms":20000}`,
			`{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ` + id + ` Error: Task timed out after 1.00 seconds"}`,
			id + " Task timed out after 1.00 seconds\n\nEND RequestId: " + id + "\nREPORT RequestId: " + id + "\tDuration: 1000.00 ms\tBilled Duration: ", 1},
		{"too big", `{"Do":"big","Bytes":6291557}`,
			`{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes)."}`,
			"", 1}, // aws-lambda-go exits on any status but 202
	} {
		t.Run(c.name, func(t *testing.T) {
			l, log := start(t, emulator.Config{Timeout: time.Second})
			out := invokeWith(t, l, emulator.Input{Event: []byte(c.event), RequestID: id, LogTail: true})
			if out.FunctionError != "Unhandled" || out.StatusCode != http.StatusOK || !strings.Contains(string(out.Payload), c.payload) {
				t.Errorf("error %q, payload %s, want %s", out.FunctionError, out.Payload, c.payload)
			}
			inOrder(t, log.String(), c.log)
			if again := invoke(t, l, `{"y":1}`); string(again.Payload) != `{"y":1}` {
				t.Errorf("the invocation after it: %s", again.Payload)
			}
			if got := l.Sandboxes(); got.Resets != c.resets || got.Inits != 1+c.resets {
				t.Errorf("Sandboxes() = %+v, want %d resets", got, c.resets)
			}
		})
	}
}

func TestLargestResponsePasses(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{Timeout: 20 * time.Second})
	out := invoke(t, l, `{"Do":"big","Bytes":6291556}`)
	if len(out.Payload) != emulator.MaxResponse || out.FunctionError != "" {
		t.Errorf("%d bytes, error %q", len(out.Payload), out.FunctionError)
	}
}

func TestStream(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{Timeout: 20 * time.Second})
	var got bytes.Buffer
	out := invokeWith(t, l, emulator.Input{Event: []byte(`{"Do":"stream","Bytes":3000000}`), Stream: &got})
	if out.FunctionError != "" || len(out.Payload)+got.Len() != 3000000 {
		t.Errorf("%d + %d bytes, error %q", len(out.Payload), got.Len(), out.FunctionError)
	}
	out = invoke(t, l, `{"Do":"stream","Bytes":1000,"Message":"cut off"}`)
	if out.FunctionError != "Unhandled" || out.Trailers.Get("Lambda-Runtime-Function-Error-Type") != "errorString" || len(out.Payload) != 1000 {
		t.Errorf("error %q, trailers %v, %d bytes", out.FunctionError, out.Trailers, len(out.Payload))
	}
}

func TestFailedInitIsRepeatedInsideTheInvocation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		env    map[string]string
		answer string // of the first invocation
		log    []string
	}{
		{"exits always", map[string]string{"INIT_EXIT": "5"}, `Error: Runtime exited with error: exit status 5"}`,
			[]string{"INIT_REPORT Init Duration: ", "Phase: init\tStatus: error\tError Type: Runtime.ExitError", "Phase: invoke\tStatus: error", "START", "END", "REPORT"}},
		{"too slow once", map[string]string{"INIT_SLEEP": "20s", "ONCE": "once"}, `{"z":1}`,
			[]string{"INIT_REPORT Init Duration: ", "Phase: init\tStatus: timeout", "INIT_START", "START", "REPORT"}},
		{"too slow always", map[string]string{"INIT_SLEEP": "20s"}, `Task timed out after 1.00 seconds"}`,
			[]string{"Phase: init\tStatus: timeout", "Phase: invoke\tStatus: timeout", "START", "REPORT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.env["ONCE"] != "" {
				c.env["ONCE"] = filepath.Join(t.TempDir(), "once")
			}
			l, log := start(t, emulator.Config{Env: c.env, Timeout: time.Second, InitTimeout: 300 * time.Millisecond})
			out := invokeWith(t, l, emulator.Input{Event: []byte(`{"z":1}`), LogTail: true})
			if !strings.Contains(string(out.Payload), c.answer) {
				t.Errorf("payload %s, want %s", out.Payload, c.answer)
			}
			inOrder(t, log.String(), c.log...)
		})
	}
}

func TestCommandThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ wrapper, command, want string }{
		{"", "/nowhere/bootstrap", `{"errorType":"Runtime.InvalidEntrypoint"`},
		{"/nowhere/wrapper", "true", "Runtime exited with error: exit status 127"},
		{plain, "true", "Runtime exited with error: exit status 126"},
	} {
		l, _ := start(t, emulator.Config{Command: []string{c.command}, Env: map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": c.wrapper}})
		if out := invoke(t, l, `{}`); !strings.Contains(string(out.Payload), c.want) {
			t.Errorf("wrapper %q, command %q: %s, want %s", c.wrapper, c.command, out.Payload, c.want)
		}
	}
}

func TestCallerWhoLeavesDoesNotStopTheFunction(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{})
	settled(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := l.Invoke(ctx, emulator.Input{Event: []byte(`{"Do":"sleep","Ms":1500}`)}); err == nil {
		t.Error("Invoke outlasted its context")
	}
	settled(t, l)
	inOrder(t, log.String(), "START", "END", "REPORT")
	if got := l.Sandboxes().Resets; got != 0 {
		t.Errorf("%d resets", got)
	}
}

func TestShutdownWithoutInvocation(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{})
	if err := l.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := l.Invoke(t.Context(), emulator.Input{}); err == nil {
		t.Error("invoked after Shutdown")
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := emulator.Start(t.Context(), emulator.Config{LogFormat: "xml", MemoryMB: 20000, Timeout: time.Hour, Concurrency: -1})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"command", `"xml"`, "20000", "1h", "-1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %s", err, want)
		}
	}
}
