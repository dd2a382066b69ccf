// Package policy says what is wanted: the grammar of the policy file, and the
// compiled form that package proxy asks. It decides nothing by itself and does
// no I/O: the caller reads the file.
package policy

import (
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

// OnLeak is what happens when a secret is on its way out, in enforce mode.
type OnLeak string

// The answers to a leak.
const (
	LeakMonitor OnLeak = "monitor"
	LeakBlock   OnLeak = "block"
	LeakHalt    OnLeak = "halt"
)

// Policy is a compiled policy. It is immutable and safe for concurrent use. The
// zero value is not usable; Default and Parse make one.
type Policy struct {
	// Hash is 12 hex digits of the SHA-256 of the text.
	Hash string

	Mode   Mode
	OnLeak OnLeak

	// OnBudgetClosed refuses an event whose inspection ran out of budget.
	OnBudgetClosed bool
	// InspectTLS asks for TLS inspection of everything that Bypass does not name.
	InspectTLS bool
	// DenyPrivate refuses private addresses (RFC 1918, RFC 4193, RFC 6598).
	DenyPrivate bool

	file file
}

// Decision is what the host rules say of a target.
type Decision struct {
	Allow bool
	// Rule is a stable id: "egress.default", "egress.rule", "egress.unverifiable".
	Rule string
	// Reason is for people: the rule's own reason, or the rule as written.
	Reason string
	// Unverifiable counts rules on method or path that did not match because the
	// connection is not decrypted.
	Unverifiable int
}

// Default returns the policy that holds where no file is given: monitor, egress
// allowed, TLS not inspected, a leak blocked once enforce is on.
func Default() *Policy { return &Policy{Mode: Monitor, OnLeak: LeakBlock} }

// Parse reads a policy in YAML, version 1. Unknown keys and wrong values are
// errors with line and column, all of them at once (errors.Join).
func Parse(text []byte) (*Policy, error) { panic("policy: not written yet") }

// Host applies the host rules to t in the given phase and for the given event
// source ("" when unknown). Precedence: deny over allow over default.
func (p *Policy) Host(t detect.Target, phase, source string) Decision {
	return Decision{Allow: true, Rule: "egress.default"}
}

// Map returns where egress.hosts sends host and port: an address to dial instead
// ("127.0.0.1:8443"; the policy's "127.0.0.1" takes the asked port).
func (p *Policy) Map(host string, port int) (addr string, ok bool) { return "", false }

// Bypass reports whether TLS to host must not be inspected (egress.inspect.bypass).
func (p *Policy) Bypass(host string) bool { return false }

// Exception returns the exception that covers a finding of rule at path from
// source at time now, written as rule@path, or "".
func (p *Policy) Exception(rule, path, source string, now time.Time) string { return "" }

// Refusal returns the form that events.refuse asks for from source, else def.
func (p *Policy) Refusal(source string, def detect.Form) detect.Form { return def }

// SecretHost reports whether secrets.hosts lets the secret called name go to host.
func (p *Policy) SecretHost(name, host string) bool { return false }

// WatchSecret says whether the environment variable called name is forced to be
// watched (secrets.watch) or ignored (secrets.ignore).
func (p *Policy) WatchSecret(name string) (watch, ignore bool) { return false, false }

// file is the policy as written.
type file struct{}
