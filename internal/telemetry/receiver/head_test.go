package receiver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry/receiver"
)

// Lines say whose they are, and of what level.
func TestHeads(t *testing.T) {
	const id, other = "8f507cfc-aaaa-4697-b07a-ac58fc914c95", "11111111-aaaa-4697-b07a-ac58fc914c95"
	for _, tt := range []struct{ line, id, level string }{
		{"2026-11-26T10:00:00.000Z\t" + id + "\tINFO\torder taken", id, "info"},
		{"2026-11-26T10:00:00.000Z\tundefined\tERROR\tUncaught Exception", other, "error"},
		{"[WARNING]\t2026-11-26T10:00:00.000Z\t" + id + "\tlow stock", id, "warn"},
		{"2026-11-26 10:00:00 " + id + " DEBUG Orders:17 - taken", id, "debug"},
		{"2026-11-26 10:00:00 ERROR Orders:17 - taken", other, "error"},
		{"[ERROR] KeyError: 'x'", other, "error"},
		{"WARN: low", other, "warn"},
		{"INFO " + id + " was paid", other, "info"},
		{id + " was paid", other, ""},
		{"2026-11-26T10:00:00.000Z\t" + strings.ToUpper(id) + "\tTRACE\tx", strings.ToUpper(id), "trace"},
		{"2026-11-26T10:00:00.000Z\t" + id[:35] + "g\tINFO\tx", other, ""},
		{"2026-11-26T10:00:00.000Z", other, ""},
		{"[", other, ""}, {"[]", other, ""}, {"2", other, ""}, {"", other, ""},
		{"something went wrong: ERROR", other, ""},
		{`{"level":"WARN","message":"x","function_request_id":"` + id + `"}`, id, "warn"},
		{`{"level":30,"requestId":"` + id + `"}`, id, "info"},
		{`{"level":10}`, other, "trace"}, {`{"level":20}`, other, "debug"}, {`{"level":60}`, other, "fatal"}, {`{"level":-1}`, other, ""},
		{`{"severity":"CRITICAL","level":{}}`, other, "fatal"},
		{`{"level":"loud"}`, other, ""}, {`{}`, other, ""},
	} {
		var got []record.Record
		rc := &receiver.Receiver{Add: func(r *record.Record) { got = append(got, *r) }}
		line, err := json.Marshal(tt.line)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`[{"time":"2026-11-26T10:00:00Z","type":"platform.start","record":{"requestId":%q}},{"time":"2026-11-26T10:00:00Z","type":"function","record":%s}]`, other, line)
		w := httptest.NewRecorder()
		rc.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		if len(got) != 2 {
			t.Fatalf("%q: %d records", tt.line, len(got))
		}
		if r := &got[1]; r.RequestID != tt.id || receiver.Level(r) != tt.level {
			t.Errorf("%q: request %q, level %q, want %q, %q", tt.line, r.RequestID, receiver.Level(r), tt.id, tt.level)
		}
	}
}

// What the function prints may be anything.
func FuzzLevel(f *testing.F) {
	f.Add("[INFO]\t2026-11-26T10:00:00.000Z\t8f507cfc-aaaa-4697-b07a-ac58fc914c95\tx")
	f.Add("2026-11-26 10:00:00 8f507cfc-aaaa-4697-b07a-ac58fc914c95 INFO x")
	f.Fuzz(func(t *testing.T, line string) {
		for _, r := range []record.Record{{Message: line}, {MessageJSON: json.RawMessage(line)}} {
			switch level := receiver.Level(&r); level {
			case "", "trace", "debug", "info", "warn", "error", "fatal":
			default:
				t.Errorf("%q has level %q", line, level)
			}
		}
	})
}

func BenchmarkLevel(b *testing.B) {
	r := record.Record{Message: "2026-11-26T10:00:00.000Z\t8f507cfc-aaaa-4697-b07a-ac58fc914c95\tINFO\torder taken"}
	for b.Loop() {
		receiver.Level(&r)
	}
}
