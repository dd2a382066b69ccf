package detect

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Batch says where an event holds records that stand side by side, so that one
// can be taken out and the rest delivered.
type Batch struct {
	// Records is the path of the list of records: "Records"; "records.*" for one
	// list in each member of records; "[]" where the event is the list.
	Records string
	// ID is the path, in a record, of the id by which the function's answer names
	// it; "" where the source takes no such answer.
	ID string
	// Group is the path, in a record, of what must stay in order; "" for nothing.
	Group string
}

// Part is one record of a batch.
type Part struct {
	// Start and End delimit the record in the event, in bytes.
	Start, End int
	// List counts the batch's lists from 0, Index the records of this one.
	List, Index int
	// Path is the record's: Records[3].
	Path string
	// ID and Group are what stands at the Batch's paths; "" where nothing does.
	ID, Group string
}

// IsZero reports whether there is no batch.
func (b Batch) IsZero() bool { return b.Records == "" }

// MaxParts is how many records a batch may have: more than AWS sends.
const MaxParts = 1 << 16

// Parts finds the records of the batch in event, in its order. It returns nil
// where the event is not of that shape, not JSON, or has more than MaxParts.
func (b Batch) Parts(event []byte) []Part {
	if b.IsZero() || !json.Valid(event) {
		return nil
	}
	var parts []Part
	list := 0
	add := func(path string, start, end int) {
		i := 0
		elements(event[start:end], func(from, to int) bool {
			p := Part{Start: start + from, End: start + to, List: list, Index: i}
			p.Path = path + "[" + strconv.Itoa(i) + "]"
			p.ID, p.Group = text(event[p.Start:p.End], b.ID), text(event[p.Start:p.End], b.Group)
			parts = append(parts, p)
			i++
			return len(parts) <= MaxParts
		})
		list++
	}
	name, each := strings.CutSuffix(b.Records, ".*")
	switch start, end, ok := find(event, name); {
	case b.Records == "[]":
		add("", 0, len(event))
	case ok && each:
		members(event[start:end], func(key string, from, to int) bool {
			add(name+"["+strconv.Quote(key)+"]", start+from, start+to)
			return len(parts) <= MaxParts
		})
	case ok:
		add(name, start, end)
	}
	if len(parts) > MaxParts {
		return nil
	}
	return parts
}

// AppendCut appends to dst, which is not event, the event without those of its
// records, all of them in parts, that are gone. All other bytes stay as they are; a
// record that goes takes a comma next to it along, and the blanks round that.
func AppendCut(dst, event []byte, parts []Part, gone []bool) []byte {
	at := 0 // what is before it is written, or gone
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[n].List == parts[0].List {
			n++
		}
		dst = append(dst, event[at:parts[0].Start]...)
		dst, at = appendKept(dst, event, parts[:n], gone), parts[n-1].End
		parts, gone = parts[n:], gone[n:]
	}
	return append(dst, event[at:]...)
}

// appendKept appends those of a list's records that are not gone, and what stands
// in front of each but the first.
func appendKept(out, event []byte, list []Part, gone []bool) []byte {
	kept := false
	for i, p := range list {
		if gone[i] {
			continue
		}
		if kept {
			out = append(out, event[list[i-1].End:p.Start]...)
		}
		out, kept = append(out, event[p.Start:p.End]...), true
	}
	return out
}

// text returns the string at path in the object value; "" where there is none.
func text(value []byte, path string) (s string) {
	if path == "" {
		return ""
	}
	start, end, ok := find(value, path)
	if !ok || json.Unmarshal(value[start:end], &s) != nil {
		return ""
	}
	return s
}

// Member returns where the value of the member called name of the object value,
// which is JSON, stands in it.
func Member(value []byte, name string) (start, end int, ok bool) { return find(value, name) }

// find returns where the member at path of the object value stands; the last of
// several, as JSON readers have it.
func find(value []byte, path string) (start, end int, ok bool) {
	name, rest, deeper := strings.Cut(path, ".")
	members(value, func(key string, from, to int) bool {
		if key == name {
			start, end, ok = from, to, true
		}
		return true
	})
	if !ok || !deeper {
		return start, end, ok
	}
	from, to, ok := find(value[start:end], rest)
	return start + from, start + to, ok
}

// members calls f with each member of the object in value, which is JSON: its
// key and where its value stands, until f returns false.
func members(value []byte, f func(key string, start, end int) bool) {
	i := skipBlank(value, 0)
	if i >= len(value) || value[i] != '{' {
		return
	}
	for i = skipBlank(value, i+1); i < len(value) && value[i] == '"'; i = skipBlank(value, i+1) {
		end := skipString(value, i)
		key := unquote(value[i:end])
		start := skipBlank(value, skipBlank(value, end)+1)
		end = skipValue(value, start)
		if !f(key, start, end) {
			return
		}
		if i = skipBlank(value, end); i >= len(value) || value[i] != ',' {
			return
		}
	}
}

// elements calls f with where each element of the list in value, which is JSON,
// stands, until f returns false.
func elements(value []byte, f func(start, end int) bool) {
	i := skipBlank(value, 0)
	if i >= len(value) || value[i] != '[' {
		return
	}
	for i = skipBlank(value, i+1); i < len(value) && value[i] != ']'; i = skipBlank(value, i+1) {
		end := skipValue(value, i)
		if !f(i, end) {
			return
		}
		if i = skipBlank(value, end); i >= len(value) || value[i] != ',' {
			return
		}
	}
}

// unquote returns what the JSON string raw stands for.
func unquote(raw []byte) (s string) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	_ = json.Unmarshal(raw, &s) // it is JSON
	return s
}

func skipBlank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the offset behind the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(b))
}

// skipValue returns the offset behind the value that begins at i.
func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch c := b[i]; c {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default:
			for i < len(b) && !delimits(b[i]) {
				i++
			}
		}
		if depth <= 0 {
			return i
		}
	}
	return i
}

// delimits reports whether c ends a number or a word.
func delimits(c byte) bool {
	switch c {
	case ',', ':', '}', ']', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}
