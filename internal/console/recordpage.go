package console

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gatehouse/internal/record"
)

// recordPage is the page of one record.
type recordPage struct {
	*stored
	Related      []stored
	Newer, Older int64 // neighbours in the list of findings; 0 for none
}

// Heading names the record: by attack type, else by kind.
func (p recordPage) Heading() string { return heading(p.stored) }

func heading(s *stored) string {
	r := &s.Record
	switch s.Kind {
	case record.Attack, record.Leak, record.Runtime:
		return or(s.Signature, or(s.SignatureID, string(s.Kind)))
	case record.Connection:
		return "Connection to " + or(r.Dest, "an unknown host")
	case record.Invocation:
		return "Invocation " + r.Status
	case record.Platform:
		return or(r.PlatformOf, "Platform event")
	case record.Log:
		return "Log line"
	case record.Health:
		return "Health"
	}
	return s.Sourcetype
}

// Summary says in one line what a record of an invocation is about.
func (s stored) Summary() string {
	r := &s.Record
	switch s.Kind {
	case record.Attack, record.Leak, record.Runtime:
		return s.Matched
	case record.Connection:
		return strings.TrimSpace(r.HTTPMethod + " " + or(r.URL, r.Dest) + " " + r.Reason)
	case record.Invocation:
		return fmt.Sprintf("%s, %.0f ms", r.Status, r.DurationMS)
	case record.Log:
		return r.Message
	case record.Platform:
		return string(r.Platform)
	}
	return ""
}

// Heading names the record in a list.
func (s stored) Heading() string { return heading(&s) }

// Payload is the offending span, with what cannot be seen made visible.
func (p recordPage) Payload() []span { return masked(p.Matched) }

// URL is where a leak was going, with the masked secrets marked.
func (p recordPage) URL() []span { return masked(p.Record.URL) }

// mask is how a secret stands in a record: see record.Secret.
var mask = regexp.MustCompile(`\{\{[A-Za-z_][A-Za-z0-9_.:/-]{0,255}:[0-9a-f]{12}\}\}`)

// masked shows s with its masked secrets in style "mark".
func masked(s string) []span {
	var spans []span
	from := 0
	for _, at := range mask.FindAllStringIndex(s, -1) {
		spans = append(spans, visible(s[from:at[0]])...)
		spans = append(spans, span{"mark", s[at[0]:at[1]]})
		from = at[1]
	}
	return append(spans, visible(s[from:])...)
}

// lead is how much of a payload a list shows in front of a masked secret, in
// bytes.
const lead = 24

// brief is masked for a list: a secret far inside stands near the beginning.
func brief(s string) []span {
	at := mask.FindStringIndex(s)
	if at == nil || at[0] <= lead {
		return masked(s)
	}
	return masked("…" + text(s[at[0]-lead:]))
}

// Event lays out the function's event with the matched place marked.
func (p recordPage) Event() document {
	r := &p.Record
	at := place{path: r.Path, matched: r.Matched, offset: r.MatchOffset}
	if p.Kind == record.Leak { // its path is a place of the request, not of the event
		at = place{}
	}
	if r.Event == nil && r.EventBase64 != "" {
		if raw, err := base64.StdEncoding.DecodeString(r.EventBase64); err == nil {
			return pretty(raw, at)
		}
	}
	return pretty(r.Event, at)
}

// HasEvent reports whether the record holds an event.
func (p recordPage) HasEvent() bool { return p.Record.Event != nil || p.Record.EventBase64 != "" }

// RawRecord lays out the record as it was sent.
func (p recordPage) RawRecord() document { return pretty(p.Raw, place{}) }

// fact is one line of a list of facts.
type fact struct{ Name, Value string }

func facts(all ...fact) []fact {
	var list []fact
	for _, f := range all {
		if f.Value != "" {
			list = append(list, f)
		}
	}
	return list
}

func port(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "yes"
	}
	return "no"
}

// Facts are what stands beside the evidence.
func (p recordPage) Facts() []fact {
	r := &p.Record
	return facts(
		fact{"Function", p.Function},
		fact{"Function ARN", p.FunctionARN},
		fact{"Version", r.FunctionVersion},
		fact{"Event source", p.EventSource},
		fact{"Sent by", r.Src},
		fact{"Request ID", p.RequestID},
		fact{"Requests open", strings.Join(r.RequestIDs, ", ")},
		fact{"Incident ID", p.ID},
		fact{"Rule", p.SignatureID},
		fact{"Category", p.Category},
		fact{"Severity", p.Severity},
		fact{"Action", p.Action},
		fact{"In enforce mode", p.WouldAction},
		fact{"Verdict", p.Verdict},
		fact{"Sandbox halted", yesNo(r.Halted)},
		fact{"Phase", r.Phase},
		fact{"Sandbox", r.SandboxID},
		fact{"Tenant", r.TenantID},
		fact{"Trace", r.TraceID},
		fact{"Policy", r.PolicyHash},
		fact{"Exceptions", strings.Join(r.Exceptions, ", ")},
		fact{"Event size", bytesOf(r.EventBytes)},
		fact{"Event SHA-256", r.EventSHA256},
		fact{"Host", p.Host},
		fact{"Source", p.Source},
		fact{"Source type", p.Sourcetype},
		fact{"Index", p.Index},
		fact{"Indexed fields", p.Fields},
	)
}

// Secret says what leaked, without showing it.
func (p recordPage) Secret() []fact {
	r := &p.Record
	return facts(
		fact{"Secret", r.Object},
		fact{"Kind", r.ObjectCategory},
		fact{"Lives in", r.ObjectPath},
		fact{"Fingerprint", r.Fingerprint},
		fact{"Found in", leakPlace(r)},
		fact{"Written as", strings.Join(r.EncodingChain, " → ")},
		fact{"Package", r.Package},
		fact{"Process", r.Process},
	)
}

func leakPlace(r *record.Record) string {
	if r.Kind != record.Leak {
		return ""
	}
	return r.Path
}

// Connection says where the bytes were going, and under which TLS.
func (p recordPage) Connection() []fact {
	r := &p.Record
	if p.Kind != record.Leak && p.Kind != record.Connection {
		return nil
	}
	return facts(
		fact{"Target", r.Dest},
		fact{"Address", r.DestIP},
		fact{"Port", port(r.DestPort)},
		fact{"Method", r.HTTPMethod},
		fact{"Transport", r.Transport},
		fact{"Via", r.Via},
		fact{"TLS server name", r.SNI},
		fact{"TLS version", r.TLSVersion},
		fact{"ALPN", r.ALPN},
		fact{"JA4", r.JA4},
		fact{"Decrypted", yesNo(r.Decrypted)},
		fact{"Bytes out", bytesOf(int(r.BytesOut))},
		fact{"Bytes in", bytesOf(int(r.BytesIn))},
		fact{"Reason", r.Reason},
	)
}

func bytesOf(n int) string {
	switch {
	case n == 0:
		return ""
	case n < 10_000:
		return number(n) + " B"
	case n < 10_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
