package emulator_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

// nodeClient is the folder in which AWS's runtime client for Node is installed:
//
//	apt-get install -y cmake autoconf automake libtool g++ make python3
//	npm install aws-lambda-ric@4 node@22
func nodeClient(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("GATEHOUSE_NODE_RIC")
	if dir == "" {
		t.Skip("GATEHOUSE_NODE_RIC does not name a folder with aws-lambda-ric")
	}
	return filepath.Join(dir, "node_modules")
}

func node(t *testing.T, handler string, c emulator.Config) (*emulator.Lambda, *logged) {
	t.Helper()
	modules := nodeClient(t)
	bin := filepath.Join(modules, "node", "bin", "node")
	if _, err := os.Stat(bin); err != nil {
		bin = "node" // the system's own must then be 22 or newer
	}
	c.Command = []string{bin, filepath.Join(modules, "aws-lambda-ric", "index.mjs"), handler}
	c.Dir, c.Handler, c.Timeout = "testdata/node", handler, 10*time.Second
	return start(t, c)
}

func TestNodeRuntimeClient(t *testing.T) {
	t.Parallel()
	sink := filepath.Join(t.TempDir(), "sink")
	l, log := node(t, "index.handler", emulator.Config{Layer: layer(t, "watch"),
		Env: map[string]string{"EXT_TELEMETRY": "2025-01-29", "EXT_SINK": sink, "EXT_WORK_SHUTDOWN": "200ms"}})
	for range 2 {
		out := invokeWith(t, l, emulator.Input{Event: []byte(`{"say":"grüße"}`), RequestID: "8f5a2a3c-0000-4000-8000-000000000005"})
		want := `{"event":{"say":"grüße"},"requestId":"8f5a2a3c-0000-4000-8000-000000000005","arn":"arn:aws:lambda:us-east-1:123456789012:function:function"}`
		if string(out.Payload) != want {
			t.Errorf("payload %s, want %s", out.Payload, want)
		}
	}
	out := invoke(t, l, `{"do":"error","message":"no stock"}`)
	if out.FunctionError != "Unhandled" || !strings.HasPrefix(string(out.Payload), `{"errorType":"TypeError","errorMessage":"no stock"`) {
		t.Errorf("error %q, payload %s", out.FunctionError, out.Payload)
	}
	invoke(t, l, `{"say":"two\nlines"}`)
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := l.Sandboxes(); got.Resets != 0 || got.Inits != 1 {
		t.Errorf("Sandboxes() = %+v", got)
	}
	if !strings.Contains(log.String(), "two\nlines\n") {
		t.Error("a message of two lines was lost")
	}
	inOrder(t, log.String(), "grüße", "REPORT", "grüße", "REPORT", "no stock")
	// The message of two lines is one record: the client writes frames.
	if got := types(received(t, sink)); strings.Count(got, "platform.report") != 4 ||
		!strings.HasSuffix(got, " platform.start function platform.runtimeDone platform.report") {
		t.Errorf("telemetry %s", got)
	}
}

func TestNodeRuntimeClientStreams(t *testing.T) {
	t.Parallel()
	l, _ := node(t, "index.stream", emulator.Config{})
	var got bytes.Buffer
	out := invokeWith(t, l, emulator.Input{Event: []byte(`{"parts":300,"bytes":70000}`), Stream: &got})
	if !out.Streamed || out.FunctionError != "" || got.Len() != 21000000 || out.ContentType != "text/plain" {
		t.Errorf("streamed %v, error %q, %d bytes, %s", out.Streamed, out.FunctionError, got.Len(), out.ContentType)
	}
	out = invoke(t, l, `{"parts":1,"bytes":10,"message":"cut off"}`)
	body, err := base64.StdEncoding.DecodeString(out.Trailers.Get("Lambda-Runtime-Function-Error-Body"))
	if err != nil || out.FunctionError != "Unhandled" || !strings.Contains(string(body), "cut off") || string(out.Payload) != "ssssssssss" {
		t.Errorf("error %q, trailers %v, payload %s", out.FunctionError, out.Trailers, out.Payload)
	}
}

func TestNodeRuntimeClientOnAManagedInstance(t *testing.T) {
	t.Parallel()
	l, _ := node(t, "index.handler", emulator.Config{Concurrency: 2})
	for range 3 {
		if out := invoke(t, l, `{"a":1}`); out.FunctionError != "" {
			t.Errorf("error %q, payload %s", out.FunctionError, out.Payload)
		}
	}
}
