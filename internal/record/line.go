package record

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
)

// Lines encodes lines of logs and platform events, of which there are hundreds of
// thousands: without reflection on what they never have, and without writing again what
// each has in common with the last. The zero value is ready, and a nil one remembers
// nothing. It is used by one goroutine at a time.
type Lines struct {
	last   Record // has nothing but its origin and its time
	origin []byte
	time   []byte
}

// Append appends to b what Encode makes of r. ok is false where r is no line, or its JSON
// needs a closer look; b is then as long as it was.
func (l *Lines) Append(b []byte, r *Record) (out []byte, ok bool) {
	if year := r.Time.UTC().Year(); r.Kind != Log && r.Kind != Platform || year < 0 || year > 9999 || !r.isLine() {
		return b, false
	}
	before := b
	b = strconv.AppendInt(append(b, `{"schema":`...), int64(r.Schema), 10)
	b = appendText(append(b, `,"id":`...), r.ID)
	b = strconv.AppendUint(append(b, `,"seq":`...), r.Seq, 10)
	b = appendText(append(b, `,"kind":`...), string(r.Kind))
	b = l.appendTime(b, r)
	b = l.appendOrigin(b, r)
	if r.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	b = appendMember(b, "message", r.Message)
	if b, ok = appendRaw(b, "message_json", r.MessageJSON); !ok {
		return before, false
	}
	b = appendMember(b, "log_type", r.LogType)
	if b, ok = appendRaw(b, "platform", r.Platform); !ok {
		return before, false
	}
	b = appendMember(b, "platform_type", r.PlatformOf)
	return append(b, '}'), true
}

func (l *Lines) appendTime(b []byte, r *Record) []byte {
	if l != nil && l.time != nil && l.last.Time.Equal(r.Time) {
		return append(b, l.time...)
	}
	start := len(b)
	b = r.Time.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	b = append(b, '"')
	if l != nil {
		l.time, l.last.Time = append(l.time[:0], b[start:]...), r.Time
	}
	return b
}

// appendOrigin appends where r comes from.
func (l *Lines) appendOrigin(b []byte, r *Record) []byte {
	if l != nil && l.origin != nil && bytes.Equal(l.last.originBytes(), r.originBytes()) {
		return append(b, l.origin...) // last keeps the strings alive: the same headers are the same strings
	}
	start := len(b)
	b = appendMember(b, "function_name", r.FunctionName)
	b = appendMember(b, "function_version", r.FunctionVersion)
	b = appendMember(b, "function_arn", r.FunctionARN)
	b = appendMember(b, "account_id", r.AccountID)
	b = appendMember(b, "region", r.Region)
	b = appendMember(b, "request_id", r.RequestID)
	b = appendMember(b, "trace_id", r.TraceID)
	b = appendMember(b, "tenant_id", r.TenantID)
	b = appendMember(b, "sandbox_id", r.SandboxID)
	if r.Generation != 0 {
		b = strconv.AppendInt(append(b, `,"generation":`...), int64(r.Generation), 10)
	}
	b = appendMember(b, "phase", r.Phase)
	b = appendMember(b, "policy_hash", r.PolicyHash)
	b = appendMember(b, "gatehouse_version", r.GatehouseVersion)
	b = appendMember(b, "vendor_product", r.VendorProduct)
	if l != nil {
		l.origin = append(l.origin[:0], b[start:]...)
		l.last = Record{
			Time: l.last.Time, FunctionName: r.FunctionName, FunctionVersion: r.FunctionVersion, FunctionARN: r.FunctionARN,
			AccountID: r.AccountID, Region: r.Region, RequestID: r.RequestID, TraceID: r.TraceID, TenantID: r.TenantID,
			SandboxID: r.SandboxID, Generation: r.Generation, Phase: r.Phase, PolicyHash: r.PolicyHash,
			GatehouseVersion: r.GatehouseVersion, VendorProduct: r.VendorProduct,
		}
	}
	return b
}

// originBytes are the fields from FunctionName to VendorProduct as they lie in memory.
func (r *Record) originBytes() []byte {
	const size = unsafe.Offsetof(r.VendorProduct) + unsafe.Sizeof(r.VendorProduct) - unsafe.Offsetof(r.FunctionName)
	return unsafe.Slice((*byte)(unsafe.Pointer(&r.FunctionName)), size)
}

// isLine reports whether r has nothing but what a line has.
func (r *Record) isLine() bool {
	// Zero bytes are zero values. What is zero in another way, an empty list, is written
	// by the encoder that knows everything.
	const from = unsafe.Offsetof(r.PlatformOf) + unsafe.Sizeof(r.PlatformOf)
	rest := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(r), from)), unsafe.Sizeof(*r)-from)
	return r.RequestIDs == nil && bytes.Equal(rest, zeros[:len(rest)])
}

// zeros are more than what a Record has behind PlatformOf, the last field of a line.
var zeros [unsafe.Sizeof(Record{})]byte

// appendMember appends what an object goes on with; nothing where value is "".
func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return appendText(b, value)
}

// appendText appends s as JSON.
func appendText(b []byte, s string) []byte {
	if !PlainText(s) {
		return append(b, quote(s)...)
	}
	b = append(append(b, '"'), s...)
	return append(b, '"')
}

// appendRaw appends what is JSON already, without blanks; nothing where there is none.
func appendRaw(b []byte, name string, raw json.RawMessage) ([]byte, bool) {
	if len(raw) == 0 {
		return b, raw == nil
	}
	var text bytes.Buffer
	if !utf8.Valid(raw) || deeper(raw, maxDepth) || json.Compact(&text, raw) != nil {
		return b, false
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return append(b, text.Bytes()...), true
}
