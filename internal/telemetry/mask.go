package telemetry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"unsafe"

	"gatehouse/internal/record"
)

// encode returns r as JSON in which mask was applied to every string value. It
// masks the encoded text and not the fields, so that no field can be forgotten,
// raw JSON from outside included.
func encode(a *arena, r *record.Record, mask func(string) string) ([]byte, error) {
	out, err := a.encode(r)
	if err != nil || mask == nil {
		return out, err
	}
	clean := r.EventBase64 == "" && unchanged(out, mask)
	if clean && bytes.IndexByte(out, '\\') < 0 {
		return out, nil // the common case: one look
	}
	out = maskStrings(out, 0, mask)
	if clean || r.EventBase64 == "" && unchanged(out, mask) {
		return out, nil
	}
	// A secret stands in a number, across several values, or in base64.
	c := *r
	c.EventBase64 = maskBase64(r.EventBase64, mask)
	for _, raw := range []*json.RawMessage{&c.Event, &c.Platform, &c.MessageJSON} {
		*raw = maskRaw(*raw, mask)
	}
	out, err = c.Encode()
	if err != nil {
		return nil, err
	}
	return maskStrings(out, 0, mask), nil
}

func unchanged(text []byte, mask func(string) string) bool {
	s := unsafe.String(unsafe.SliceData(text), len(text)) // mask keeps nothing of it, and text stays as it is
	return mask(s) == s
}

// maskRaw masks raw's text. Where that touches more than its strings, the result
// is a JSON string that shows the text.
func maskRaw(raw json.RawMessage, mask func(string) string) json.RawMessage {
	raw = maskStrings(raw, 1, mask)
	masked := mask(string(raw))
	if masked == string(raw) {
		return raw
	}
	quoted, err := json.Marshal(masked)
	if err != nil { // a string always encodes
		return nil
	}
	return quoted
}

func maskBase64(s string, mask func(string) string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return s
	}
	masked := mask(string(b))
	if masked == string(b) {
		return s
	}
	return base64.StdEncoding.EncodeToString([]byte(masked))
}

// MaskJSON returns text, a JSON object, in which mask was applied to every string but
// the names of its own members, and to what it is as a whole, which may end its being
// JSON. It returns text itself where nothing changed.
func MaskJSON(text []byte, mask func(string) string) []byte {
	text = maskStrings(text, 0, mask)
	if s := string(text); mask(s) != s {
		return []byte(mask(s))
	}
	return text
}

// made reports whether the member called key of a record holds only what
// Gatehouse made: a mask that found a secret in it would destroy it.
func made(key string) bool {
	switch key {
	case "id", "kind", "time", "sandbox_id", "policy_hash", "event_sha256", "fingerprint":
		return true
	}
	return false
}

// maskStrings applies mask to every string of the JSON text src, except the names
// of the outermost object's members and what made says. It returns src itself
// where nothing changed. src is valid JSON that stands depth levels deep: 0 is a
// record, 1 a part of it.
func maskStrings(src []byte, depth int, mask func(string) string) []byte {
	var out []byte
	var member string
	kept := 0
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			start, end := i, stringEnd(src, i)
			i = end - 1
			if depth == 1 && isKey(src[end:]) {
				member = string(src[start+1 : end-1])
				continue
			}
			if depth == 1 && made(member) {
				continue
			}
			if masked, changed := maskString(src[start:end], mask); changed {
				out = append(append(out, src[kept:start]...), masked...)
				kept = end
			}
		}
	}
	if kept == 0 {
		return src
	}
	return append(out, src[kept:]...)
}

// stringEnd returns the offset behind the string that begins at src[start].
func stringEnd(src []byte, start int) int {
	for i := start + 1; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(src)
}

// isKey reports whether the string before rest is an object's key.
func isKey(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// maskString masks one JSON string.
func maskString(quoted []byte, mask func(string) string) (masked []byte, changed bool) {
	s := string(quoted[1:max(1, len(quoted)-1)])
	if bytes.IndexByte(quoted, '\\') >= 0 && json.Unmarshal(quoted, &s) != nil {
		return nil, false
	}
	m := mask(s)
	if m == s {
		return nil, false
	}
	masked, err := json.Marshal(m)
	return masked, err == nil
}
