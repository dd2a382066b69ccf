package proxy

import (
	"slices"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// maxResponseFindings bounds the records that one response can make: each holds
// the whole event.
const maxResponseFindings = 8

// Response judges one response of the function on its way to Lambda. It is not
// safe for concurrent use.
type Response struct {
	g         *Guard
	sweep     detect.Sweep
	requestID string
	place     string
	action    Action // what is done to a secret: Allow, Mask or Refuse
	ruled     []ruling
	told      int
}

// ruling is what was decided about a rule in this response.
type ruling struct {
	rule   string
	action Action
}

// Response returns what judges the response to an invocation, or nil where there
// is nothing to look for. place is what records call it: "response", or "error"
// where the function says itself that it failed.
func (g *Guard) Response(requestID, place string) *Response {
	if g.Sweep == nil {
		return nil
	}
	sweep := g.Sweep(place == "response")
	if sweep == nil {
		return nil
	}
	action := onResponse(g.Policy())
	if g.Policy().Mode != policy.Enforce {
		action = Allow
	}
	return &Response{g: g, sweep: sweep, requestID: requestID, place: place, action: action}
}

// onResponse is what enforce mode does about a secret in a response.
func onResponse(p *policy.Policy) Action {
	switch p.Responses {
	case policy.ResponseMask:
		return Mask
	case policy.ResponseRefuse:
		return Refuse
	}
	return Allow
}

// Action is what is done to a secret: Allow, which changes nothing, Mask, or
// Refuse, for which it is best to have the whole response before any of it leaves.
func (r *Response) Action() Action { return r.action }

// Look judges window, which is as detect.Sweep wants it, and masks in it what is
// to be masked. It returns with how many of its last bytes the next window begins,
// and how many of those must wait. A verdict that blocks is the last: what waits
// then may not leave. A panic is recovered and counted: it fails open, unless FailClosed.
func (r *Response) Look(window []byte, fresh int, last bool) (keep, held int, v Verdict) {
	defer func() {
		if recover() != nil {
			r.g.recovered.Add(1)
			keep, held, v = 0, len(window), r.broken()
			if !v.Action.Blocks() {
				held = 0
			}
		}
	}()
	if r.sweep == nil {
		return 0, 0, v
	}
	s := r.sweep(window, fresh, last)
	for i := range s.Hits {
		h := &s.Hits[i]
		if v := r.rule(h); v.Action.Blocks() {
			return 0, len(window) - begin(s.Hits), v
		}
		if r.ruling(h.RuleID) == Mask {
			h.Mask(window)
		}
	}
	if r.action == Allow {
		s.Held = 0
	}
	return s.Keep, s.Held, v
}

// begin returns where the first of hits begins.
func begin(hits []detect.Hit) int {
	at := hits[0].Start
	for i := range hits {
		at = min(at, hits[i].Start)
	}
	return at
}

// broken gives the sweep up after a panic.
func (r *Response) broken() Verdict {
	r.sweep = nil
	if !r.g.FailClosed || r.action == Allow {
		return Verdict{Action: Allow, Would: Allow} // fail-open: the rest passes unread
	}
	f := &detect.Finding{
		RuleID: "gatehouse.broken", Signature: "the inspection itself failed", Category: "inspection",
		Severity: detect.Medium, Path: r.place,
	}
	v := r.g.outcome(Refuse, f.RuleID, f.Signature, false) // fail-closed, asked for
	r.g.reportResponse(r.requestID, v, f)
	return v
}

// rule decides about a hit, once for each that has a finding.
func (r *Response) rule(h *detect.Hit) Verdict {
	if h.Finding == nil || r.told == maxResponseFindings {
		return Verdict{}
	}
	r.told++
	h.Finding.Path = r.place
	v := r.g.Decide(&detect.Observation{Kind: detect.KindResponse, RequestID: r.requestID, Finding: h.Finding})
	r.ruled = append(r.ruled, ruling{h.RuleID, v.Action})
	return v
}

// ruling returns what was decided about a rule last.
func (r *Response) ruling(rule string) Action {
	a := r.action
	for i := range r.ruled {
		if r.ruled[i].rule == rule {
			a = r.ruled[i].action
		}
	}
	return a
}

// response decides about what was found in a response, and reports it.
func (g *Guard) response(o *detect.Observation) Verdict {
	p, f := g.Policy(), o.Finding
	if e := p.Exception(f.RuleID, f.Path, g.sourceOf(o.RequestID), g.now()); e != "" {
		g.Sandbox.Update(o.RequestID, func(inv *Invocation) {
			if !slices.Contains(inv.Exceptions, e) {
				inv.Exceptions = append(inv.Exceptions, e)
			}
		})
		return Verdict{Action: Allow, Would: Allow}
	}
	would := onResponse(p)
	if f.Weak {
		would = Allow
	}
	v := g.outcome(would, f.RuleID, f.Signature, false)
	v.Incident, v.Findings = record.NewID(), []detect.Finding{*f}
	g.reportResponse(o.RequestID, v, f)
	return v
}

func (g *Guard) sourceOf(requestID string) (name string) {
	g.Sandbox.Update(requestID, func(inv *Invocation) {
		if inv.Source != nil {
			name = inv.Source.Name
		}
	})
	return name
}

func (g *Guard) reportResponse(requestID string, v Verdict, f *detect.Finding) {
	r := g.finding(record.Leak, v, f)
	r.RequestID, r.DLPType = requestID, "response"
	r.Object, r.Fingerprint, r.EncodingChain = f.Object, f.Fingerprint, f.DecodeChain
	switch {
	case f.Weak:
		r.ObjectCategory = "disclosure"
	case f.Object != "":
		r.ObjectCategory = "credential"
	}
	if f.RuleID == "leak.own-secret" {
		r.ObjectPath = "env"
	}
	var event []byte
	g.Sandbox.Update(requestID, func(inv *Invocation) { event = inv.Event })
	if event != nil {
		r.SetEvent(event, nil)
	}
	g.Report(r)
}
