package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/record"
)

// sessionToken is what Lambda gives to a function, made up.
const sessionToken = "IQoJb3JpZ2luX2VjEHoaCWV1LXdlc3QtMSJHMEUCIQD/A7made+up/bytes9Zk3Lw5QxN1pTtR0uVvYgHjKl=="

// answering starts program with a policy for responses, in a mode.
func answering(t *testing.T, program, mode, action string) *gate {
	t.Helper()
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	text := fmt.Sprintf("version: 1\nmode: %s\nresponses: {action: %s}\n", mode, action)
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, program, setup{attach: wrapper, env: map[string]string{
		"GATEHOUSE_MODE": "", "GATEHOUSE_POLICY": policy, "BILLING_TOKEN": stolen, "AWS_SESSION_TOKEN": sessionToken,
	}})
}

// A function that tells its caller one of its own secrets, at once or as a
// stream: what the caller gets, and what is recorded.
func TestResponseThatTellsASecret(t *testing.T) {
	stars := strings.Repeat("*", len(stolen))
	tests := []struct{ mode, action, verdict, would string }{
		{"enforce", "monitor", "allow", "allowed"},
		{"enforce", "mask", "mask", "blocked"},
		{"enforce", "refuse", "refuse", "blocked"},
		{"monitor", "mask", "allow", "blocked"},
		{"monitor", "refuse", "allow", "blocked"},
	}
	for _, tt := range tests {
		t.Run(tt.mode+" "+tt.action, func(t *testing.T) {
			body := `{"debug":"` + stolen + `","note":"` + strings.Repeat("x", 50_000) + `"}`
			g := answering(t, "echo", tt.mode, tt.action)
			out := g.invoke(t, body)
			switch got := string(out.Payload); tt.verdict {
			case "allow":
				if got != body || out.FunctionError != "" {
					t.Errorf("the caller got %.200q %s", got, out.FunctionError)
				}
			case "mask":
				if got != strings.Replace(body, stolen, stars, 1) || out.FunctionError != "" {
					t.Errorf("the caller got %.200q %s", got, out.FunctionError)
				}
			case "refuse":
				if out.FunctionError == "" || !strings.Contains(got, `"errorType":"Gatehouse.LeakBlocked"`) || strings.Contains(got, stolen) {
					t.Errorf("the caller got %.200q %s", got, out.FunctionError)
				}
			}
			if out := g.invoke(t, `{"fine":true}`); string(out.Payload) != `{"fine":true}` {
				t.Errorf("the next event was answered %q", out.Payload)
			}
			expectTold(t, g, tt.verdict, tt.would)

			g = answering(t, "streamer", tt.mode, tt.action)
			out = g.invoke(t, `{"Bytes":100000,"Say":"`+stolen+` and so on"}`)
			got := string(out.Payload[100000:])
			switch tt.verdict {
			case "allow":
				if got != stolen+" and so on" || len(out.Trailers) > 0 {
					t.Errorf("streamed: the caller got %q %v", got, out.Trailers)
				}
			case "mask":
				if got != stars+" and so on" || len(out.Trailers) > 0 {
					t.Errorf("streamed: the caller got %q %v", got, out.Trailers)
				}
			case "refuse":
				if got != "" || !strings.Contains(fmt.Sprint(out.FunctionError, out.Trailers), "GatehouseLeakBlocked") {
					t.Errorf("streamed: the caller got %q %q %v", got, out.FunctionError, out.Trailers)
				}
			}
			if out := g.invoke(t, `{"Bytes":3}`); string(out.Payload) != "str" {
				t.Errorf("the next event was answered %q", out.Payload)
			}
			expectTold(t, g, tt.verdict, tt.would)
		})
	}
}

// expectTold checks the record of the one answer with the secret in it.
func expectTold(t *testing.T, g *gate, verdict, would string) {
	t.Helper()
	g.stop(t)
	list := g.records(t, record.Leak)
	if len(list) != 1 {
		t.Fatalf("%d leak records", len(list))
	}
	r := list[0]
	if r.SignatureID != "leak.own-secret" || r.Path != "response" || r.Verdict != verdict || r.WouldAction != would ||
		r.Object != "BILLING_TOKEN" || r.RequestID == "" || len(r.Fingerprint) != 12 || r.Event == nil {
		t.Errorf("record %+v", r)
	}
	if text, err := r.Encode(); err != nil || strings.Contains(string(text), stolen) {
		t.Errorf("%v, record %s", err, text)
	}
}

// A URL that the function presigned for its caller is no leak, though its session
// token stands in it; the token by itself is one, and so is that URL elsewhere.
func TestPresignedURLInAResponse(t *testing.T) {
	presigned := func(host string) string { return `{"url":"` + presignedURL(host) + `"}` }
	g := answering(t, "echo", "enforce", "refuse")
	for _, tt := range []struct {
		event string
		ok    bool
	}{
		{presigned("reports.s3.eu-west-1.amazonaws.com"), true},
		{presigned("reports.evil.test"), false},
		{`{"token":"` + sessionToken + `"}`, false},
	} {
		out := g.invoke(t, tt.event)
		if same := string(out.Payload) == tt.event; same != tt.ok {
			t.Errorf("%s was answered %s", tt.event, out.Payload)
		}
	}
	g.stop(t)
	if n := len(g.records(t, record.Leak)); n != 2 {
		t.Errorf("%d leak records, want 2", n)
	}
}
