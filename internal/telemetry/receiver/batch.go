package receiver

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/internal/record"
)

// Errors of a body that is JSON and not a batch.
var (
	errNotArray = errors.New("receiver: the body is not an array")
	errTooMany  = errors.New("receiver: too many events in one batch")
)

// batch is one POST on its way.
type batch struct {
	*Receiver
	signals []event
	record  record.Record  // of the present event
	same    map[uint64]int // how often an event came in this batch
}

// event is one element of a batch, of any schema version: every part may be
// anything.
type event struct {
	Time   json.RawMessage `json:"time"`
	Type   json.RawMessage `json:"type"`
	Record json.RawMessage `json:"record"`
}

// details are what this package reads of a record that is an object: a platform
// event, or a line of a function that logs JSON.
type details struct {
	RequestID any `json:"requestId"`
	// AWSRequestID is how some runtimes' JSON lines call it.
	AWSRequestID any `json:"AWSRequestId"`
	// FunctionRequestID is Powertools' name for it.
	FunctionRequestID any `json:"function_request_id"`
	Status            any `json:"status"`
	TenantID          any `json:"tenantId"`
	Tracing           struct {
		Value any `json:"value"`
	} `json:"tracing"`
	DroppedRecords any `json:"droppedRecords"`
}

// read takes one event after the other, so that no more than one is in memory and
// what is good before an error counts.
func (b *batch) read(body io.Reader) error {
	d := json.NewDecoder(body)
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return errNotArray
	}
	for n := 0; d.More(); n++ {
		if n == maxEvents {
			return errTooMany
		}
		var e event
		var other *json.UnmarshalTypeError
		switch err := d.Decode(&e); {
		case errors.As(err, &other): // JSON, and no event
			b.count(func(s *Stats) { s.Unreadable++ })
		case err != nil:
			return err
		default:
			b.add(e)
		}
	}
	_, err = d.Token()
	return err
}

// add makes a record of e, unless it was delivered before.
func (b *batch) add(e event) {
	if b.again(e) {
		b.count(func(s *Stats) { s.Duplicates++ })
		return
	}
	typ := text(e.Type, maxWord)
	r := &b.record // Add keeps nothing of it
	*r = record.Record{Time: when(e.Time)}
	if strings.HasPrefix(typ, "platform.") {
		b.platform(r, typ, e)
	} else {
		b.line(r, typ, e.Record)
	}
	b.count(func(s *Stats) { s.Records++ })
	b.Add(r)
}

// again reports whether e was in an earlier batch. The same line twice in one
// batch is two lines; in two batches it is one batch sent twice.
func (b *batch) again(e event) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.seen.hash(e)
	if b.same == nil {
		b.same = make(map[uint64]int)
	}
	b.same[h]++
	return !b.seen.add(nth(h, b.same[h]))
}

// platform fills r with a platform event.
func (b *batch) platform(r *record.Record, typ string, e event) {
	r.Kind, r.PlatformOf, r.Platform = record.Platform, typ, e.Record
	d := detailsOf(e.Record)
	r.RequestID, r.TenantID, r.TraceID = word(d.RequestID), word(d.TenantID), word(d.Tracing.Value)
	b.follow(typ, r.RequestID)
	if typ == "platform.logsDropped" {
		if n, ok := d.DroppedRecords.(float64); ok && n > 0 && n < 1e12 {
			b.count(func(s *Stats) { s.Dropped += uint64(n) })
		}
	}
	b.signals = append(b.signals, e)
}

// follow keeps whose lines come next.
func (b *batch) follow(typ, requestID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch typ {
	case "platform.start":
		b.open = requestID
	case "platform.report":
		b.open = ""
	}
}

// line fills r with a line of the function or of an extension.
func (b *batch) line(r *record.Record, typ string, raw json.RawMessage) {
	r.Kind, r.LogType = record.Log, typ
	s, ok := unquote(raw)
	if ok {
		s = strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
		raw = nil
		if strings.HasPrefix(s, "{") && json.Valid([]byte(s)) {
			raw = json.RawMessage(s)
		}
	}
	if raw == nil {
		r.Message, r.RequestID = s, headOf(s).requestID
	} else {
		r.MessageJSON = raw
		d := detailsOf(raw)
		r.RequestID = cmp.Or(word(d.RequestID), word(d.AWSRequestID), word(d.FunctionRequestID))
	}
	if r.RequestID == "" {
		r.RequestID = b.current()
	}
}

// current names the invocation of a line that does not say so itself.
func (b *batch) current() string {
	if b.Concurrent {
		return ""
	}
	b.mu.Lock()
	open := b.open
	b.mu.Unlock()
	if open == "" && b.Current != nil {
		return b.Current()
	}
	return open
}

// signal tells of the platform events, after all records were added.
func (b *batch) signal() {
	for _, e := range b.signals {
		typ := text(e.Type, maxWord)
		switch {
		case typ == "platform.runtimeDone" && b.Done != nil:
			d := detailsOf(e.Record)
			b.Done(word(d.RequestID), word(d.Status))
		case typ != "platform.runtimeDone" && b.Platform != nil:
			b.Platform(typ, e.Record)
		}
	}
}

func detailsOf(raw json.RawMessage) details {
	var d details
	// A field of another type leaves the rest, and anything leaves zero values.
	_ = json.Unmarshal(raw, &d)
	return d
}

// maxWord bounds a name or an id, in bytes.
const maxWord = 256

// word returns v where it is a short string of printable ASCII, else "".
func word(v any) string {
	s, _ := v.(string)
	if len(s) > maxWord || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return s
}

// text returns the JSON string raw, cut to n bytes, or "".
func text(raw json.RawMessage, n int) string {
	s, ok := unquote(raw)
	if !ok {
		return ""
	}
	if len(s) > n {
		s = s[:n]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return s
}

// unquote returns the JSON string raw. What has no escapes but that of a line break at its
// end, as most lines do, is read without reflection.
func unquote(raw json.RawMessage) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", json.Unmarshal(raw, &s) == nil
	}
	inner := raw[1 : len(raw)-1]
	text, broken := bytes.CutSuffix(inner, []byte(`\n`))
	if isPlain(text) {
		if broken {
			return string(text) + "\n", true
		}
		return string(text), true
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// isPlain reports whether text of a JSON string stands for itself.
func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' || c == '\\' || c == '"' {
			return false
		}
	}
	return true
}

// when reads an event's time. The zero time, which Add replaces, stands for one
// that is none.
func when(raw json.RawMessage) time.Time {
	t, err := time.Parse(time.RFC3339Nano, string(bytes.Trim(raw, `"`)))
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
