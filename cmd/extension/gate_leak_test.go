package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/cmd/gatehouse/battery"
	"gatehouse/cmd/gatehouse/remote"
	"gatehouse/internal/console"
	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
)

// stolen is what the poisoned dependency is after. It is made up.
const stolen = "tok_demo_7Yc2Qm9RkV5sXw8ZtB3n"

// runtimes are the example function in three languages.
func runtimes(t *testing.T) map[string][]string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	list := map[string][]string{"Go": {filepath.Join(dir, "sns-db-checker")}}
	for name, folder := range map[string]string{"Python": "sns-db-checker-python", "Node": "sns-db-checker-node"} {
		path, err := filepath.Abs("../../examples/" + folder + "/bootstrap")
		if err != nil {
			t.Fatal(err)
		}
		interpreter := strings.ToLower(name)
		if name == "Python" {
			interpreter = "python3"
		}
		if interpreter, err = exec.LookPath(interpreter); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		list[name] = []string{interpreter, path}
	}
	return list
}

// leaky starts the example function attached and poisoned as asked.
func leaky(t *testing.T, command []string, s setup, poison, onLeak string) (*gate, *remote.Host) {
	t.Helper()
	dir := t.TempDir()
	host, err := remote.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	_, port, _ := net.SplitHostPort(host.Addr)
	policy := filepath.Join(dir, "policy.yaml")
	text := fmt.Sprintf("version: 1\nmode: enforce\negress:\n  hosts: {%s: %q}\n  inspect: {tls: true}\nsecrets: {on_leak: %s}\n", remote.Name, host.Addr, onLeak)
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	change := s.change
	s.change = func(c *emulator.Config) {
		c.Command, c.Dir = command, filepath.Dir(command[len(command)-1])
		for k, v := range map[string]string{
			"GATEHOUSE_POLICY": policy, "GATEHOUSE_UPSTREAM_CA": host.CAFile, "BILLING_TOKEN": stolen,
			"DB_PATH": filepath.Join(dir, "orders.db"), "POISON": poison, "POISON_PORT": port,
			"RATES_URL": "https://" + net.JoinHostPort(remote.Name, port) + "/rates", "PATH": os.Getenv("PATH"),
		} {
			c.Env[k] = v
		}
		if change != nil {
			change(c)
		}
	}
	return start(t, "sns-db-checker", s), host
}

// On each runtime a benign request goes through the inspecting proxy, and a
// poisoned dependency's does not, though it ignores every error: no byte of the
// secret arrives, and the invocation fails.
func TestLeakIsStopped(t *testing.T) {
	for name, command := range runtimes(t) {
		t.Run(name, func(t *testing.T) {
			g, host := leaky(t, command, setup{attach: wrapper}, "", "halt")
			out := g.invoke(t, string(battery.SNS(`{"rates":true}`, "rates")))
			if out.FunctionError != "" || !strings.Contains(string(out.Payload), "1.08") || len(host.Received()) != 1 {
				t.Fatalf("the benign request: %s %s", out.FunctionError, out.Payload)
			}
			g, host = leaky(t, command, setup{attach: wrapper}, "handler", "halt")
			out = g.invoke(t, string(battery.SNS(`{"customer":"ada"}`, "poisoned")))
			if out.FunctionError == "" || !strings.Contains(string(out.Payload), "Gatehouse.LeakBlocked") {
				t.Errorf("the caller got %q %s", out.FunctionError, out.Payload)
			}
			expectLeak(t, g, host, "handler")
			eventually(t, "the connection is in the console", func() bool { return g.kinds(record.Connection) > 0 })
			out = g.invoke(t, string(battery.SNS(`{"customer":"ada"}`, "again")))
			if !strings.Contains(string(out.Payload), "Gatehouse.LeakBlocked") {
				t.Errorf("after the reset the caller got %s", out.Payload)
			}
		})
	}
}

// expectLeak checks that the remote host got no secret, and the console the
// evidence.
func expectLeak(t *testing.T, g *gate, host *remote.Host, when string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s\n%s\n%s", g.log("platform"), g.log("extension"), g.log("function"))
		}
	})
	for _, r := range host.Received() {
		if strings.Contains(r, stolen) {
			t.Errorf("%s: the secret arrived: %.200s", when, r)
		}
	}
	var list []console.Detection
	eventually(t, when+": the leak is in the console", func() bool {
		list, _ = g.console.Detections(t.Context(), console.Filter{Kind: record.Leak})
		return len(list) > 0
	})
	d := list[0]
	if !strings.HasPrefix(d.SignatureID, "leak.") || d.Dest != remote.Name || strings.Contains(string(d.Raw), stolen) {
		t.Errorf("%s: record %s", when, d.Raw)
	}
}

// The poison acts at import, in the handler, or in a thread after the response;
// the function is attached by the wrapper or by HTTPS_PROXY alone, and Lambda
// gives telemetry or does not.
func TestLeakAtEveryMoment(t *testing.T) {
	command := runtimes(t)["Go"]
	for _, when := range []string{"import", "handler", "thread"} {
		for _, attach := range []string{wrapper, proxied} {
			for _, telemetry := range []int{200, 202} {
				name := fmt.Sprintf("%s, %s, telemetry %d", when, attach, telemetry)
				t.Run(name, func(t *testing.T) {
					env := map[string]string{}
					if attach == proxied {
						env["SSL_CERT_FILE"] = "" // set below: the customer trusts our CA himself
					}
					g, host := leaky(t, command, setup{attach: attach, change: func(c *emulator.Config) {
						c.Telemetry202 = telemetry == 202
						if attach == proxied {
							c.Env["SSL_CERT_FILE"] = filepath.Join(c.Env["GATEHOUSE_RUN_DIR"], "bundle.pem")
						}
					}}, when, "halt")
					out := g.invoke(t, string(battery.SNS(`{"customer":"ada"}`, "one")))
					failed := out.FunctionError != ""
					// Attached by HTTPS_PROXY alone, code that acts at import is stopped and
					// the function may have answered before Lambda hears of it.
					if (when != "import" || attach != proxied) && failed != (when != "thread") {
						t.Errorf("the caller got %q %s", out.FunctionError, out.Payload)
					}
					if when == "thread" { // it goes on while other invocations keep the sandbox awake
						eventually(t, "the thread gets on", func() bool {
							g.invoke(t, string(battery.SNS(`{"customer":"bob"}`, "two")))
							return g.kinds(record.Leak) > 0
						})
					}
					expectLeak(t, g, host, name)
				})
			}
		}
	}
}

// With on_leak: block the request fails and the function goes on.
func TestLeakIsBlockedWithoutHalt(t *testing.T) {
	g, host := leaky(t, runtimes(t)["Go"], setup{attach: wrapper}, "handler", "block")
	out := g.invoke(t, string(battery.SNS(`{"customer":"ada"}`, "one")))
	if out.FunctionError != "" {
		t.Errorf("the caller got %q %s", out.FunctionError, out.Payload)
	}
	expectLeak(t, g, host, "block")
}

// A secret in a host name is lower case in what is asked for. It is shown neither
// so nor as it was, in the leak's record or in the log.
func TestSecretInAHostNameIsNotShown(t *testing.T) {
	const name = stolen + "." + remote.Name
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	text := fmt.Sprintf("version: 1\negress:\n  hosts: {%s: %q}\n", strings.ToLower(name), freeAddr(t)) // nobody answers, and no resolver is asked
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"enforce", "monitor"} {
		g := start(t, "fetch", setup{attach: wrapper, env: map[string]string{
			"GATEHOUSE_MODE": mode, "GATEHOUSE_LOG_LEVEL": "debug", "GATEHOUSE_POLICY": policy, "BILLING_TOKEN": stolen,
		}})
		g.invoke(t, `"http://`+name+`/"`)
		g.invoke(t, `"https://`+strings.ToUpper(name)+`/"`)
		var list []console.Detection
		eventually(t, "two leaks are in the console", func() bool {
			list, _ = g.console.Detections(t.Context(), console.Filter{Kind: record.Leak})
			return len(list) == 2
		})
		shown := g.log("extension")
		for _, d := range list {
			var r record.Record
			if err := json.Unmarshal(d.Raw, &r); err != nil {
				t.Fatal(err)
			}
			r.DropEvent() // its sender knew it
			text, _ := r.Encode()
			shown += string(text) + "\n"
		}
		if strings.Contains(strings.ToLower(shown), strings.ToLower(stolen)) {
			t.Errorf("%s: shown in\n%s", mode, shown)
		}
	}
}
