// Package policy says what is wanted: the grammar of the policy file, and the
// compiled form that package proxy asks. It decides nothing by itself and does
// no I/O: the caller reads the file. docs/policy.md describes the grammar.
package policy

import (
	"slices"
	"strings"
	"time"

	"gatehouse/internal/detect"
)

// Mode is what happens to a finding.
type Mode string

// The modes.
const (
	Monitor Mode = "monitor" // record only
	Enforce Mode = "enforce" // refuse
)

// Profile is which rules an event is judged by.
type Profile string

// The profiles.
const (
	ProfileBlock  Profile = "block"  // those that may refuse it
	ProfileDetect Profile = "detect" // weak ones as well; no event is refused
)

// OnLeak is what happens when a secret is on its way out, in enforce mode.
type OnLeak string

// The answers to a leak.
const (
	LeakMonitor OnLeak = "monitor"
	LeakBlock   OnLeak = "block"
	LeakHalt    OnLeak = "halt"
)

// ResponseAction is what happens to a secret in the function's response, in
// enforce mode.
type ResponseAction string

// The answers to a secret in a response.
const (
	ResponseMonitor ResponseAction = "monitor" // record only
	ResponseMask    ResponseAction = "mask"    // write over it
	ResponseRefuse  ResponseAction = "refuse"  // fail the invocation
)

// EventData is what happens where data of the event leaves by a connection.
type EventData string

// The answers to that.
const (
	EventDataAllow   EventData = "allow"   // no finding; the connection's record names the paths
	EventDataMonitor EventData = "monitor" // a finding that is never refused
	EventDataRefuse  EventData = "refuse"  // in enforce mode
)

// Policy is a compiled policy. It is immutable and safe for concurrent use. The
// zero value is not usable; Default and Parse make one.
type Policy struct {
	// Hash is 12 hex digits of the SHA-256 of the text.
	Hash string

	Mode    Mode
	Profile Profile
	OnLeak  OnLeak
	// Responses says what becomes of a response that holds a secret.
	Responses ResponseAction

	// OnBudgetClosed refuses an event whose inspection ran out of budget.
	OnBudgetClosed bool
	// UninspectedClosed refuses to let a body leave of which not all could be decoded.
	UninspectedClosed bool
	// InspectTLS asks for TLS inspection of everything that Bypass does not name.
	InspectTLS bool
	// InspectSnapStart asks for it under SnapStart, too, where every sandbox that is
	// restored from one snapshot has the same CA.
	InspectSnapStart bool
	// HostFromEvent is about connections to a host that the event names, EventData
	// about visible requests that carry its values.
	HostFromEvent, EventData EventData
	// DenyPrivate refuses private addresses (RFC 1918, RFC 4193, RFC 6598).
	DenyPrivate bool

	// TierOne and TierTwo say what becomes of the hosts of the built-in lists.
	TierOne, TierTwo ListAnswer
	// Lookalikes says what becomes of hosts that look like one that the policy allows or
	// a package of the function's: see Lookalike.
	Lookalikes ListAnswer
	// Region is the one that the function runs in, for aws:self and aws:s3. It is not
	// part of the text: the caller sets it.
	Region string

	// Records says what is sent of what was seen.
	Records Records

	file file
}

// Decision is what the host rules say of a target.
type Decision struct {
	Allow bool
	// Rule is a stable id: "egress.default", "egress.rule", "egress.unverifiable",
	// "egress.exfiltration-host", "egress.drop-host".
	Rule string
	// Reason is for people: the rule's own reason, or the rule as written.
	Reason string
	// Unverifiable counts rules on method or path that did not match because the
	// request is not visible.
	Unverifiable int
	// Undecided is set with Allow false when only a rule on method or path could
	// allow the target. Who is about to see the request decrypted may go on and
	// must ask again with it; anybody else takes Allow as it stands.
	Undecided bool
	// Listed is the id of the rule of the built-in list that has the host, whether or
	// not that decides, and ListReason what the list's hosts are; "" for none.
	Listed, ListReason string

	// hoped is set where a rule on method or path could allow what the default does: a
	// built-in list must not take away what it may still give.
	hoped bool
}

// emptyHash is the Hash of Default: that of a policy without text.
const emptyHash = "e3b0c44298fc"

// Default returns the policy that holds where no file is given: monitor, egress
// allowed, TLS not inspected, a leak blocked once enforce is on. It parses
// nothing, because it is made before the function starts.
func Default() *Policy {
	return &Policy{Hash: emptyHash, Mode: Monitor, Profile: ProfileBlock, OnLeak: LeakBlock, Responses: ResponseMonitor,
		HostFromEvent: EventDataMonitor, EventData: EventDataAllow, TierOne: ListRefuse, TierTwo: ListMonitor, Lookalikes: ListMonitor,
		Records: Records{Sample: 1, Masks: Masks{Defaults: true}}}
}

// Map returns where egress.hosts sends host and port: an address to dial instead
// ("127.0.0.1:8443"; the policy's "127.0.0.1" takes the asked port).
func (p *Policy) Map(host string, port int) (addr string, ok bool) {
	to, ok := p.file.hosts[canonical(host)]
	if !ok {
		return "", false
	}
	return to.dial(port), true
}

// Bypass reports whether TLS to host must not be inspected (egress.inspect.bypass).
func (p *Policy) Bypass(host string) bool { return matchAny(p.file.bypass, nameOf(host), p.Region) }

// Exception returns the exception that covers a finding of rule at path from
// source at time now, written as rule@path, or "".
func (p *Policy) Exception(rule, path, source string, now time.Time) string {
	for i := range p.file.exceptions {
		if e := &p.file.exceptions[i]; e.covers(rule, path, source, now) {
			return e.String()
		}
	}
	return ""
}

// Expired lists the exceptions that ended after since and are over at now, written
// as rule@path.
func (p *Policy) Expired(since, now time.Time) []string {
	var over []string
	for i := range p.file.exceptions {
		if e := &p.file.exceptions[i]; e.until.After(since) && !now.Before(e.until) {
			over = append(over, e.String())
		}
	}
	return over
}

// Excepts reports whether there are exceptions at all.
func (p *Policy) Excepts() bool { return len(p.file.exceptions) > 0 }

// Refusal returns the form that events.refuse asks for from source, else def.
func (p *Policy) Refusal(source string, def detect.Form) detect.Form {
	if form, ok := p.file.refuse[source]; ok {
		return form
	}
	return def
}

// EventDataHost reports whether data of the event is meant for host.
func (p *Policy) EventDataHost(host string) bool {
	return matchAny(p.file.eventDataHosts, nameOf(host), p.Region)
}

// SecretHost reports whether secrets.hosts lets the secret called name go to host.
func (p *Policy) SecretHost(name, host string) bool {
	return matchAny(p.file.secretHosts[name], nameOf(host), p.Region)
}

// AWSAccount reports whether secrets.aws_accounts names account: requests that its keys
// signed are expected.
func (p *Policy) AWSAccount(account string) bool { return slices.Contains(p.file.accounts, account) }

// WatchSecret says whether the environment variable called name is forced to be
// watched (secrets.watch) or ignored (secrets.ignore); never both.
func (p *Policy) WatchSecret(name string) (watch, ignore bool) {
	watch, listed := p.file.secrets[name]
	return watch, listed && !watch
}

// file is the policy as written, the exported fields of Policy excepted. Its size
// is bounded by MaxBytes of text.
type file struct {
	denyByDefault bool
	denyInit      bool // by default, in the init phase
	deny, allow   []rule
	hosts         map[string]address
	bypass        []hostPattern
	exceptions    []exception
	refuse        map[string]detect.Form
	secrets       map[string]bool // name → watch; false ignores it
	secretHosts   map[string][]hostPattern
	accounts      []string

	eventDataHosts []hostPattern
}

// canonical returns host as patterns are kept: lower case, no trailing dot, no
// brackets.
func canonical(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1]
	}
	return host
}
