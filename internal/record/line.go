package record

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
)

// line is what marshal makes of a line of a log or a platform event, of which there are
// hundreds of thousands: without reflection on what they never have, in a sixth of the
// time. ok is false where r is more than that, or its JSON needs a closer look.
func (r *Record) line() (out []byte, ok bool) {
	when := r.Time.UTC()
	if r.Kind != Log && r.Kind != Platform || when.Year() < 0 || when.Year() > 9999 || !r.isLine() {
		return nil, false
	}
	b := make([]byte, 0, 640+len(r.Message)+len(r.MessageJSON)+len(r.Platform))
	b = strconv.AppendInt(append(b, `{"schema":`...), int64(r.Schema), 10)
	b = appendText(append(b, `,"id":`...), r.ID)
	b = strconv.AppendUint(append(b, `,"seq":`...), r.Seq, 10)
	b = appendText(append(b, `,"kind":`...), string(r.Kind))
	b = when.AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	b = append(b, '"')
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
	if r.Truncated {
		b = append(b, `,"truncated":true`...)
	}
	b = appendMember(b, "message", r.Message)
	if b, ok = appendRaw(b, "message_json", r.MessageJSON); !ok {
		return nil, false
	}
	b = appendMember(b, "log_type", r.LogType)
	if b, ok = appendRaw(b, "platform", r.Platform); !ok {
		return nil, false
	}
	b = appendMember(b, "platform_type", r.PlatformOf)
	return append(b, '}'), true
}

// isLine reports whether r has nothing but what line writes.
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
	if !plain(s) {
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
