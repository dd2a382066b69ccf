package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"gatehouse/internal/record"
)

// A secret that the function prints is a finding, once for each invocation, and what is
// forwarded of the line is masked. The rest of the line arrives.
func TestAPrintedSecretIsALeak(t *testing.T) {
	const secret, second = "k9Zq4vT2xWb7Lm3n", "Pq8Rw2Ky6Jd5Hs1f"
	for _, tt := range []struct{ name, policy string }{{"lines are sent", ""}, {"and where they are not", "records: {logs: false}"}} {
		t.Run(tt.name, func(t *testing.T) {
			env := policyFile(t, tt.policy)
			maps.Copy(env, map[string]string{"STOCK_API_KEY": secret, "ORDERS_API_KEY": second})
			g := start(t, "func", setup{attach: wrapper, env: env})
			say := fmt.Sprintf("env: %s and %s, done", secret, second)
			for range 2 {
				g.invoke(t, fmt.Sprintf(`{"Say":%q,"Lines":3}`, say))
			}
			if err := g.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range g.records(t, record.Leak) {
				if r.DLPType == "response" {
					continue // it answers with its event
				}
				got = append(got, r.Object)
				if r.DLPType != "log" || r.Path != "log" || r.Action != "allowed" || r.RequestID == "" || r.Fingerprint == "" || r.SignatureID != "leak.own-secret" {
					t.Errorf("%s of %s: %s, %s", r.SignatureID, r.Object, r.DLPType, r.Action)
				}
				if !strings.Contains(r.Matched, "{{"+r.Object+":") || strings.Contains(string(r.Event), secret) {
					t.Errorf("matched %q, event %s", r.Matched, r.Event)
				}
			}
			if fmt.Sprint(got) != "[STOCK_API_KEY ORDERS_API_KEY STOCK_API_KEY ORDERS_API_KEY]" {
				t.Errorf("findings of %v", got)
			}
			lines := 0
			for _, r := range g.records(t, record.Log) {
				if strings.Contains(r.Message, "env: {{STOCK_API_KEY:") && strings.Contains(r.Message, "}}, done") && !strings.Contains(r.Message, second) {
					lines++
				}
			}
			if want := 6; tt.policy == "" && lines != want || tt.policy != "" && lines != 0 {
				t.Errorf("%d lines arrived", lines)
			}
		})
	}
}

// The policy leaves lines out, and says how many.
func TestLinesAreLeftOut(t *testing.T) {
	say := func(g *gate) {
		for _, line := range []string{"[DEBUG]\\tquiet", "[ERROR]\\tloud", "plain"} {
			g.invoke(t, `{"Say":"`+line+`"}`)
		}
	}
	for _, tt := range []struct {
		policy string
		want   string
	}{
		{"records: {level: warn}", "[ERROR]\tloud,plain"},
		{"records: {sample: 0}", ""},
		{"records: {sample: 1, level: trace}", "[DEBUG]\tquiet,[ERROR]\tloud,plain"},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			g := start(t, "func", setup{attach: wrapper, env: policyFile(t, tt.policy)})
			say(g)
			if err := g.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range g.records(t, record.Log) {
				if r.LogType == "function" && r.RequestID != "" {
					got = append(got, r.Message)
				}
			}
			if text := strings.Join(got, ","); text != tt.want {
				t.Errorf("%q arrived, want %q", text, tt.want)
			}
			left := uint64(0)
			for _, r := range g.records(t, record.Health) {
				left = max(left, r.LeftOut)
			}
			for _, r := range g.records(t, record.Invocation) {
				left = max(left, r.LeftOut)
			}
			if want := uint64(3 - len(got)); left < want || (left > 0) != (want > 0) {
				t.Errorf("%d lines were left out, want %d", left, want)
			}
			if n := g.kinds(record.Invocation); n != 3 {
				t.Errorf("%d invocations", n)
			}
		})
	}
}

// Fields are hidden in findings, in lines and in what the policy names. What was
// matched stays: it is the evidence.
func TestFieldsAreHidden(t *testing.T) {
	const event = `{"q":"1' UNION SELECT password FROM users -- ","password":"hunter2-x","headers":{"Cookie":"sid=abcdef","Accept":"a/b"},"card":"4111 1111 1111 1111",` +
		`"iban":"DE89370400440532013000","Say":"user cust-1234 password=hunter2-x"}`
	g := start(t, "func", setup{attach: wrapper, env: policyFile(t, "mode: monitor\nrecords: {masks: {paths: iban, patterns: 'cust-[0-9]{4}'}}")})
	g.invoke(t, event)
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	attacks := g.records(t, record.Attack)
	if len(attacks) == 0 {
		t.Fatal("no attack")
	}
	for _, r := range attacks {
		text := string(r.Event)
		for _, gone := range []string{"hunter2-x", "sid=abcdef", "4111 1111", "DE8937", "cust-1234"} {
			if strings.Contains(text, gone) {
				t.Errorf("%q is in %s", gone, text)
			}
		}
		for _, stays := range []string{"{{masked:password}}", "{{masked:cookie}}", "{{masked:card:1111}}", `"iban":"{{masked}}"`, `"Accept":"a/b"`} {
			if !strings.Contains(text, stays) {
				t.Errorf("%q is not in %s", stays, text)
			}
		}
		if !strings.Contains(r.Matched, "UNION SELECT") {
			t.Errorf("matched %q", r.Matched)
		}
	}
}

// Without the event a finding still says what was matched, of how long an event.
func TestEventsAreLeftOut(t *testing.T) {
	g := start(t, "echo", setup{attach: wrapper, env: policyFile(t, "records: {event: none}")})
	g.invoke(t, injected)
	eventually(t, "the attack", func() bool { return g.kinds(record.Attack) > 0 })
	if r := g.records(t, record.Attack)[0]; len(r.Event) != 0 || r.EventBytes != len(injected) || r.EventSHA256 == "" || !r.EventTruncated || r.Matched == "" {
		t.Errorf("event %s of %d bytes, %q matched", r.Event, r.EventBytes, r.Matched)
	}
}
