package console

import (
	"encoding/json"
	"strings"
	"time"

	"gatehouse/internal/record"
)

// sourcetypePrefix begins the source type of every record of ours.
const sourcetypePrefix = "gatehouse:lambda:"

// row is one record as the store keeps it: the columns that pages ask for, and
// the record itself.
type row struct {
	envelope
	received time.Time
	kind     record.Kind // "" for foreign records
	rec      record.Record
}

// newRow turns an envelope into a row. Its time is the envelope's, as in Splunk,
// else the record's, else that of its arrival.
func newRow(e envelope, received time.Time) row {
	r := row{envelope: e, received: received, kind: kindOf(e.sourcetype)}
	if r.kind != "" {
		// A value of the wrong type costs that field and no other: the record
		// itself is stored as it came.
		_ = json.Unmarshal(e.event, &r.rec)
	}
	if r.time == 0 && !r.rec.Time.IsZero() {
		r.time = r.rec.Time.UnixNano()
	}
	if r.time == 0 {
		r.time = received.UnixNano()
	}
	return r
}

// kindOf returns the kind that a source type of ours names, "" for others.
func kindOf(sourcetype string) record.Kind {
	name, ours := strings.CutPrefix(sourcetype, sourcetypePrefix)
	if !ours {
		return ""
	}
	switch k := record.Kind(name); k {
	case record.Log, record.Platform, record.Invocation, record.Attack, record.Leak, record.Runtime,
		record.Connection, record.Health:
		return k
	}
	return ""
}

// function names the function of a record: by name, else by the end of its ARN,
// else by the envelope's host.
func (r *row) function() string {
	if r.rec.FunctionName != "" {
		return r.rec.FunctionName
	}
	if _, name, ok := strings.Cut(r.rec.FunctionARN, ":function:"); ok {
		name, _, _ = strings.Cut(name, ":")
		return name
	}
	if r.kind != "" {
		return r.host
	}
	return ""
}

// columns are the store's columns, in the order of values.
const columns = `id, time, received, kind, detection, sourcetype, source, host, idx,
	function, function_arn, event_source, request_id, signature_id, signature, category, severity,
	action, would_action, verdict, path, matched, dest, size`

func (r *row) values() []any {
	c := &r.rec
	var id any // NULL is never a duplicate
	if r.kind != "" && c.ID != "" {
		id = c.ID
	}
	return []any{id, r.time, r.received.UnixNano(), string(r.kind), r.kind.Finding(), text(r.sourcetype),
		text(r.source), text(r.host), text(r.index), text(r.function()), c.FunctionARN, c.EventSource, c.RequestID,
		c.SignatureID, c.Signature, c.Category, string(c.Severity), c.Action, c.WouldAction, c.Verdict, c.Path,
		c.Matched, c.Dest, r.size()}
}

func (r *row) size() int64 { return int64(len(r.event) + len(r.fields)) }

// text makes s fit for a TEXT column.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
