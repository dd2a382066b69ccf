package hec_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/record"
)

const (
	eventPath = "/services/collector/event"
	ackPath   = "/services/collector/ack"
)

// faults are what goes wrong on the way to a collector that works. again says that the
// sender cannot know whether a batch has arrived.
var faults = []struct {
	name  string
	front front
	again bool
}{
	{"nothing", func(http.ResponseWriter, *http.Request, int, http.Handler) bool { return false }, false},
	{"the first answers are 503", func(w http.ResponseWriter, r *http.Request, n int, _ http.Handler) bool {
		if r.URL.Path != eventPath || n > 4 {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"text":"Server is busy","code":9}`)
		return true
	}, false},
	{"reset in the body", func(_ http.ResponseWriter, r *http.Request, n int, _ http.Handler) bool {
		if r.URL.Path == eventPath && n%3 == 1 {
			_, _ = io.ReadFull(r.Body, make([]byte, 100))
			panic(http.ErrAbortHandler)
		}
		return false
	}, false},
	{"acknowledgements are late", func(w http.ResponseWriter, r *http.Request, n int, _ http.Handler) bool {
		if r.URL.Path != ackPath || n > 3 {
			return false
		}
		_, _ = io.WriteString(w, `{"acks":{}}`)
		return true
	}, false},
	{"taken, and the answer lost", func(_ http.ResponseWriter, r *http.Request, n int, to http.Handler) bool {
		if r.URL.Path == eventPath && n%4 == 1 {
			to.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		return false
	}, true},
}

// TestOursArrives holds that OpenTelemetry's collector, with acknowledgements, gets every
// record of a sandbox: the numbers of what it has are without a gap.
func TestOursArrives(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			o := newOpenTelemetry(t, f.front)
			run(t, sampleEvents(), map[string]string{"GATEHOUSE_HEC_URL": o.url, "GATEHOUSE_HEC_ACK": "on", "GATEHOUSE_FLUSH": "end"})
			o.judge(t, f.again)
			if o.requests[ackPath] == 0 {
				t.Error("nobody asked for acknowledgements")
			}
		})
	}
}

// sampleEvents are batches of orders, one with what JSON has to escape, and attacks.
func sampleEvents() (events [][]byte) {
	for i := range 12 {
		var bodies []string
		for j := range 10 {
			bodies = append(bodies, fmt.Sprintf("order %d of %d, \"Grüße\" \\ \t <&> \u2028 %s", j, i, strings.Repeat("parcel ", j*20)))
		}
		events = append(events, messages(bodies...))
	}
	return append(events, messages("an order", "1' OR '1'='1' UNION SELECT password FROM users--"))
}

// judge looks at what the collector has.
func (o *openTelemetry) judge(t *testing.T, again bool) {
	t.Helper()
	ids, seqs, kinds := map[string]record.Record{}, map[uint64]string{}, map[record.Kind]int{}
	lines, last, twice := 0, uint64(0), 0
	for _, s := range o.records(t) {
		if _, ok := ids[s.ID]; ok {
			twice++
			continue
		}
		ids[s.ID], kinds[s.Kind] = s.Record, kinds[s.Kind]+1
		if before, ok := seqs[s.Seq]; ok {
			t.Errorf("%s and %s have the number %d", before, s.ID, s.Seq)
		}
		seqs[s.Seq] = s.ID
		last = max(last, s.Seq)
		if s.sourcetype != "gatehouse:lambda:"+string(s.Kind) || s.source != "lambda:us-east-1" || s.host != "orders" {
			t.Errorf("%s record of %q, %q, %q", s.Kind, s.sourcetype, s.source, s.host)
		}
		// A number of OpenTelemetry's has some 200 ns of a time's digits.
		if off := s.at.Sub(s.Time).Abs(); off > time.Microsecond {
			t.Errorf("%s record of %v is stored at %v", s.Kind, s.Time, s.at)
		}
		if strings.HasPrefix(s.Message, "got m-") && strings.Contains(s.Message, "\"Grüße\" \\ \t <&> \u2028 ") {
			lines++
		}
	}
	if again != (twice > 0) {
		t.Errorf("%d records are there twice", twice)
	}
	if int(last) != len(seqs) {
		t.Errorf("%d records of %d have arrived", len(seqs), last)
	}
	if lines != 120 {
		t.Errorf("%d lines of 120 are whole", lines)
	}
	for kind, least := range map[record.Kind]int{record.Log: 120, record.Platform: 13, record.Invocation: 13, record.Attack: 1, record.Health: 1} {
		if kinds[kind] < least {
			t.Errorf("%d %s records, want %d", kinds[kind], kind, least)
		}
	}
}
