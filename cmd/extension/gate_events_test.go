package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
)

// sameAnswers compares an answer with the layer to the one without.
func sameAnswers(t *testing.T, what string, with, without *emulator.Output) {
	t.Helper()
	replace := func(o *emulator.Output) string {
		return strings.ReplaceAll(string(o.Payload), o.RequestID, "<request id>")
	}
	if replace(with) != replace(without) || with.FunctionError != without.FunctionError ||
		with.StatusCode != without.StatusCode || fmt.Sprint(with.Trailers) != fmt.Sprint(without.Trailers) || with.Streamed != without.Streamed {
		t.Errorf("%s: with the layer\n%.300s %q %d %v\nwithout\n%.300s %q %d %v", what,
			replace(with), with.FunctionError, with.StatusCode, with.Trailers,
			replace(without), without.FunctionError, without.StatusCode, without.Trailers)
	}
}

// Every way that an invocation can end looks to its caller and in its log as it
// does without the layer.
func TestNothingChanges(t *testing.T) {
	tests := []struct{ name, event string }{
		{"answer", `{"Do":"","Message":"O'Brien","Say":"a line"}`},
		{"error", `{"Do":"error","Message":"no such order","Say":"a line"}`},
		{"panic", `{"Do":"panic","Message":"oh"}`},
		{"crash", `{"Do":"exit","Code":3,"Say":"last words"}`},
		{"clean exit", `{"Do":"exit"}`},
		{"time-out", `{"Do":"sleep","Ms":5000}`},
		{"parts, too large together", `{"Do":"stream","Bytes":20000000}`},
		{"parts that fail", `{"Do":"stream","Bytes":100000,"Message":"midway"}`},
		{"largest answer", `{"Do":"big","Bytes":6291556}`},
		{"answer too large", `{"Do":"big","Bytes":6291557}`},
	}
	attached := []struct {
		name string
		s    setup
	}{
		{"wrapper", setup{attach: wrapper}},
		{"wrapper, telemetry 202", setup{attach: wrapper, change: func(c *emulator.Config) { c.Telemetry202 = true }}},
		{"proxy", setup{attach: proxied}},
		{"proxy, telemetry 202", setup{attach: proxied, change: func(c *emulator.Config) { c.Telemetry202 = true }}},
		{"off", setup{attach: wrapper, env: map[string]string{"GATEHOUSE": "off"}}},
		{"broken configuration", setup{attach: wrapper, env: map[string]string{"GATEHOUSE_MODE": "enfroce", "GATEHOUSE_POLICY": "/nowhere"}}},
		{"HEC down", setup{attach: wrapper, env: map[string]string{"GATEHOUSE_HEC_URL": "http://127.0.0.1:1"}}},
		{"HEC down, proxy, telemetry 202", setup{attach: proxied, env: map[string]string{"GATEHOUSE_HEC_URL": "http://127.0.0.1:1"},
			change: func(c *emulator.Config) { c.Telemetry202 = true }}},
	}
	plain := shortly(t, setup{attach: bare})
	answers, logs := make([]*emulator.Output, len(tests)), make([]string, len(tests))
	for i, tt := range tests {
		answers[i], logs[i] = one(t, plain, tt.event)
	}
	for _, a := range attached {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			g := shortly(t, a.s)
			for i, tt := range tests {
				began := time.Now()
				with, log := one(t, g, tt.event)
				whole := time.Since(began)
				sameAnswers(t, tt.name, with, answers[i])
				if whole > 9*time.Second { // a time-out is 3 s, a lost Init 10
					t.Errorf("%s: %v until the sandbox was at rest\n%s", tt.name, whole, g.timed())
				}
				if log != logs[i] {
					t.Errorf("%s: the function's log is\n%s\nwithout the layer\n%s", tt.name, log, logs[i])
				}
				t.Logf("%s: %v with the layer, %v without; %v until the sandbox was at rest", tt.name, with.Duration, answers[i].Duration, whole)
			}
		})
	}
}

// shortly starts the function with a short time-out, which the slowest of the
// answers still keeps under the race detector on a busy machine.
func shortly(t *testing.T, s setup) *gate {
	t.Helper()
	change := s.change
	s.change = func(c *emulator.Config) {
		c.Timeout = 3 * time.Second
		if change != nil {
			change(c)
		}
	}
	return start(t, "func", s)
}

// one invokes once, and returns what the function printed meanwhile.
func one(t *testing.T, g *gate, event string) (*emulator.Output, string) {
	t.Helper()
	before := len(g.log("function"))
	out, err := g.Invoke(t.Context(), emulator.Input{Event: []byte(event), LogTail: true})
	if err != nil {
		t.Fatal(err)
	}
	return out, withoutTimes(g.log("function")[before:])
}

// withoutTimes drops what differs between two runs of the same function: dates
// and addresses in a stack trace.
func withoutTimes(log string) string {
	var kept []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, "0x") || strings.HasPrefix(line, "20") || strings.Contains(line, "goroutine") {
			continue
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "")
}

func TestBadInputArrivesByteForByte(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 5000) + strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000) + strings.Repeat(`}`, 5000)
	tests := []struct {
		name, event string
		gap         string // reason in the receipt; "" none
	}{
		{"fine", `{"Message":"fine"}`, ""},
		{"malformed", `{"Message": "cut`, "malformed"},
		{"not JSON", `plain words`, "not-json"},
		{"6 MB", `{"Message":"` + strings.Repeat("word ", 1_200_000) + `"}`, ""},
		{"10,000 deep", deep, "depth"},
		{"not UTF-8", "{\"Message\":\"\xff\xfe\xfa\"}", "not-utf8"},
		{"empty", "", "empty"},
		{"spaces", "  { \"b\" : 1 ,\n\"a\" : 2 }  ", ""},
	}
	for _, attach := range []string{wrapper, proxied} {
		g := start(t, "echo", setup{attach: attach})
		for _, tt := range tests {
			if out := g.invoke(t, tt.event); string(out.Payload) != tt.event || out.FunctionError != "" {
				t.Errorf("%s, %s: %d bytes went in, %d came out (%s)", attach, tt.name, len(tt.event), len(out.Payload), out.FunctionError)
			}
		}
		g.stop(t)
		summaries := g.records(t, record.Invocation)
		if len(summaries) != len(tests) {
			t.Fatalf("%s: %d summaries of %d invocations", attach, len(summaries), len(tests))
		}
		for i, tt := range tests {
			if attach == wrapper {
				expectReceipt(t, tt.name, tt.gap, len(tt.event), summaries[i].Receipt)
			}
		}
	}
}

// expectReceipt checks that a receipt says what could not be inspected.
func expectReceipt(t *testing.T, name, gap string, size int, r *record.Receipt) {
	t.Helper()
	if r == nil || r.Bytes != size || r.Exhausted {
		t.Errorf("%s: receipt %+v of an event of %d bytes", name, r, size)
		return
	}
	var reasons []string
	for _, g := range r.Gaps {
		reasons = append(reasons, g.Reason)
	}
	if got := strings.Join(reasons, " "); got != gap {
		t.Errorf("%s: the receipt's gaps are %q, want %q", name, got, gap)
	}
}

func TestAttackIsRefusedBeforeTheHandler(t *testing.T) {
	const attack = `{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"Message":"1' UNION SELECT password FROM users -- ","MessageId":"m"}}]}`
	for _, closing := range []string{"", "1"} {
		g := start(t, "echo", setup{attach: wrapper, env: map[string]string{"CLOSE": closing}})
		if out := g.invoke(t, attack); string(out.Payload) != "null" || out.FunctionError != "" {
			t.Fatalf("the caller got %q %q", out.Payload, out.FunctionError)
		}
		eventually(t, "the attack is in the console", func() bool { return g.kinds(record.Attack) == 1 })
		if out := g.invoke(t, `{"a":"fine"}`); string(out.Payload) != `{"a":"fine"}` {
			t.Errorf("the next event was answered %q", out.Payload)
		}
	}
}

func TestMonitorModeLetsItThrough(t *testing.T) {
	const attack = `{"q":"1' UNION SELECT password FROM users -- "}`
	g := start(t, "echo", setup{attach: wrapper, env: map[string]string{"GATEHOUSE_MODE": "monitor"}})
	if out := g.invoke(t, attack); string(out.Payload) != attack {
		t.Fatalf("the caller got %q", out.Payload)
	}
	eventually(t, "the attack is in the console", func() bool { return g.kinds(record.Attack) == 1 })
}

func TestHealthSaysHowItIsAttached(t *testing.T) {
	tests := []struct {
		attach   string
		want     []string
		dontWant string
	}{
		{wrapper, []string{`"rung":"wrapper"`}, `"events"`},
		{proxied, []string{`"rung":"proxy"`, `"what":"events"`, `"what":"telemetry"`}, "@"},
	}
	for _, tt := range tests {
		g := start(t, "echo", setup{attach: tt.attach, env: map[string]string{"GATEHOUSE_HEC_URL": "", "GATEHOUSE_HEC_TOKEN": ""},
			change: func(c *emulator.Config) { c.Telemetry202 = tt.attach == proxied }})
		g.invoke(t, `{}`)
		eventually(t, "a health record", func() bool { return strings.Contains(g.log("extension"), `"kind":"health"`) })
		log := g.log("extension")
		for _, want := range tt.want {
			if !strings.Contains(log, want) {
				t.Errorf("%s: no %s in\n%s", tt.attach, want, log)
			}
		}
		if strings.Contains(log, tt.dontWant) {
			t.Errorf("%s: %s in\n%s", tt.attach, tt.dontWant, log)
		}
	}
}

// A collector that dies between two invocations costs the function nothing, and
// the evidence of what came after is printed as a last resort.
func TestConsoleKilledInMidRun(t *testing.T) {
	const attack = `{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","Sns":{"Message":"1' UNION SELECT password FROM users -- ","MessageId":"m"}}]}`
	g := start(t, "echo", setup{attach: wrapper})
	for i, event := range []string{`{"a":1}`, `{"a":2}`, `{"a":3}`} {
		if i == 1 {
			if err := g.console.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if out := g.invoke(t, event); string(out.Payload) != event || out.FunctionError != "" {
			t.Errorf("%s was answered %q %s", event, out.Payload, out.FunctionError)
		}
	}
	if out := g.invoke(t, attack); string(out.Payload) != "null" {
		t.Errorf("the attack was answered %q", out.Payload)
	}
	g.stop(t)
	eventually(t, "the attack is in the function's log", func() bool {
		return strings.Contains(g.log("extension"), `"kind":"attack"`)
	})
}
