package egress_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
	"gatehouse/test/egress/corpus"
)

// honestRow is where the addresses of honest hosts begin.
const honestRow = 5000

// honestEnv is what an honest function has. All of it is made up.
func honestEnv() map[string]string {
	return map[string]string{
		"STRIPE_API_KEY": "sk_live_51Hx9EXAMPLEkeyOfNobody7Yc2Qm9RkV5sXw8Zt", "DD_API_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
		"STOCK_TOKEN": "stk_hJ4pLw0QeV6uGc1TnB3zNOBODYS", "DATABASE_URL": "postgres://orders:Tr0ub4dor-EXAMPLE-9x@db.internal.example:5432/orders",
		"STAGE": "production", "TABLE_NAME": "orders-production-eu", "LOG_LEVEL": "debug", "API_VERSION": "2026-01-01",
		"SESSION_ID_HEADER": "X-Session-Token", "WEBHOOK_SECRET": "whsec_9Kd72jLqWm3Zx8Vb5Nt6Rf1Gh0EXAMPLE",
	}
}

// TestHonest does what honest functions do, in enforce mode: it arrives as it was sent,
// byte for byte, and raises no finding.
func TestHonest(t *testing.T) {
	s := newSink(t)
	dir := t.TempDir()
	hosts := corpus.HonestHosts()
	var lines []string
	for i, h := range hosts {
		lines = append(lines, fmt.Sprintf("    %s: %s", h, address(honestRow+i)))
	}
	env := honestEnv()
	maps.Copy(env, map[string]string{
		"AWS_LAMBDA_EXEC_WRAPPER": "/opt/gatehouse/wrapper", "GATEHOUSE_MODE": "enforce", "GATEHOUSE_FLUSH": "end", "GATEHOUSE_RUN_DIR": filepath.Join(dir, "run"),
		"GATEHOUSE_POLICY": filepath.Join(dir, "policy.yaml"), "GATEHOUSE_UPSTREAM_CA": s.caFile, "TEST_RESOLV": "/etc/resolv.conf",
	})
	for _, name := range []string{"EGRESS", "RUNTIME_API", "TELEMETRY"} {
		env["GATEHOUSE_"+name+"_ADDR"] = freeAddr(t)
	}
	write(t, env["GATEHOUSE_POLICY"], "version: 1\negress:\n  inspect: {tls: true}\n  hosts:\n"+strings.Join(lines, "\n")+"\nsecrets:\n  hosts: {STOCK_TOKEN: api.internal.test}\n")
	for name, value := range env { // what the test compares with is made here, too
		t.Setenv(name, value)
	}
	t.Setenv("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2Vj"+watched("AWS_SESSION_TOKEN", ""))
	t.Setenv("AWS_LAMBDA_FUNCTION_NAME", "function")
	box := start(t, s, true, env)
	for i := range corpus.HonestRows {
		h := &corpus.HonestRows[i]
		before := s.bodies(hosts, h.Host)
		event, err := json.Marshal(map[string]string{"Honest": h.Name})
		if err != nil {
			t.Fatal(err)
		}
		out, err := box.Invoke(t.Context(), emulator.Input{Event: event})
		if err != nil {
			t.Fatal(err)
		}
		if said := string(out.Payload); said != `"\u003cnil\u003e"` {
			t.Errorf("%s: %s", h.Name, said)
		}
		want := h.Make()
		for end := time.Now().Add(2 * time.Second); !strings.Contains(s.bodies(hosts, h.Host)[len(before):], want.Body) && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond) // polling
		}
		got := s.bodies(hosts, h.Host)[len(before):]
		if !strings.Contains(got, want.Method+" "+want.Path) || !strings.HasSuffix(got, want.Body) {
			t.Errorf("%s: it did not arrive as it was sent: %.300q", h.Name, got)
		}
		for _, header := range want.Header {
			if !strings.Contains(strings.ToLower(got), strings.ToLower(header[0]+": "+header[1]+"\r\n")) {
				t.Errorf("%s: %s is gone, or another", h.Name, header[0])
			}
		}
		if n := len(want.Body); want.Method != "" && n > 0 && !strings.Contains(got, fmt.Sprintf("Content-Length: %d\r\n", n)) {
			t.Errorf("%s: another length", h.Name)
		}
	}
	box.stop(t)
	for line := range strings.Lines(box.log.String()) {
		if strings.Contains(line, `"kind":"leak"`) || strings.Contains(line, `"kind":"attack"`) {
			t.Errorf("a finding: %.600s", line)
		}
	}
	if !strings.Contains(box.log.String(), `"kind":"health"`) {
		t.Errorf("the layer reported nothing at all:\n%s", box.log.String())
	}
}

// bodies is all that came for host.
func (s *sink) bodies(hosts []string, host string) string {
	for i, h := range hosts {
		if h == host {
			texts, _ := s.take(honestRow + i)
			return strings.Join(texts, "")
		}
	}
	return ""
}
