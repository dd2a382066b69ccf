// Package replay judges stored records by another policy: what it would have refused.
package replay

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

// Outcome is what a policy says of one record.
type Outcome struct {
	Record  *record.Record `json:"-"`
	ID      string         `json:"id"`
	Kind    record.Kind    `json:"kind"`
	What    string         `json:"what"` // host, or path in an event
	Rule    string         `json:"rule"`
	Reason  string         `json:"reason,omitempty"`
	Refused bool           `json:"refused"` // by the policy
	Before  bool           `json:"before"`  // it was, or would have been
}

// Replay judges records. Its fields are set before use.
type Replay struct {
	Policy *policy.Policy
	// Each takes the outcome of each record that a policy can refuse.
	Each func(Outcome)
	// Unseen counts attacks whose event is not in the record.
	Unseen int
}

// Add judges one record.
func (p *Replay) Add(r *record.Record) {
	switch r.Kind {
	case record.Connection:
		p.connection(r)
	case record.Leak:
		p.leak(r)
	case record.Attack:
		p.attack(r)
	}
}

func (p *Replay) tell(r *record.Record, what, rule, reason string, refused bool) {
	p.Each(Outcome{
		Record: r, ID: r.ID, Kind: r.Kind, What: what, Rule: cmp.Or(rule, "none"), Reason: reason,
		Refused: refused, Before: r.WouldAction == "blocked",
	})
}

// guard is one that knows whose record r is, and what time it was.
func (p *Replay) guard(r *record.Record) *proxy.Guard {
	g := &proxy.Guard{
		Sandbox: new(proxy.Sandbox), Engine: new(attack.Engine), Detect: &attack.Engine{Profile: attack.Detect},
		Policy: func() *policy.Policy { return p.in(r) }, Report: func(*record.Record) {}, Now: func() time.Time { return r.Time },
	}
	if r.Phase != string(proxy.Init) && r.Phase != "" {
		g.Sandbox.Begin(proxy.Invocation{RequestID: cmp.Or(r.RequestID, "replay"), Source: sourceOf(r.EventSource)})
		if r.Phase == string(proxy.AfterResponse) {
			g.Sandbox.Responded(cmp.Or(r.RequestID, "replay"))
		}
	}
	return g
}

// in is the policy where r was made.
func (p *Replay) in(r *record.Record) *policy.Policy {
	there := *p.Policy
	there.Region = r.Region
	return &there
}

func sourceOf(name string) *detect.Source {
	i := slices.IndexFunc(attack.Sources, func(s detect.Source) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &attack.Sources[i]
}

// connection asks the host rules about the connection, and about each request of it.
func (p *Replay) connection(r *record.Record) {
	if r.Dest == "" {
		return
	}
	g := p.guard(r)
	t := detect.Target{Host: r.Dest, Port: r.DestPort, IP: r.DestIP, SNI: r.SNI, Decrypted: r.Decrypted != nil && *r.Decrypted}
	_, t.Mapped = g.Policy().Map(r.Dest, r.DestPort)
	v := g.Decide(&detect.Observation{Kind: detect.KindConnect, Target: t})
	for _, next := range []struct {
		kind detect.Kind
		seen bool
	}{{detect.KindAddress, t.IP != ""}, {detect.KindClientHello, t.SNI != ""}} {
		if next.seen && !v.Would.Blocks() {
			if after := g.Decide(&detect.Observation{Kind: next.kind, Target: t}); after.Would.Blocks() {
				v = after
			}
		}
	}
	for _, q := range r.Requests {
		u, err := url.Parse(q.URL)
		if v.Would.Blocks() || err != nil || !t.Decrypted {
			break
		}
		t.Method, t.Path = q.Method, u.EscapedPath()
		v = g.Decide(&detect.Observation{Kind: detect.KindRequest, Target: t})
	}
	p.tell(r, r.Dest, v.Rule, v.Reason, v.Would.Blocks())
}

// leak asks whether the secret may go there, and what is done where it may not.
func (p *Replay) leak(r *record.Record) {
	if r.DLPType != "network" {
		return
	}
	refused := p.Policy.OnLeak != policy.LeakMonitor && !p.Policy.SecretHost(r.Object, r.Dest)
	switch r.SignatureID {
	case leak.RuleVendorToken:
		vendor := policy.TokenName(strings.TrimSuffix(r.Object, " token"))
		refused = refused && r.WouldAction == "blocked" && !p.Policy.SecretHost(vendor, r.Dest) // else nothing proves it
	case leak.RuleForeignKey:
		account, known := leak.AccountOf(r.Matched)
		refused = refused && r.WouldAction == "blocked" && (!known || !p.Policy.AWSAccount(account))
	}
	if _, ignored := p.Policy.WatchSecret(r.Object); ignored {
		refused = false
	}
	p.tell(r, r.Object+" to "+r.Dest, r.SignatureID, r.Signature, refused)
}

// attack inspects the event again, where the record has it.
func (p *Replay) attack(r *record.Record) {
	event := []byte(r.Event)
	if r.EventBase64 != "" {
		event, _ = base64.StdEncoding.DecodeString(r.EventBase64) // none is counted below
	}
	if len(event) == 0 || r.EventTruncated {
		p.Unseen++
		return
	}
	v := p.guard(r).Decide(&detect.Observation{Kind: detect.KindEvent, RequestID: "replay", Event: event})
	p.tell(r, r.Path, cmp.Or(v.Rule, r.SignatureID), v.Reason, v.Would.Blocks())
}
