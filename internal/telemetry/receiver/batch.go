package receiver

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

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
	number  uint64
	signals []event
	stats   Stats          // to be counted when it ends
	record  record.Record  // of the present event
	same    map[uint64]int // how often an event came in this batch, where that is more than once

	// Of the last event:
	typ              string
	time             time.Time
	rawType, rawTime []byte
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

// rooms are windows that are not in use.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// read takes one event after the other: what is good before an error counts.
func (b *batch) read(body io.Reader) error {
	room := rooms.Get().(*[]byte)
	s := elements{r: body, buf: (*room)[:0]}
	defer func() {
		if cap(s.buf) <= 4*window {
			*room = s.buf
			rooms.Put(room)
		}
	}()
	for n := 0; ; n++ {
		e, err := s.next()
		var other *json.UnmarshalTypeError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case n == maxEvents:
			return errTooMany
		case errors.As(err, &other): // JSON, and no event
			b.stats.Unreadable++
		case err != nil:
			return err
		default:
			b.add(e)
		}
	}
}

// add makes a record of e, unless it was delivered before.
func (b *batch) add(e event) {
	if b.again(e) {
		b.stats.Duplicates++
		return
	}
	typ := b.typeOf(e.Type)
	r := &b.record // Add keeps nothing of it
	*r = record.Record{Time: b.when(e.Time)}
	if strings.HasPrefix(typ, "platform.") {
		b.platform(r, typ, e)
	} else {
		b.line(r, typ, e)
	}
	b.stats.Records++
	b.Add(r)
}

// typeOf is the type that raw names. Most events have that of the last one.
func (b *batch) typeOf(raw json.RawMessage) string {
	if !bytes.Equal(raw, b.rawType) {
		b.typ, b.rawType = text(raw, maxWord), append(b.rawType[:0], raw...)
	}
	return b.typ
}

// platform fills r with a platform event.
func (b *batch) platform(r *record.Record, typ string, e event) {
	e.Type, e.Record = bytes.Clone(e.Type), bytes.Clone(e.Record) // for signal
	r.Kind, r.PlatformOf, r.Platform = record.Platform, typ, e.Record
	d := detailsOf(e.Record)
	r.RequestID, r.TenantID, r.TraceID = word(d.RequestID), word(d.TenantID), word(d.Tracing.Value)
	b.follow(typ, r.RequestID)
	if typ == "platform.logsDropped" {
		if n, ok := d.DroppedRecords.(float64); ok && n > 0 && n < 1e12 {
			b.stats.Dropped += uint64(n)
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
func (b *batch) line(r *record.Record, typ string, e event) {
	r.Kind, r.LogType = record.Log, typ
	s, raw := e.text, e.Record
	if e.isText {
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
	// One string for all lines of an invocation.
	if current := b.current(); r.RequestID == "" || r.RequestID == current {
		r.RequestID = current
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
