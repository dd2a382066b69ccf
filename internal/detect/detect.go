// Package detect says what Gatehouse thinks of a thing that it saw: an
// Observation goes in, Findings come out. It does no I/O and reads neither the
// clock nor the environment, so the same bytes give the same findings on every
// machine. What is done about a finding is decided in package proxy.
//
// detect/attack judges events that come in, detect/leak bytes that go out.
package detect

import "slices"

// Kind says which of the gate's three ways an Observation came.
type Kind uint8

// The kinds of observation.
const (
	// KindEvent is an event that the Runtime API handed out.
	KindEvent Kind = iota + 1
	// KindConnect is a CONNECT, or a plain HTTP request, before its target is
	// resolved: host rules apply.
	KindConnect
	// KindAddress is a resolved address just before it is dialled.
	KindAddress
	// KindClientHello is a TLS ClientHello behind a CONNECT: SNI rules apply.
	KindClientHello
	// KindRequest is a decrypted or plain HTTP request's head.
	KindRequest
	// KindLeak is a secret found in bytes on their way out; Finding is set.
	KindLeak
	// KindResponse is a secret, or what else is nobody's business, found in the
	// function's response; Finding is set.
	KindResponse
)

// Observation is one thing seen at the gate, before anything is decided.
type Observation struct {
	Kind Kind
	// RequestID names the invocation that an event belongs to. Egress leaves it
	// empty: who is running is asked of the sandbox.
	RequestID string
	// Event holds the event's bytes (KindEvent). Never modified.
	Event []byte
	// Target, for everything that goes out.
	Target Target
	// Finding is what a scanner found (KindLeak) or a sweep (KindResponse).
	Finding *Finding
	// Stop, asked now and then, ends an inspection early; nil never does.
	Stop func() bool
}

// Target is where a connection asks to go and what is known of it so far.
type Target struct {
	Host   string // as asked for: lower case, no trailing dot, no brackets
	Port   int
	IP     string // the address about to be dialled (KindAddress on)
	SNI    string // server name of the ClientHello, lower case; "" when absent
	Mapped bool   // egress.hosts of the policy maps Host
	// Method and Path are set when the request is visible: plain HTTP, or
	// decrypted. Decrypted tells the two apart from an opaque tunnel.
	Method, Path string
	Decrypted    bool
	// URL is the whole URL of a visible request, query included, TLSVersion and ALPN
	// what the ClientHello offered, JA4 the client's fingerprint, ECH whether the
	// server name may be another's: for the record, not for rules.
	URL, TLSVersion, ALPN, JA4 string
	ECH                        bool
}

// Severity is a CIM severity.
type Severity string

// The severities that the Common Information Model knows.
const (
	Critical      Severity = "critical"
	High          Severity = "high"
	Medium        Severity = "medium"
	Low           Severity = "low"
	Informational Severity = "informational"
)

// Finding is one thing that a rule saw. It holds no secret: what leaks is named,
// fingerprinted and masked before it gets here.
type Finding struct {
	RuleID    string   // "sqli.tautology", "leak.own-secret": never changes
	Signature string   // one line for people: "SQL injection"
	Category  string   // "sqli", "leak", "egress"
	Severity  Severity // "" counts as High
	// Weak findings are recorded and never refused by themselves.
	Weak bool
	// Score says how sure the rules are, in points; 0 where nothing is scored.
	Score int

	// Where: a JSON path for an event ("Records[0].Sns.Message"), a place for
	// egress ("url", "header:cookie", "body", "host").
	Path string
	// DecodeChain lists what was undone to see it, outermost first:
	// ["base64", "gzip", "json"].
	DecodeChain []string
	// Matched is the offending span, at most MaxMatched bytes.
	Matched string
	// MatchOffset is the byte offset of Matched in the decoded value at Path.
	MatchOffset int
	// Start and End delimit the raw JSON value (quotes included) at Path in the
	// event, in bytes. Both 0 where it does not apply.
	Start, End int
	// Object and Fingerprint name a secret without showing it.
	Object, Fingerprint string
}

// MaxMatched bounds Finding.Matched, in bytes.
const MaxMatched = 512

// Form is how an event is refused: in the form that its source understands. The
// bytes of each form belong to proxy/runtimeapi.
type Form uint8

// The forms of a refusal.
const (
	// FormError answers with a function error: direct invocations.
	FormError Form = iota
	// FormHTTP answers 403 in the shape of an HTTP source.
	FormHTTP
	// FormSuccess answers null, so that an asynchronous source does not retry.
	FormSuccess
	// FormDrop takes the bad records out of a batch and delivers the rest.
	FormDrop
	// FormDeny answers with the source's own denial: a policy for an authorizer, a
	// sentence for Lex.
	FormDeny
	// FormFail takes the bad records out of a batch, delivers the rest, and names
	// them as failed in the function's answer.
	FormFail
	// FormDeliver delivers the event all the same: what waits for an answer that
	// only the function can give.
	FormDeliver
)

// Forms are the words for the forms, as the policy and the documents say them.
var Forms = [...]string{
	FormError: "error", FormHTTP: "http", FormSuccess: "success", FormDrop: "drop",
	FormDeny: "deny", FormFail: "fail", FormDeliver: "deliver",
}

func (f Form) String() string { return Forms[f] }

// Source is an event source: one value says how it is recognised, what AWS fills
// in and how it is refused.
type Source struct {
	// Name is what records say: "sns", "sqs", "apigateway-rest", "direct".
	Name string
	// Form is the default refusal, Others what events.refuse of the policy may ask
	// for in its place.
	Form   Form
	Others []Form
	// Markers are JSON keys, with the value that some of them must have, that
	// mark the source; see attack.Sources for the notation.
	Markers []string
	// Trusted are path patterns that AWS fills: not judged where they hold what
	// AWS fills in, an identifier. See attack.Sources.
	Trusted []string
	// From is the path of who sent it (record field src); "" when unknown.
	From string
	// Self is the path of the invoked function's own ARN; "" where the source does
	// not send it. A source that is delivered by default must be told by more than
	// the shape of its events, which whoever fills an event can copy.
	Self string
	// Batch says where the records of a batch are; the zero value: there is none.
	Batch Batch
}

// Offers reports whether f makes sense as a refusal of s.
func (s *Source) Offers(f Form) bool { return f == s.Form || slices.Contains(s.Others, f) }

// Gap is a part of an event that could not be inspected, and why.
type Gap struct {
	Path string `json:"path,omitempty"`
	// Reason is "malformed", "depth", "budget", "not-utf8", "not-json", "empty",
	// "findings": judged, but there were too many weak ones to keep, "deadline",
	// "panic", "memory", or "not-refused": Lambda did not take the refusal, and the
	// function got the event.
	Reason string `json:"reason"`
	Bytes  int    `json:"bytes"`
}

// Result is what an Engine says of one event. The caller owns it and may use it
// again after Reset.
type Result struct {
	// Except, where it is set, is asked of each rule that fits at a path, maybe more
	// than once. What it accepts is no finding, and hides none: the value is judged on.
	Except func(rule, path string) bool

	Findings []Finding
	Gaps     []Gap
	// Strings counts the values judged, Work the bytes read by scanner, decoders
	// and verifiers together.
	Strings, Work int
	// Exhausted is set when the budget of work ran out before the event did.
	Exhausted bool
}

// Reset empties r and keeps its buffers, with nothing of an event in them.
func (r *Result) Reset() {
	clear(r.Findings)
	clear(r.Gaps)
	r.Except, r.Findings, r.Gaps = nil, r.Findings[:0], r.Gaps[:0]
	r.Strings, r.Work, r.Exhausted = 0, 0, false
}

// Engine judges events. It is safe for concurrent use and starts no goroutine.
type Engine interface {
	// Source recognises where an event comes from; never nil.
	Source(event []byte) *Source
	// Inspect judges event and fills result. stop, asked now and then, ends the
	// work early (the relay's wall clock); nil never does.
	Inspect(event []byte, source *Source, result *Result, stop func() bool)
}

// Spot is where in a request a short value stands, so that those of several requests can
// be read together: the value called Name, or of number N; N is -1 for those that have
// names.
type Spot struct {
	Kind, Name string
	N          int
	Undone     bool // the value is what was written there in hex or base64
}

// Outlet is one place of one connection through which bytes leave.
type Outlet struct {
	// Host is whom the bytes are meant for: lower case, no trailing dot, no
	// brackets; "" where it is not certain, and then no secret is meant for it.
	Host string
	// Place is where in the connection: "host", "sni", "method", "url", "header",
	// "header:<name>", "body", "trailer", "trailer:<name>"; "head" is what is spread over
	// several of them, and what may leave in any of them may there.
	Place string
	// Encoding and Type are the Content-Encoding and the Content-Type of a body, as
	// sent; "" for anything else.
	Encoding, Type string
}

// Scanner looks for secrets in a stream of bytes that leaves through one Outlet.
// It is not safe for concurrent use.
type Scanner interface {
	// Write judges p, which continues what was written before. The first cleared
	// bytes of everything written so far and not yet cleared may leave; the rest
	// waits, because it may be the beginning of a secret. After a finding nothing
	// more may leave.
	Write(p []byte) (cleared int, f *Finding)
	// Flush decides about what waits now, because a message has ended or nothing
	// has followed for a while, and the stream may go on. Cleared counts as in
	// Write; what still waits after it cannot be judged yet, such as a compressed
	// body before its end.
	Flush() (cleared int, f *Finding)
	// Close ends the stream: what still waits is judged, and clear unless it
	// returns a finding.
	Close() *Finding
}

// Gapped is a Scanner that decodes what it is shown, and that may come upon what
// it cannot or will not decode. Who asks it to look asks this, too, before the
// bytes that it cleared leave: whether they may, unseen as they are, is the
// policy's to say.
type Gapped interface {
	Scanner
	// Uninspected says why some of the stream was not looked into, and how many of
	// its bytes, as they were written, that are so far; "" and 0 where there are
	// none. What they are on the face of it, before any decoding, was looked at all
	// the same. Reason is the first there was: "budget", it grows to more than is
	// decoded of one body, or by more than is plausible; "memory", all bodies under
	// way hold too much; "malformed", it is not what it says it is, or ends too
	// soon; "depth", too much lies one in the other; "encrypted"; "encoding", one
	// that is not known here. Whoever asks counts what follows a finding that stops
	// nothing as "found".
	Uninspected() (reason string, bytes int)
}
