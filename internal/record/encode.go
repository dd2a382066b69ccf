package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of raw JSON in a record. Whoever reads records has
// a bound too, and beyond it would refuse the whole of them; Go's is 10,000.
const maxDepth = 256

// Encode returns r as one line of JSON in UTF-8, with its time in UTC. Raw parts
// that are not JSON, or nest more than 256 deep, come as strings, so that only an
// impossible time (year 10000) is an error.
func (r *Record) Encode() ([]byte, error) {
	room := make([]byte, 0, 640+len(r.Message)+len(r.MessageJSON)+len(r.Platform))
	if out, ok := (*Lines)(nil).Append(room, r); ok {
		return out, nil
	}
	c := *r
	c.Time = c.Time.UTC()
	if math.IsNaN(c.DurationMS) || math.IsInf(c.DurationMS, 0) {
		c.DurationMS = 0
	}
	for _, raw := range []*json.RawMessage{&c.Event, &c.Platform, &c.MessageJSON} {
		if !utf8.Valid(*raw) || deeper(*raw, maxDepth) {
			*raw = asString(*raw)
		}
	}
	out, err := marshal(&c)
	if err == nil {
		return out, nil
	}
	c.Event, c.Platform, c.MessageJSON = asString(c.Event), asString(c.Platform), asString(c.MessageJSON)
	out, err = marshal(&c)
	if err != nil {
		return nil, fmt.Errorf("encoding a %s record: %w", r.Kind, err)
	}
	return out, nil
}

// deeper reports whether raw nests more than limit deep.
func deeper(raw []byte, limit int) bool {
	if bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) <= limit {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[', c == '{':
			if depth++; depth > limit {
				return true
			}
		case c == ']', c == '}':
			depth--
		}
	}
	return false
}

// asString returns raw as a JSON string that shows it.
func asString(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return nil
	}
	return quote(strings.ToValidUTF8(string(raw), "\uFFFD"))
}

// marshal is json.Marshal that leaves <, > and & alone.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// maxShortField is what Shorten leaves of one string, in bytes.
const maxShortField = 8 << 10

// Shorten returns an encoded record cut to at most limit bytes: first without
// its event, then with every long part cut, and marked truncated. What is not a
// record, and what even so is too long, leaves a mark with the first bytes of
// the text. limit is at least 4096.
func Shorten(encoded []byte, limit int) []byte {
	if len(encoded) <= limit {
		return encoded
	}
	var r Record
	if err := json.Unmarshal(encoded, &r); err != nil {
		return stub(encoded, limit)
	}
	r.Truncated = true
	r.DropEvent()
	if out, err := r.Encode(); err == nil && len(out) <= limit {
		return out
	}
	// A control character takes six bytes in JSON.
	r.cut(min(limit/7, 256<<10))
	if out, err := r.Encode(); err == nil && len(out) <= limit {
		return out
	}
	r.cut(0)
	if out, err := r.Encode(); err == nil && len(out) <= limit {
		return out
	}
	return stub(encoded, limit)
}

// cut shortens what can be long: the line or platform event to size bytes,
// everything else to maxShortField or nothing.
func (r *Record) cut(size int) {
	if r.MessageJSON != nil {
		r.Message, r.MessageJSON = string(r.MessageJSON), nil
	}
	r.Message = clip(r.Message, size)
	if len(r.Platform) > size {
		r.Platform = quote(clip(string(r.Platform), size))
	}
	r.Requests, r.Degraded, r.Exceptions, r.RequestIDs, r.EventPaths = nil, nil, nil, nil, nil
	if r.Receipt != nil {
		c := *r.Receipt
		c.Gaps = nil
		r.Receipt = &c
	}
	for _, s := range []*string{&r.Path, &r.Matched, &r.URL, &r.Reason, &r.Src, &r.Dest, &r.SNI, &r.ALPN, &r.TraceID, &r.TenantID} {
		*s = clip(*s, min(size, maxShortField))
	}
}

// clip cuts s to at most n bytes, the mark of the cut excluded.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// stub says that there was a record, and shows its beginning.
func stub(encoded []byte, limit int) []byte {
	out, err := marshal(struct {
		Truncated bool   `json:"truncated"`
		Bytes     int    `json:"bytes"`
		Head      string `json:"head"`
	}{true, len(encoded), clip(string(encoded), limit/8)})
	if err != nil { // strings and numbers always encode
		return []byte(`{"truncated":true}`)
	}
	return out
}
