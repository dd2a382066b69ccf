package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/record"
)

// policyFile writes a policy and returns the setting that names it.
func policyFile(t *testing.T, text string) map[string]string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(at, []byte("version: 1\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"GATEHOUSE_POLICY": at, "GATEHOUSE_LOG_LEVEL": "warn"}
}

const injected = `{"q":"1' UNION SELECT password FROM users -- "}`

// An event whose every finding is excepted arrives, and the summary names the
// exception.
func TestExceptedEventArrives(t *testing.T) {
	g := start(t, "echo", setup{attach: wrapper, env: policyFile(t, "events: {exceptions: [{rule: sqli.union, path: q, reason: known}]}")})
	if out := g.invoke(t, injected); string(out.Payload) != injected {
		t.Fatalf("the caller got %q %q", out.Payload, out.FunctionError)
	}
	eventually(t, "the summary", func() bool { return g.kinds(record.Invocation) == 1 })
	if r := g.records(t, record.Invocation)[0]; fmt.Sprint(r.Exceptions) != "[sqli.union@q]" {
		t.Errorf("exceptions %q", r.Exceptions)
	}
	if n := g.kinds(record.Attack); n != 0 {
		t.Errorf("%d attack records", n)
	}
}

// With the detect profile an attack arrives in enforce mode, too, and the record
// says what block would do.
func TestDetectProfileRefusesNothing(t *testing.T) {
	g := start(t, "echo", setup{attach: wrapper, env: policyFile(t, "events: {profile: detect}")})
	if out := g.invoke(t, injected); string(out.Payload) != injected {
		t.Fatalf("the caller got %q %q", out.Payload, out.FunctionError)
	}
	eventually(t, "the attack is in the console", func() bool { return g.kinds(record.Attack) == 1 })
	if r := g.records(t, record.Attack)[0]; r.Action != "allowed" || r.WouldAction != "blocked" {
		t.Errorf("action %q, would_action %q", r.Action, r.WouldAction)
	}
}

// Of an exception that is over, the log and a health record speak once: of one that
// was over at the start, and of one that ends while the sandbox lives.
func TestExpiredExceptionIsSaidOnce(t *testing.T) {
	until := time.Now().Add(3 * time.Second).UTC().Format(time.RFC3339)
	g := start(t, "echo", setup{attach: wrapper, env: policyFile(t, `
events:
  exceptions:
    - {rule: sqli.union, path: old, until: 2020-01-01, reason: over}
    - {rule: sqli.union, path: q, until: "`+until+`", reason: soon over}
`)})
	refused := func() bool { return string(g.invoke(t, injected).Payload) != injected }
	if refused() {
		t.Fatal("the exception does not hold yet")
	}
	eventually(t, "the exception ends", refused)
	g.invoke(t, `{}`)
	eventually(t, "the last summary", func() bool {
		r := g.records(t, record.Invocation)
		return len(r) > 0 && r[len(r)-1].BytesIn == 2
	})
	var said []string
	for _, r := range g.records(t, record.Health) {
		for _, d := range r.Degraded {
			said = append(said, d.Reason)
		}
	}
	want := []string{
		"the exception sqli.union@old has expired: what it covered counts again",
		"the exception sqli.union@q has expired: what it covered counts again",
	}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("health records say %q, want %q", said, want)
	}
	for _, line := range want {
		if n := strings.Count(g.log("extension"), line); n != 1 {
			t.Errorf("%q is %d times in the log:\n%s", line, n, g.log("extension"))
		}
	}
}
