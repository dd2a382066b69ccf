package record

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/detect"
)

// MaxEvent bounds an event that a record holds whole, in bytes. Of a longer one
// the record holds excerptSize bytes round the finding.
const MaxEvent = 256 << 10

// excerptSize is how much of a long event's value is shown, in bytes.
const excerptSize = 4 << 10

// SetEvent puts event into r: whole up to MaxEvent bytes, as JSON where it is
// JSON and else in base64; of a longer one only the value at f's path, cut to
// 4 KiB round the match and standing at the end of that path (EventTruncated).
// Size and hash are always those of the whole. f may be nil; event is not kept.
func (r *Record) SetEvent(event []byte, f *detect.Finding) {
	sum := sha256.Sum256(event)
	r.EventBytes, r.EventSHA256 = len(event), hex.EncodeToString(sum[:])
	r.Event, r.EventBase64, r.EventTruncated = nil, "", false
	switch {
	case len(event) == 0:
	case len(event) > MaxEvent:
		r.EventTruncated = true
		r.Event = skeleton(event, f)
	case utf8.Valid(event) && json.Valid(event):
		r.Event = append(json.RawMessage(nil), event...)
	default:
		r.EventBase64 = base64.StdEncoding.EncodeToString(event)
	}
}

// SetPart puts a record of a batch into r: part, which stands at path in the
// event, with the objects and arrays on the way to it and nothing beside them
// (EventTruncated). Size and hash are those of the whole, which of has. A part that
// is no JSON, or longer than MaxEvent, leaves what r had of the event.
func (r *Record) SetPart(of *Record, path string, part []byte) {
	r.EventBytes, r.EventSHA256 = of.EventBytes, of.EventSHA256
	r.EventTruncated = true
	if len(part) <= MaxEvent && utf8.Valid(part) && json.Valid(part) {
		r.Event, r.EventBase64 = nest(path, part), ""
	}
}

// DropEvent takes the event out of r, where there is no room for it. Size and
// hash stay.
func (r *Record) DropEvent() {
	if r.Event == nil && r.EventBase64 == "" {
		return
	}
	r.Event, r.EventBase64, r.EventTruncated = nil, "", true
}

// skeleton shows what f saw of a long event: the objects and arrays on the way
// to it and nothing beside them. Without a place it is the event's beginning.
func skeleton(event []byte, f *detect.Finding) json.RawMessage {
	if f == nil || f.Path == "" || f.Start < 0 || f.End > len(event) || f.Start >= f.End {
		return quote(excerpt(string(event[:min(len(event), 2*excerptSize)]), 0, 0))
	}
	// A value's length is bounded by the event's, which the relay bounds.
	raw := event[f.Start:f.End]
	value := string(raw)
	var s string
	if json.Unmarshal(raw, &s) == nil {
		value = s
	}
	if len(f.DecodeChain) > 0 { // the offset counts in the decoded bytes
		return nest(f.Path, quote(excerpt(value, 0, 0)))
	}
	return nest(f.Path, quote(excerpt(value, f.MatchOffset, len(f.Matched))))
}

// nest builds the objects and arrays that path names round inner.
func nest(path string, inner json.RawMessage) json.RawMessage {
	steps := steps(path)
	for i := len(steps) - 1; i >= 0; i-- {
		inner = steps[i].wrap(inner)
	}
	return inner
}

// excerpt cuts s to excerptSize bytes round the n bytes at offset at. A cut, shown
// as "…", moves inwards to the next delimiter where there is one, so that no half
// of a secret stays: a mask would not know it.
func excerpt(s string, at, n int) string {
	if len(s) <= excerptSize {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	at = max(0, min(at, len(s)))
	end := at + max(0, min(n, len(s)-at, detect.MaxMatched))
	hi := min(len(s), max(0, at-excerptSize/2)+excerptSize)
	lo := max(0, hi-excerptSize)
	head, tail := "", ""
	if lo > 0 {
		head = "…"
		if i := strings.IndexAny(s[lo:at], delimiters); i >= 0 {
			lo += i
		}
	}
	if hi < len(s) {
		tail = "…"
		if i := strings.LastIndexAny(s[end:hi], delimiters); i >= 0 {
			hi = end + i + 1
		}
	}
	return head + strings.ToValidUTF8(s[lo:hi], "\uFFFD") + tail
}

// delimiters end a token.
const delimiters = " \t\r\n\"'`,;&<>(){}[]|\\"

// quote returns s as a JSON string.
func quote(s string) json.RawMessage {
	b, err := marshal(s)
	if err != nil { // a string always encodes
		return json.RawMessage(`""`)
	}
	return b
}
