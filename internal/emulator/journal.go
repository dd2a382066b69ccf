package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Where a Line comes from.
const (
	FromPlatform  = "platform"
	FromFunction  = "function"
	FromExtension = "extension"
)

// Line is one line of the function's log stream.
type Line struct {
	Time   time.Time
	Source string // FromPlatform, FromFunction or FromExtension
	Name   string // the extension's, else empty
	Text   string // without the newline at its end
}

// maxTail is how much of the log an invocation's answer carries, in bytes.
const maxTail = 4 * 1024

// journal puts all that happens in one order: to Config.Log, to the log tails
// of the open invocations and to the subscribers of the current sandbox.
type journal struct {
	logFormat string
	log       func(Line)

	mu    sync.Mutex
	hub   *hub
	tails map[*invocation]struct{} // one for each open invocation
}

func newJournal(c *Config) *journal {
	return &journal{logFormat: c.LogFormat, log: c.Log, hub: &hub{}, tails: map[*invocation]struct{}{}}
}

// publishTo makes h the receiver of all events from now on.
func (j *journal) publishTo(h *hub) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hub = h
}

func (j *journal) follow(inv *invocation) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tails[inv] = struct{}{}
}

// tail ends follow and returns the last lines since then.
func (j *journal) tail(inv *invocation) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.tails, inv)
	return inv.tail
}

// platform records a platform event of the given kind.
func (j *journal) platform(kind string, record any) {
	e := event{time: time.Now(), kind: "platform." + kind, record: record}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hub.publish(e)
	for _, text := range j.lines(e) {
		j.write(Line{Time: e.time, Source: FromPlatform, Text: text})
	}
}

// note records a line of the platform that is no telemetry event.
func (j *journal) note(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(Line{Time: time.Now(), Source: FromPlatform, Text: text})
}

// line records what the function, or the named extension, printed.
func (j *journal) line(source, name, text string) {
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hub.publish(event{time: now, kind: source, record: text})
	j.write(Line{Time: now, Source: source, Name: name, Text: text})
}

func (j *journal) write(l Line) {
	for inv := range j.tails {
		inv.tail = append(append(inv.tail, l.Text...), '\n')
		inv.tail = inv.tail[max(0, len(inv.tail)-maxTail):]
	}
	j.log(l)
}

// lines is what CloudWatch shows of a platform event.
func (j *journal) lines(e event) []string {
	text := describe(e.record)
	if len(text) == 0 || j.logFormat != "JSON" {
		return text
	}
	return []string{string(e.render("", j.logFormat))}
}

// describe is a record in the text format; most records are not shown.
func describe(record any) []string {
	switch r := record.(type) {
	case initStartRecord:
		return []string{fmt.Sprintf("INIT_START Runtime Version: %s\tRuntime Version ARN: %s", r.RuntimeVersion, r.RuntimeVersionARN)}
	case initReportRecord:
		if r.Status == statusSuccess {
			return nil
		}
		return []string{fmt.Sprintf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: %s%s",
			r.Metrics.DurationMs, r.Phase, r.Status, labelled("\tError Type: ", r.ErrorType))}
	case startRecord:
		return []string{fmt.Sprintf("START RequestId: %s Version: %s", r.RequestID, r.Version)}
	case reportRecord:
		return []string{"END RequestId: " + r.RequestID, describeReport(r)}
	case extensionRecord:
		return []string{fmt.Sprintf("EXTENSION\tName: %s\tState: %s\tEvents: [%s]%s",
			r.Name, r.State, strings.Join(r.Events, ", "), labelled("\tError Type: ", r.ErrorType))}
	case subscriptionRecord:
		return []string{fmt.Sprintf("TELEMETRY\tName: %s\tState: %s\tTypes: [%s]", r.Name, r.State, strings.Join(r.Types, ", "))}
	}
	return nil
}

func describeReport(r reportRecord) string {
	s := "REPORT RequestId: " + r.RequestID
	switch m := r.Metrics.(type) {
	case durationMetrics:
		s += fmt.Sprintf("\tDuration: %.2f ms", m.DurationMs)
	case reportMetrics:
		s += fmt.Sprintf("\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB",
			m.DurationMs, m.BilledDurationMs, m.MemorySizeMB, m.MaxMemoryUsedMB)
		if m.InitDurationMs > 0 {
			s += fmt.Sprintf("\tInit Duration: %.2f ms", m.InitDurationMs)
		}
	}
	if r.Status != statusSuccess {
		s += "\tStatus: " + r.Status + labelled("\tError Type: ", r.ErrorType)
	}
	return s
}

func labelled(label, value string) string {
	if value == "" {
		return ""
	}
	return label + value
}

// errorBody is how every API here words an error.
func errorBody(errorType, message string) []byte {
	b, err := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{errorType, message})
	if err != nil {
		return nil // cannot happen: two strings
	}
	return b
}
