package console

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/record"
)

// Bounds of one answer.
const (
	defaultLimit = 100
	maxLimit     = 10_000
)

// Filter selects records. Its zero value selects all of them.
type Filter struct {
	Function, EventSource, Category, SignatureID, Signature, Action, RequestID string
	Kind                                                                       record.Kind
	// Text must occur in the payload, path, attack type, ids or target, in any
	// case.
	Text string
	// From and To bound the record's time: From included, To not. Zero is open.
	From, To time.Time
	// Before continues a list after its last Detection.
	Before Cursor
	// Limit bounds the answer: 100 when 0, at most 10,000.
	Limit int
}

// Cursor is a place in a list. The zero Cursor is its beginning.
type Cursor struct{ Time, Seq int64 }

// Detection is one finding: a record of kind attack, leak or runtime.
type Detection struct {
	Seq                                               int64  // order of arrival
	ID                                                string // the incident id
	Kind                                              record.Kind
	Time                                              time.Time // when it happened, by the sandbox's clock
	Received                                          time.Time // when it arrived here, by this clock
	Function, FunctionARN, EventSource, RequestID     string
	SignatureID, Signature, Category, Severity        string
	Action, WouldAction, Verdict, Path, Matched, Dest string
	Raw                                               json.RawMessage // the record as sent
}

// Delay returns the time from the finding to its arrival here.
func (d *Detection) Delay() time.Duration { return d.Received.Sub(d.Time) }

// Cursor returns the place after d.
func (d *Detection) Cursor() Cursor { return Cursor{Time: d.Time.UnixNano(), Seq: d.Seq} }

// condition is a WHERE clause and its arguments.
type condition struct {
	terms []string
	args  []any
}

func (c *condition) add(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

func (c *condition) String() string {
	if len(c.terms) == 0 {
		return "1"
	}
	return strings.Join(c.terms, " AND ")
}

// searched are the columns that Filter.Text looks at.
var searched = []string{"matched", "path", "signature", "signature_id", "function_arn", "dest", "id", "request_id"}

func (f Filter) condition() *condition {
	c := new(condition)
	for _, equal := range []struct{ column, value string }{
		{"function", f.Function}, {"event_source", f.EventSource}, {"category", f.Category},
		{"signature_id", f.SignatureID}, {"signature", f.Signature}, {"action", f.Action}, {"request_id", f.RequestID}, {"kind", string(f.Kind)},
	} {
		if equal.value != "" {
			c.add(equal.column+" = ?", equal.value)
		}
	}
	if !f.From.IsZero() {
		c.add("time >= ?", f.From.UnixNano())
	}
	if !f.To.IsZero() {
		c.add("time < ?", f.To.UnixNano())
	}
	if f.Text != "" {
		f.addText(c)
	}
	if f.Before != (Cursor{}) {
		c.add("(time, records.seq) < (?, ?)", f.Before.Time, f.Before.Seq)
	}
	return c
}

func (f Filter) addText(c *condition) {
	like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(f.Text) + "%"
	terms := make([]string, len(searched))
	args := make([]any, len(searched))
	for i, column := range searched {
		terms[i], args[i] = column+` LIKE ? ESCAPE '\'`, like
	}
	c.add("("+strings.Join(terms, " OR ")+")", args...)
}

func (f Filter) limit() int {
	if f.Limit <= 0 {
		return defaultLimit
	}
	return min(f.Limit, maxLimit)
}

const detectionColumns = `records.seq, coalesce(id, ''), kind, time, received, function, function_arn, event_source,
	request_id, signature_id, signature, category, severity, action, would_action, verdict, path, matched, dest`

// detections returns findings, newest first, with their raw records when asked.
func (s *store) detections(ctx context.Context, f Filter, raw bool) ([]Detection, error) {
	where := f.condition()
	query := "SELECT " + detectionColumns + ", NULL FROM records"
	if raw {
		query = "SELECT " + detectionColumns + ", event FROM records JOIN bodies ON bodies.seq = records.seq"
	}
	query += " WHERE detection AND " + where.String() + " ORDER BY time DESC, records.seq DESC LIMIT ?"
	rows, err := s.read.QueryContext(ctx, query, append(where.args, f.limit())...)
	if err != nil {
		return nil, fmt.Errorf("listing detections: %w", err)
	}
	defer func() { _ = rows.Close() }() // what it has to say, rows.Err says
	var list []Detection
	for rows.Next() {
		d, err := scanDetection(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("listing detections: %w", err)
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

func scanDetection(scan func(...any) error) (Detection, error) {
	var d Detection
	var at, received int64
	var kind string
	var raw []byte
	err := scan(&d.Seq, &d.ID, &kind, &at, &received, &d.Function, &d.FunctionARN, &d.EventSource,
		&d.RequestID, &d.SignatureID, &d.Signature, &d.Category, &d.Severity, &d.Action, &d.WouldAction, &d.Verdict,
		&d.Path, &d.Matched, &d.Dest, &raw)
	d.Kind, d.Time, d.Received, d.Raw = record.Kind(kind), nanos(at), nanos(received), raw
	return d, err
}
