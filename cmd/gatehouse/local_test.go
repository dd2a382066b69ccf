package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// localFunction is the emulator's test function.
var localFunction = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatehouse-local-test-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "bootstrap")
	return bin, exec.Command("go", "build", "-o", bin, "../../internal/emulator/testdata/func").Run()
})

func bootstrap(t *testing.T) string {
	t.Helper()
	bin, err := localFunction()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// runLocal runs the command as main does.
func runLocal(ctx context.Context, stdin string, stdout, stderr io.Writer, args ...string) error {
	c := newLocalCommand()
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(args)
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(stdout)
	c.SetErr(stderr)
	return c.ExecuteContext(ctx)
}

func TestLocalInvokesOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(file, []byte(`{"Say":"from a file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		event, stdin, stdout, stderr string
		err                          error
	}{
		{file, "", `{"Say":"from a file"}` + "\n", "from a file\n", nil},
		{"-", `{"Say":"from stdin"}`, `{"Say":"from stdin"}` + "\n", "from stdin\n", nil},
		{"-", `{"Do":"error","Message":"no"}`, `{"errorMessage":"no","errorType":"errorString"}` + "\n", "REPORT RequestId: ", errFailed},
	} {
		var stdout, stderr bytes.Buffer
		err := runLocal(t.Context(), c.stdin, &stdout, &stderr, "--event", c.event, "--", bootstrap(t))
		if !errors.Is(err, c.err) {
			t.Errorf("%s %s: %v, want %v", c.event, c.stdin, err, c.err)
		}
		if stdout.String() != c.stdout || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s %s: stdout %q, stderr %q", c.event, c.stdin, &stdout, &stderr)
		}
	}
}

func TestLocalServesUntilItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	var stderr bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- runLocal(ctx, "", w, &stderr, "--port", "0", "--name", "orders", "--", bootstrap(t))
		_ = w.Close()
	}()
	url := readURL(t, r)
	resp, err := http.Post(url, "application/json", strings.NewReader(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `{"a":1}` {
		t.Errorf("answer %s, %v", body, err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it did not end")
	}
}

// readURL finds the address in what the command prints, and goes on reading.
func readURL(t *testing.T, r io.Reader) string {
	t.Helper()
	var seen []byte
	for buf := make([]byte, 1024); ; {
		n, err := r.Read(buf)
		seen = append(seen, buf[:n]...)
		if url := regexp.MustCompile(`http://\S+/invocations`).Find(seen); url != nil {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return string(url)
		}
		if err != nil {
			t.Fatalf("%v after %q", err, seen)
		}
	}
}

func TestLocalEnvironment(t *testing.T) {
	t.Setenv("PASSED_ON", "yes")
	layer := t.TempDir()
	for name, text := range map[string]string{
		"gatehouse/wrapper": "#!/bin/sh\nexport WRAPPED=1\nexec \"$@\"\n",
	} {
		file := filepath.Join(layer, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(layer, "extensions"), 0o700); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(layer, "extensions", "gatehouse"), "../../internal/emulator/testdata/ext")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var stdout, stderr bytes.Buffer
	err := runLocal(t.Context(), `{"Do":"env"}`, &stdout, &stderr, "--event", "-", "--layer", layer, "--memory", "512",
		"--env", "STAGE=a=b", "--env", "PASSED_ON", "--env", "GATEHOUSE_EGRESS_ADDR=127.0.0.1:1", "--", bootstrap(t))
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var list []string
	if err := json.Unmarshal(stdout.Bytes(), &list); err != nil {
		t.Fatalf("%s: %v", &stdout, err)
	}
	env := parseEnv(list)
	for name, want := range map[string]string{
		"STAGE": "a=b", "PASSED_ON": "yes", "WRAPPED": "1", "GATEHOUSE_EGRESS_ADDR": "127.0.0.1:1",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_EXEC_WRAPPER": filepath.Join(layer, "gatehouse", "wrapper"),
	} {
		if env[name] != want {
			t.Errorf("%s=%q, want %q", name, env[name], want)
		}
	}
	for _, name := range []string{"GATEHOUSE_RUN_DIR", "GATEHOUSE_RUNTIME_API_ADDR", "GATEHOUSE_TELEMETRY_ADDR"} {
		if env[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if _, err := os.Stat(filepath.Dir(env["GATEHOUSE_RUN_DIR"])); !os.IsNotExist(err) {
		t.Errorf("the run folder was left behind: %v", err)
	}
}

func TestLocalRefusesBadFlags(t *testing.T) {
	for flags, want := range map[string]string{
		"--telemetry 404 -- x": "--telemetry 404", "--log-format xml -- x": `"xml"`, "--concurrency -1 -- x": "concurrency -1", "": "requires at least 1 arg",
	} {
		err := runLocal(t.Context(), "", io.Discard, io.Discard, strings.Fields(flags)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", flags, err, want)
		}
	}
}

func TestSandboxEnvHasPortsOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 5 {
		env, err := sandboxEnv("/run")
		if err != nil {
			t.Fatal(err)
		}
		inThis := map[string]bool{}
		for _, name := range []string{"GATEHOUSE_EGRESS_ADDR", "GATEHOUSE_RUNTIME_API_ADDR", "GATEHOUSE_TELEMETRY_ADDR"} {
			host, port, err := net.SplitHostPort(env[name])
			if err != nil || host != "127.0.0.1" || inThis[port] {
				t.Errorf("%s=%q, %v", name, env[name], err)
			}
			inThis[port] = true
			seen[port] = true
		}
	}
}
