package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

func TestStdoutPrintsFindingsAndHealth(t *testing.T) {
	var out bytes.Buffer
	p := &telemetry.Pipeline{Sink: telemetry.Stdout{W: &out}}
	attack := &record.Record{Kind: record.Attack, Matched: "' OR '1'='1"}
	attack.SetEvent([]byte(`{"customer":"Jane"}`), nil)
	p.Add(line("CloudWatch has this one"))
	p.Add(attack)
	p.Add(&record.Record{Kind: record.Health, Rung: "wrapper"})
	p.Shutdown(t.Context())

	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2 || p.Sent() != 3 {
		t.Fatalf("%d lines, %d sent, want 2 and 3:\n%s", len(lines), p.Sent(), out.String())
	}
	var r record.Record
	if err := json.Unmarshal([]byte(lines[0]), &r); err != nil {
		t.Fatal(err)
	}
	if r.Matched != "' OR '1'='1" || r.Event != nil || !r.EventTruncated || r.EventBytes == 0 {
		t.Errorf("want the finding without its event: %s", lines[0])
	}
	if !strings.Contains(lines[1], `"rung":"wrapper"`) {
		t.Errorf("want the health record: %s", lines[1])
	}
}

func TestStdoutPrintsEventsOnRequest(t *testing.T) {
	var out bytes.Buffer
	p := &telemetry.Pipeline{Sink: telemetry.Stdout{W: &out, Events: true}}
	attack := &record.Record{Kind: record.Attack}
	attack.SetEvent([]byte(`{"customer":"Jane"}`), nil)
	p.Add(attack)
	p.Shutdown(t.Context())
	if !strings.Contains(out.String(), `"event":{"customer":"Jane"}`) {
		t.Errorf("no event in %s", out.String())
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestAStdoutThatIsClosedLosesByCount(t *testing.T) {
	out := telemetry.Stdout{W: closed{}}
	p := &telemetry.Pipeline{Sink: out, Last: out}
	p.Add(&record.Record{Kind: record.Leak})
	p.Shutdown(t.Context())
	if p.Lost()["leak"] != 1 {
		t.Errorf("lost %v, want one leak", p.Lost())
	}
}
