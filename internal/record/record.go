// Package record holds what Gatehouse says about what it saw: the Record, its
// kinds and its JSON. A record is flat, in snake case, with the names of
// Splunk's Common Information Model where it has one, so that a search needs no
// aliases. Sending records is package telemetry's business.
package record

import (
	"encoding/json"
	"time"

	"gatehouse/internal/detect"
)

// Schema is the version of the record's shape.
const Schema = 1

// VendorProduct is what every record says of its maker.
const VendorProduct = "Gatehouse"

// Kind says what a record is about. It is the last part of the source type:
// gatehouse:lambda:<kind>.
type Kind string

// The kinds of record.
const (
	Log        Kind = "log"        // one line that the function or an extension wrote
	Platform   Kind = "platform"   // one platform event, as Lambda sent it
	Invocation Kind = "invocation" // the summary of one invocation, with its receipt
	Attack     Kind = "attack"     // the event firewall's finding
	Leak       Kind = "leak"       // a secret on its way out
	Runtime    Kind = "runtime"    // something that happened inside the sandbox
	Connection Kind = "connection" // one egress connection
	Health     Kind = "health"     // what is on, what is degraded and why
)

// Finding reports whether records of kind k go first and are printed to the
// function's log when nothing else can take them.
func (k Kind) Finding() bool { return k == Attack || k == Leak || k == Runtime }

// Record is one unit of output. Empty fields are left out of its JSON. The tags
// doc and kinds feed docs/records.md; kinds is empty for what every record has.
type Record struct {
	Schema           int       `json:"schema" doc:"version of this shape, 1"`
	ID               string    `json:"id" doc:"ULID, made once and kept through resends; of a finding it is the incident id"`
	Seq              uint64    `json:"seq" doc:"counts the sandbox's records from 1, over all its starts; a gap is a loss"`
	Kind             Kind      `json:"kind" doc:"what the record is about"`
	Time             time.Time `json:"time" doc:"when it happened, RFC 3339 with nanoseconds, UTC"`
	FunctionName     string    `json:"function_name,omitempty" doc:"the function's name"`
	FunctionVersion  string    `json:"function_version,omitempty" doc:"its version, or $LATEST"`
	FunctionARN      string    `json:"function_arn,omitempty" doc:"the ARN that was invoked"`
	AccountID        string    `json:"account_id,omitempty" doc:"AWS account, 12 digits"`
	Region           string    `json:"region,omitempty" doc:"AWS region"`
	RequestID        string    `json:"request_id,omitempty" doc:"the invocation; empty during init, or where several run at once"`
	RequestIDs       []string  `json:"request_ids,omitempty" doc:"the invocations that were open, where several were"`
	TraceID          string    `json:"trace_id,omitempty" doc:"X-Ray trace header of the invocation"`
	TenantID         string    `json:"tenant_id,omitempty" doc:"tenant, where the function isolates tenants"`
	SandboxID        string    `json:"sandbox_id,omitempty" doc:"16 hex digits, kept over resets"`
	Generation       int       `json:"generation,omitempty" doc:"how often this sandbox has started"`
	Phase            string    `json:"phase,omitempty" doc:"init, invoke, after_response or shutdown"`
	PolicyHash       string    `json:"policy_hash,omitempty" doc:"12 hex digits of the policy's SHA-256"`
	GatehouseVersion string    `json:"gatehouse_version,omitempty" doc:"the layer's version"`
	VendorProduct    string    `json:"vendor_product,omitempty" doc:"always Gatehouse"`
	Truncated        bool      `json:"truncated,omitempty" doc:"the record was too large: long parts were cut"`

	// log, platform
	Message     string          `json:"message,omitempty" kinds:"log" doc:"the line, without its line break"`
	MessageJSON json.RawMessage `json:"message_json,omitempty" kinds:"log" doc:"the line, where the function logs JSON"`
	LogType     string          `json:"log_type,omitempty" kinds:"log" doc:"function or extension"`
	Platform    json.RawMessage `json:"platform,omitempty" kinds:"platform" doc:"the event's record, as sent"`
	PlatformOf  string          `json:"platform_type,omitempty" kinds:"platform" doc:"the event's type: platform.report"`

	// findings
	Action         string          `json:"action,omitempty" kinds:"attack,leak,runtime,connection,invocation" doc:"allowed or blocked"`
	WouldAction    string          `json:"would_action,omitempty" kinds:"attack,leak,runtime,connection" doc:"what enforce mode does, or would but for the form deliver: allowed or blocked"`
	Verdict        string          `json:"verdict,omitempty" kinds:"attack,leak,runtime,connection" doc:"allow, refuse, quarantine, mask, cut or halt"`
	Halted         *bool           `json:"halted,omitempty" kinds:"leak" doc:"whether the sandbox was halted; false says that halt was asked for and was not possible"`
	SignatureID    string          `json:"signature_id,omitempty" kinds:"attack,leak,runtime" doc:"rule id, never changes: sqli.tautology"`
	Signature      string          `json:"signature,omitempty" kinds:"attack,leak,runtime" doc:"the rule in words"`
	Category       string          `json:"category,omitempty" kinds:"attack,leak,runtime" doc:"attack family: sqli"`
	Severity       detect.Severity `json:"severity,omitempty" kinds:"attack,leak,runtime" doc:"critical, high, medium, low or informational"`
	IDSType        string          `json:"ids_type,omitempty" kinds:"attack,runtime" doc:"application or host"`
	Src            string          `json:"src,omitempty" kinds:"attack,leak,runtime" doc:"who sent the event, or the function that leaked"`
	Dest           string          `json:"dest,omitempty" kinds:"attack,leak,runtime,connection,invocation" doc:"the function, or the host that was asked for"`
	DVC            string          `json:"dvc,omitempty" kinds:"attack,leak,runtime" doc:"who says so: the function's ARN"`
	EventSource    string          `json:"event_source,omitempty" kinds:"attack,leak,invocation,connection" doc:"what triggered the invocation: sns"`
	Path           string          `json:"path,omitempty" kinds:"attack,leak" doc:"where in the event (Records[0].Sns.Message), or place of a request (url), or response"`
	DecodeChain    []string        `json:"decode_chain,omitempty" kinds:"attack,leak" doc:"what was undone to see it, outermost first"`
	Matched        string          `json:"matched,omitempty" kinds:"attack,leak" doc:"the offending span, at most 512 bytes, own secrets replaced"`
	MatchOffset    int             `json:"match_offset,omitempty" kinds:"attack" doc:"byte offset of matched in the decoded value"`
	Event          json.RawMessage `json:"event,omitempty" kinds:"attack,leak" doc:"the whole event up to 256 KiB, own secrets replaced"`
	EventBase64    string          `json:"event_base64,omitempty" kinds:"attack,leak" doc:"the event where it is not JSON"`
	EventBytes     int             `json:"event_bytes,omitempty" kinds:"attack,leak" doc:"the event's size in bytes"`
	EventSHA256    string          `json:"event_sha256,omitempty" kinds:"attack,leak" doc:"hex SHA-256 of the event as it arrived"`
	EventTruncated bool            `json:"event_truncated,omitempty" kinds:"attack,leak" doc:"event holds a part only"`
	Exceptions     []string        `json:"exceptions,omitempty" kinds:"attack,invocation" doc:"exceptions of the policy that applied, as rule@path"`

	// leak
	Object         string   `json:"object,omitempty" kinds:"leak" doc:"the secret's name: AWS_SECRET_ACCESS_KEY"`
	ObjectCategory string   `json:"object_category,omitempty" kinds:"leak" doc:"credential, or disclosure for what only tells too much"`
	ObjectPath     string   `json:"object_path,omitempty" kinds:"leak" doc:"where it lives: env"`
	Fingerprint    string   `json:"fingerprint,omitempty" kinds:"leak" doc:"12 hex digits of a keyed hash: equal across sandboxes, not guessable"`
	EncodingChain  []string `json:"encoding_chain,omitempty" kinds:"leak" doc:"how the secret was encoded, outermost first"`
	Package        string   `json:"package,omitempty" kinds:"leak,runtime" doc:"the package of the function's code that did it, where known"`
	DLPType        string   `json:"dlp_type,omitempty" kinds:"leak" doc:"network, response, or log"`
	Process        string   `json:"process,omitempty" kinds:"runtime" doc:"the process, where known"`

	// connection
	DestIP     string   `json:"dest_ip,omitempty" kinds:"connection,leak" doc:"the address that was dialled"`
	DestPort   int      `json:"dest_port,omitempty" kinds:"connection,leak" doc:"its port"`
	Transport  string   `json:"transport,omitempty" kinds:"connection" doc:"tcp"`
	SNI        string   `json:"sni,omitempty" kinds:"connection,leak" doc:"server name in the ClientHello"`
	TLSVersion string   `json:"tls_version,omitempty" kinds:"connection,leak" doc:"1.2 or 1.3: as offered, or as negotiated when decrypted"`
	ALPN       string   `json:"alpn,omitempty" kinds:"connection,leak" doc:"application protocols offered"`
	JA4        string   `json:"ja4,omitempty" kinds:"connection" doc:"JA4 fingerprint of the client"`
	ECH        bool     `json:"ech,omitempty" kinds:"connection" doc:"the ClientHello has an encrypted one in it, or what looks like one: sni may not be the server that is meant"`
	SSLSubject string   `json:"ssl_subject_common_name,omitempty" kinds:"connection" doc:"whom the server's certificate names, where TLS is inspected"`
	SSLIssuer  string   `json:"ssl_issuer_common_name,omitempty" kinds:"connection" doc:"who signed it"`
	SSLEnd     string   `json:"ssl_end_time,omitempty" kinds:"connection" doc:"until when it is valid, RFC 3339"`
	Via        string   `json:"via,omitempty" kinds:"connection" doc:"connect or http"`
	Decrypted  *bool    `json:"inspected,omitempty" kinds:"connection" doc:"whether the bytes were seen decrypted"`
	Reason     string   `json:"reason,omitempty" kinds:"connection,leak" doc:"why it was refused, or could not be"`
	URL        string   `json:"url,omitempty" kinds:"connection,leak" doc:"the request's URL, own secrets replaced"`
	HTTPMethod string   `json:"http_method,omitempty" kinds:"connection,leak,invocation" doc:"the request's method"`
	Requests   []Hop    `json:"requests,omitempty" kinds:"connection" doc:"the requests of a kept-alive connection, at most 64"`
	EventPaths []string `json:"event_paths,omitempty" kinds:"connection" doc:"where in the event stand values that were seen to go out, at most 16 paths"`

	// invocation, connection
	Status       string       `json:"status,omitempty" kinds:"invocation" doc:"success, error, refused, timeout, or unknown where nobody told"`
	BytesIn      int64        `json:"bytes_in,omitempty" kinds:"invocation,connection" doc:"bytes of the event, or received"`
	BytesOut     int64        `json:"bytes_out,omitempty" kinds:"invocation,connection" doc:"bytes of the response, or sent"`
	DurationMS   float64      `json:"duration_ms,omitempty" kinds:"invocation,connection" doc:"milliseconds"`
	Connections  int          `json:"connections,omitempty" kinds:"invocation" doc:"egress connections of this invocation"`
	Inspected    int          `json:"connections_inspected,omitempty" kinds:"invocation" doc:"of these seen decrypted"`
	Tunnelled    int          `json:"connections_tunnelled,omitempty" kinds:"invocation" doc:"of these passed through unseen"`
	Released     int          `json:"released,omitempty" kinds:"invocation,connection" doc:"how often bytes that began like a secret left after all, because a message ended or nothing followed for 100 ms"`
	Uninspected  int          `json:"uninspected_bytes,omitempty" kinds:"invocation,connection" doc:"bytes sent, as they were, that could not be decoded any further"`
	Unverifiable int          `json:"unverifiable,omitempty" kinds:"connection" doc:"rules that need a method or a path, and that held for nothing because requests were not seen"`
	Gaps         []detect.Gap `json:"gaps,omitempty" kinds:"connection" doc:"of these: where they stood, why, and how many; one for each reason"`
	Around       int          `json:"around,omitempty" kinds:"invocation" doc:"connections that went around the proxy"`
	Receipt      *Receipt     `json:"receipt,omitempty" kinds:"invocation" doc:"what was inspected of the event, and what was not"`

	// health, invocation
	Degraded  []Degradation     `json:"degraded,omitempty" kinds:"health" doc:"what does not work as configured"`
	Lost      map[string]uint64 `json:"lost,omitempty" kinds:"health,invocation" doc:"records lost so far, per kind, over all starts of the sandbox"`
	Spooled   map[string]uint64 `json:"spooled,omitempty" kinds:"health" doc:"records that wait on disk, per kind"`
	Tampered  uint64            `json:"spool_tampered,omitempty" kinds:"health" doc:"segments of records on disk that somebody has changed or taken away"`
	LeftOut   uint64            `json:"left_out,omitempty" kinds:"health,invocation" doc:"lines of logs that the policy left out so far, since the extension started"`
	Rung      string            `json:"rung,omitempty" kinds:"health" doc:"how the function is attached: wrapper, proxy or none"`
	Recovered int               `json:"recovered,omitempty" kinds:"health" doc:"panics recovered in this sandbox"`
}

// Hop is one HTTP request on a connection.
type Hop struct {
	Method     string   `json:"http_method" doc:"its method"`
	URL        string   `json:"url" doc:"its URL, own secrets replaced"`
	Status     int      `json:"status,omitempty" doc:"the answer's status"`
	EventPaths []string `json:"event_paths,omitempty" doc:"where in the event stand values that this request carried, at most 4 paths"`
}

// Receipt says what was inspected of an event, so that nothing is skipped in
// silence.
type Receipt struct {
	Bytes     int          `json:"bytes" doc:"the event's size"`
	Strings   int          `json:"strings" doc:"values that were judged"`
	Work      int          `json:"work" doc:"bytes read by scanner, decoders and verifiers together"`
	Inspected bool         `json:"inspected" doc:"whether the event was inspected at all"`
	Exhausted bool         `json:"exhausted,omitempty" doc:"the budget of work ran out first"`
	Gaps      []detect.Gap `json:"gaps,omitempty" doc:"parts that were not inspected: path, reason and bytes of each"`
	Dropped   int          `json:"dropped,omitempty" doc:"records of a batch that the function did not get"`
	Findings  int          `json:"findings,omitempty" doc:"places where something was found"`
	TookUS    int64        `json:"took_us" doc:"microseconds that it took"`
}

// Degradation is one thing that does not work as configured.
type Degradation struct {
	What   string `json:"what" doc:"telemetry, events, policy or hec"`
	Reason string `json:"reason" doc:"why, for people"`
}
