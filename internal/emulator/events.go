package emulator

import (
	"encoding/json"
	"time"
)

// event is one telemetry event before it is rendered for a subscriber. Its
// record is a platform record from this file, or a line as a string.
type event struct {
	time   time.Time
	kind   string // "function", "extension" or "platform.…"
	record any
}

// stamp is how the Telemetry API writes a time.
const stamp = "2006-01-02T15:04:05.000Z"

// The records of platform events,
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html.
type (
	initStartRecord struct {
		InitializationType string `json:"initializationType"`
		Phase              string `json:"phase"`
		RuntimeVersion     string `json:"runtimeVersion,omitempty"`
		RuntimeVersionARN  string `json:"runtimeVersionArn,omitempty"`
		FunctionARN        string `json:"functionArn,omitempty"`
		FunctionName       string `json:"functionName"`
		FunctionVersion    string `json:"functionVersion"`
		InstanceID         string `json:"instanceId"`
		InstanceMaxMemory  int64  `json:"instanceMaxMemory"` // bytes
	}
	initRuntimeDoneRecord struct {
		InitializationType string `json:"initializationType"`
		Phase              string `json:"phase"`
		Status             string `json:"status"`
		ErrorType          string `json:"errorType,omitempty"`
	}
	initReportRecord struct {
		InitializationType string          `json:"initializationType"`
		Phase              string          `json:"phase"`
		Status             string          `json:"status"`
		ErrorType          string          `json:"errorType,omitempty"`
		Metrics            durationMetrics `json:"metrics"`
	}
	startRecord struct {
		RequestID   string       `json:"requestId"`
		Version     string       `json:"version"`
		FunctionARN string       `json:"functionArn,omitempty"`
		Tracing     *traceRecord `json:"tracing,omitempty"`
		TenantID    string       `json:"tenantId,omitempty"`
	}
	runtimeDoneRecord struct {
		RequestID string              `json:"requestId"`
		Status    string              `json:"status"`
		ErrorType string              `json:"errorType,omitempty"`
		Metrics   *runtimeDoneMetrics `json:"metrics,omitempty"`
		Spans     []span              `json:"spans,omitempty"`
		Tracing   *traceRecord        `json:"tracing,omitempty"`
		TenantID  string              `json:"tenantId,omitempty"`
	}
	reportRecord struct {
		RequestID string       `json:"requestId"`
		Status    string       `json:"status"`
		ErrorType string       `json:"errorType,omitempty"`
		Metrics   any          `json:"metrics"`
		Spans     []span       `json:"spans,omitempty"`
		Tracing   *traceRecord `json:"tracing,omitempty"`
		TenantID  string       `json:"tenantId,omitempty"`
	}
	extensionRecord struct {
		Name      string   `json:"name"`
		State     string   `json:"state"`
		Events    []string `json:"events"`
		ErrorType string   `json:"errorType,omitempty"`
	}
	subscriptionRecord struct {
		Name  string   `json:"name"`
		State string   `json:"state"`
		Types []string `json:"types"`
	}
	logsDroppedRecord struct {
		Reason         string `json:"reason"`
		DroppedRecords int    `json:"droppedRecords"`
		DroppedBytes   int    `json:"droppedBytes"`
	}
)

// Parts of the records above.
type (
	durationMetrics struct {
		DurationMs float64 `json:"durationMs"`
	}
	runtimeDoneMetrics struct {
		DurationMs    float64 `json:"durationMs"`
		ProducedBytes int64   `json:"producedBytes"`
	}
	reportMetrics struct {
		DurationMs       float64 `json:"durationMs"`
		BilledDurationMs int64   `json:"billedDurationMs"`
		MemorySizeMB     int     `json:"memorySizeMB"`
		MaxMemoryUsedMB  int     `json:"maxMemoryUsedMB"`
		InitDurationMs   float64 `json:"initDurationMs,omitempty"`
	}
	traceRecord struct {
		SpanID string `json:"spanId,omitempty"`
		Type   string `json:"type"`
		Value  string `json:"value"`
	}
	span struct {
		Name       string  `json:"name"`
		Start      string  `json:"start"`
		DurationMs float64 `json:"durationMs"`
	}
)

// newSpan is the time between two moments, nothing when one of them never came.
func newSpan(name string, from, to time.Time) []span {
	if from.IsZero() || to.IsZero() {
		return nil
	}
	return []span{{Name: name, Start: from.UTC().Format(stamp), DurationMs: milliseconds(to.Sub(from))}}
}

// milliseconds is d as Lambda reports it: three digits after the point.
func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// render is e on the wire. In the JSON log format a line that is a JSON object
// is sent as one, except to the oldest schema.
func (e event) render(schema, logFormat string) json.RawMessage {
	record := e.record
	if line, ok := record.(string); ok {
		record = line + "\n"
		if logFormat == "JSON" && schema != "2022-07-01" && isObject(line) {
			record = json.RawMessage(line)
		}
	}
	b, err := json.Marshal(struct {
		Time   string `json:"time"`
		Type   string `json:"type"`
		Record any    `json:"record"`
	}{e.time.UTC().Format(stamp), e.kind, record})
	if err != nil {
		return nil // cannot happen: records hold nothing that has no JSON
	}
	return b
}

func isObject(line string) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal([]byte(line), &object) == nil && object != nil
}
