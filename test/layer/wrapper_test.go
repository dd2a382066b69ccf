package layer_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// attach is what a ready file says where everything works.
const attach = "runtime_api=127.0.0.1:18791\negress=127.0.0.1:18790\nno_proxy=localhost,127.0.0.1\n"

// wrapped runs env(1) through the wrapper with a run folder that holds ready ("-":
// none), and returns what the function's environment is, or that it did not start.
func wrapped(t *testing.T, layer, ready string, args []string, env ...string) (map[string]string, error) {
	t.Helper()
	dir := t.TempDir()
	if ready != "-" {
		if err := os.WriteFile(filepath.Join(dir, "ready"), []byte(ready), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(layer, "wrapper"), args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GATEHOUSE_RUN_DIR=" + dir, "AWS_LAMBDA_RUNTIME_API=real:9001"}, env...)
	out, err := cmd.Output()
	vars := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		vars[name] = value
	}
	return vars, err
}

// copied is the layer's folder at another place.
func copied(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "layer", "gatehouse"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "wrapper"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return dir
}

// What the wrapper makes of every state of the ready file.
func TestWrapperReadsReady(t *testing.T) {
	layer := copied(t, "gatehouse")
	tests := []struct {
		name, ready string
		env         []string
		attached    bool
		starts      bool
	}{
		{"whole", attach, nil, true, true},
		{"IPv6", strings.ReplaceAll(attach, "127.0.0.1:", "[::1]:"), nil, true, true},
		{"absent", "-", nil, false, true},
		{"empty", "", nil, false, true},
		{"half", "runtime_api=127.0.0.1:18791\n", nil, false, true},
		{"command in it", "runtime_api=$(touch /tmp/x)\negress=127.0.0.1:18790\n", nil, false, true},
		{"quotes in it", "runtime_api=a\"b\negress=127.0.0.1:18790\n", nil, false, true},
		{"unknown keys", "PATH=/nowhere\nLD_PRELOAD=/tmp/x.so\n" + attach, nil, true, true},
		{"absent, closed", "-", []string{"GATEHOUSE_ON_ERROR=closed"}, false, false},
		{"absent, Closed", "-", []string{"GATEHOUSE_ON_ERROR=Closed"}, false, false},
		{"absent, closed, off", "-", []string{"GATEHOUSE_ON_ERROR=closed", "GATEHOUSE=OFF"}, false, true},
		{"whole, closed", attach, []string{"GATEHOUSE_ON_ERROR=closed"}, true, true},
	}
	for _, tt := range tests {
		vars, err := wrapped(t, layer, tt.ready, []string{"env"}, append(tt.env, "GATEHOUSE_HEC_TOKEN=t", "GATEHOUSE_FINGERPRINT_KEY=k")...)
		if (err == nil) != tt.starts {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := vars["HTTPS_PROXY"] != ""; got != tt.attached || (vars["AWS_LAMBDA_RUNTIME_API"] == "real:9001") == tt.attached && tt.starts {
			t.Errorf("%s: HTTPS_PROXY=%q AWS_LAMBDA_RUNTIME_API=%q", tt.name, vars["HTTPS_PROXY"], vars["AWS_LAMBDA_RUNTIME_API"])
		}
		for _, name := range []string{"GATEHOUSE_HEC_TOKEN", "GATEHOUSE_FINGERPRINT_KEY", "LD_PRELOAD"} {
			if _, ok := vars[name]; ok {
				t.Errorf("%s: the function has %s", tt.name, name)
			}
		}
	}
}

// The customer's own settings stay beside ours, and paths may hold blanks.
func TestWrapperKeepsWhatTheCustomerHas(t *testing.T) {
	layer := copied(t, "a layer's folder")
	next := filepath.Join(t.TempDir(), "next wrapper")
	if err := os.WriteFile(next, []byte("#!/bin/sh\nNEXT=1 exec \"$@\"\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	vars, err := wrapped(t, layer, attach+"ca=/r/ca.pem\nbundle=/r/bundle.pem\n", []string{"env"},
		"NO_PROXY=a.example, *.b.example", "no_proxy=*", "NODE_OPTIONS=--max-old-space-size=64",
		"GATEHOUSE_NEXT_WRAPPER="+next)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"NO_PROXY":            "localhost,127.0.0.1,a.example,,*.b.example",
		"no_proxy":            "localhost,127.0.0.1,a.example,,*.b.example",
		"NODE_OPTIONS":        `--require "` + layer + `/proxy.cjs" --max-old-space-size=64`,
		"SSL_CERT_FILE":       "/r/bundle.pem",
		"NODE_EXTRA_CA_CERTS": "/r/ca.pem",
		"HTTP_PROXY":          "http://127.0.0.1:18790",
		"https_proxy":         "http://127.0.0.1:18790",
		"NEXT":                "1",
	} {
		if vars[name] != want {
			t.Errorf("%s=%q, want %q", name, vars[name], want)
		}
	}
	if _, ok := vars["GATEHOUSE_NEXT_WRAPPER"]; ok {
		t.Error("a next wrapper that chains back would loop")
	}
}
