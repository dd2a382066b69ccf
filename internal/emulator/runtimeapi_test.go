package emulator_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

const (
	handedID   = "8f5a2a3c-0000-4000-8000-000000000006"
	invocation = "/2018-06-01/runtime/invocation/"
)

// idle runs a function that does nothing; the test plays its runtime.
func idle(t *testing.T, timeout time.Duration) *emulator.Lambda {
	t.Helper()
	l, _ := start(t, emulator.Config{Command: []string{"/bin/sh", "-c", "sleep 60"}, Timeout: timeout, NoFreeze: true})
	return l
}

// hand begins an invocation and takes its event as the runtime would. The
// function that it returns waits for what the caller gets.
func hand(t *testing.T, l *emulator.Lambda) func() *emulator.Output {
	t.Helper()
	done := make(chan *emulator.Output, 1)
	go func() {
		out, err := l.Invoke(t.Context(), emulator.Input{Event: []byte(`{"n":1}`), RequestID: handedID})
		if err != nil {
			t.Errorf("Invoke: %v", err)
			out = &emulator.Output{}
		}
		done <- out
	}()
	take(t, l)
	return func() *emulator.Output { return <-done }
}

// take asks for an event until there is one and returns its id.
func take(t *testing.T, l *emulator.Lambda) string {
	t.Helper()
	var header http.Header
	eventually(t, "an event", func() bool {
		var status int
		status, _, header = inside(t, l, "GET", invocation+"next", "")
		return status == http.StatusOK
	})
	return header.Get("Lambda-Runtime-Aws-Request-Id")
}

// The order of a runtime's calls is held as Lambda holds it.
func TestAnswersOutOfTurn(t *testing.T) {
	t.Parallel()
	l := idle(t, time.Second)
	result := hand(t, l)
	const answer = invocation + handedID + "/response"
	for _, c := range []struct {
		method, path, body string
		header             []string
		status             int
		want               string
	}{
		{"GET", invocation + "next", "", nil, 200, `{"n":1}`}, // asked twice: shown twice
		{"POST", invocation + "other/response", `{}`, nil, 400, "InvalidRequestID"},
		{"POST", answer, `{}`, []string{"Lambda-Runtime-Function-Response-Mode", "sideways"}, 400, "InvalidFunctionResponseMode"},
		{"POST", answer, `{}`, nil, 403, "State transition from RuntimeResponseSentState to InvocationResponse failed for runtime"},
	} {
		status, body, _ := inside(t, l, c.method, c.path, c.body, c.header...)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, status, body, c.status, c.want)
		}
	}
	if out := result(); !strings.Contains(string(out.Payload), `"errorType":"Runtime.InvalidResponseModeHeader"`) {
		t.Errorf("payload %s", out.Payload)
	}
}

// An error's cause may come in a header of 1 MiB, which Go's servers refuse
// unless told otherwise.
func TestErrorWithALargeHeader(t *testing.T) {
	t.Parallel()
	l := idle(t, time.Second)
	result := hand(t, l)
	status, body, _ := inside(t, l, "POST", invocation+handedID+"/error", `{"errorType":"Oh"}`,
		"Lambda-Runtime-Function-XRay-Error-Cause", strings.Repeat("x", 1<<20), "Lambda-Runtime-Function-Error-Type", "Function.Oh")
	if status != http.StatusAccepted || body != `{"status":"OK"}` {
		t.Errorf("%d %s", status, body)
	}
	if out := result(); out.FunctionError != "Unhandled" || string(out.Payload) != `{"errorType":"Oh"}` {
		t.Errorf("error %q, payload %s", out.FunctionError, out.Payload)
	}
}

func TestTruncatedResponse(t *testing.T) {
	t.Parallel()
	l := idle(t, time.Second)
	result := hand(t, l)
	conn, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this", invocation, handedID)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if out := result(); !strings.Contains(string(out.Payload), `{"errorType":"Runtime.TruncatedResponse"`) {
		t.Errorf("payload %s", out.Payload)
	}
}

// What the caller has of a stream when the time is over stays his.
func TestTimeoutInAStream(t *testing.T) {
	t.Parallel()
	l := idle(t, time.Second)
	result := hand(t, l)
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	go func() { _, _ = w.Write([]byte("first part")) }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr()+invocation+handedID+"/response", r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
	go func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	out := result()
	body, err := base64.StdEncoding.DecodeString(out.Trailers.Get("Lambda-Runtime-Function-Error-Body"))
	if err != nil || string(out.Payload) != "first part" || out.FunctionError != "Unhandled" || !strings.Contains(string(body), "Task timed out after 1.00 seconds") {
		t.Errorf("payload %s, error %q, trailers %v", out.Payload, out.FunctionError, out.Trailers)
	}
}
