package hec_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

const token = "c0ffee00-1111-4222-8333-444455556666"

// programs are built once: the layer's binary, and a function that prints.
var programs = sync.OnceValues(func() (dir string, err error) {
	dir, err = os.MkdirTemp("", "gatehouse-hec-")
	if err != nil {
		return "", err
	}
	for program, pkg := range map[string]string{"extension": "./cmd/extension", "consumer": "./cmd/extension/testdata/consumer"} {
		cmd := exec.Command("go", "build", "-C", "../..", "-o", filepath.Join(dir, program), pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("building %s: %w\n%s", program, err, out)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir) // in the system's folder for such
	}
	os.Exit(code)
}

// run has a sandbox with our extension live: it starts, takes events, and ends.
func run(t *testing.T, events [][]byte, env map[string]string) {
	t.Helper()
	built, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	layer := filepath.Join(t.TempDir(), "layer")
	for _, dir := range []string{"extensions", "gatehouse"} {
		if err := os.MkdirAll(filepath.Join(layer, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(built, "extension"), filepath.Join(layer, "extensions", "gatehouse")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(layer, "gatehouse"), os.DirFS("../../layer/gatehouse")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(layer, "gatehouse", "wrapper"), 0o755); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"AWS_LAMBDA_EXEC_WRAPPER": "/opt/gatehouse/wrapper", "GATEHOUSE_RUN_DIR": filepath.Join(t.TempDir(), "run"),
		"GATEHOUSE_EGRESS_ADDR": freePort(t), "GATEHOUSE_RUNTIME_API_ADDR": freePort(t), "GATEHOUSE_TELEMETRY_ADDR": freePort(t),
		"GATEHOUSE_HEC_TOKEN": token, "GATEHOUSE_MODE": "enforce",
	}
	for name, value := range env {
		all[name] = value
	}
	var said bytes.Buffer
	l, err := emulator.Start(t.Context(), emulator.Config{
		FunctionName: "orders", Command: []string{filepath.Join(built, "consumer")}, Layer: layer, Env: all, Timeout: 10 * time.Second,
		Log: func(line emulator.Line) { fmt.Fprintln(&said, line.Text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what was printed:\n%s", said.Bytes())
		}
	})
	for i, e := range events {
		if _, err := l.Invoke(t.Context(), emulator.Input{Event: e}); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
	}
	if err := l.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// messages is a batch of SQS with one message for each body.
func messages(bodies ...string) []byte {
	type message map[string]any
	var list []message
	for i, b := range bodies {
		list = append(list, message{
			"messageId": fmt.Sprintf("m-%d", i), "body": b, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
			"eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders", "attributes": map[string]string{"SenderId": "AIDAEXAMPLE"},
		})
	}
	text, err := json.Marshal(map[string]any{"Records": list})
	if err != nil {
		panic(err) // maps and strings always have a JSON form
	}
	return text
}

// freePort returns an address of loopback that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
