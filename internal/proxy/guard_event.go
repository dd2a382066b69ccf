package proxy

import (
	"fmt"
	"strings"
	"sync"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// results holds empty Results between events, so that judging one allocates little.
var results = sync.Pool{New: func() any { return new(detect.Result) }}

// giveBack empties r first: nothing of an event stays in the pool.
func giveBack(r *detect.Result) {
	r.Reset()
	results.Put(r)
}

// event judges an event before the function can have it.
func (g *Guard) event(o *detect.Observation) Verdict {
	if g.Engine == nil {
		return Verdict{Action: Allow, Would: Allow}
	}
	start := g.now()
	p := g.Policy()
	engine := g.Engine
	if p.Profile == policy.ProfileDetect && g.Detect != nil {
		engine = g.Detect
	}
	source := engine.Source(o.Event)
	res := results.Get().(*detect.Result)
	defer giveBack(res)
	form := p.Refusal(source.Name, g.ownForm(o, source))
	j := g.inspect(&inspected{engine, p, source, form, o, res})

	v := g.profiled(g.verdict(p, form, j, res))
	v.Source, v.Findings = source, j.found
	if v.Action == Quarantine {
		v.Event = j.rest
	}
	v.Receipt = receipt(o.Event, res, len(j.found)+len(j.passed))
	if v.Action.Blocks() {
		v.Receipt.Dropped = len(v.Taken)
	}
	v.Receipt.TookUS = g.now().Sub(start).Microseconds()
	g.remember(o, v, j.excepted)
	g.reportEvent(o, v, j.excepted)
	return v
}

// ownForm is the form in which source is refused where the policy asks for none.
// Who can fill an event could make it look like one that is delivered come what
// may, so that holds only where the event names the function that it is for.
func (g *Guard) ownForm(o *detect.Observation, source *detect.Source) detect.Form {
	if source.Form != detect.FormDeliver {
		return source.Form
	}
	var arn string
	g.Sandbox.Update(o.RequestID, func(inv *Invocation) { arn = inv.ARN })
	if g.Value != nil && source.Self != "" {
		if named, ok := g.Value(o.Event, source.Self); ok && arn != "" && unqualified(named) == unqualified(arn) {
			return source.Form
		}
	}
	return detect.FormError // fail-closed: it may be anybody's
}

// unqualified is a function's ARN without its version or alias.
func unqualified(arn string) string {
	part := strings.SplitN(arn, ":", 8) // arn:aws:lambda:region:account:function:name
	return strings.Join(part[:min(len(part), 7)], ":")
}

// verdict says what is done about what was found in an event.
func (g *Guard) verdict(p *policy.Policy, form detect.Form, j judged, res *detect.Result) (v Verdict) {
	strong := firstStrong(j.found)
	batch := form == detect.FormDrop || form == detect.FormFail
	switch {
	case strong != nil && batch && !j.whole && (!res.Exhausted || !p.OnBudgetClosed):
		action := Quarantine
		if j.all {
			action = Refuse
		}
		v = g.outcome(action, strong.RuleID, strong.Signature, false)
		v.Form, v.Taken = form, j.taken
		return v
	case strong != nil:
		v = g.outcome(Refuse, strong.RuleID, strong.Signature, false)
	case res.Exhausted && p.OnBudgetClosed:
		v = g.outcome(Refuse, "event.budget", "the budget of inspection ran out", false)
	default:
		v = g.outcome(Allow, "", "", false)
		if len(j.found) > 0 {
			v.Rule, v.Incident = j.found[0].RuleID, record.NewID()
		}
	}
	v.Form = form // without Taken, a batch is refused as a whole
	if form == detect.FormDeliver {
		v.Action = Allow // fail-open, by the source or the policy
	}
	return v
}

// Unseen is the verdict on an event of size bytes that is not inspected, for
// want of what reason says. It is let through (fail-open) unless FailClosed, and
// its receipt says so.
func (g *Guard) Unseen(requestID string, size int, reason string) Verdict {
	v := Verdict{Action: Allow, Would: Allow}
	if g.FailClosed { // fail-closed, asked for
		v = g.profiled(g.outcome(Refuse, "gatehouse.unseen", "the event could not be inspected", false))
	}
	v.Receipt = gap(size, reason)
	o := &detect.Observation{Kind: detect.KindEvent, RequestID: requestID}
	g.remember(o, v, nil)
	g.reportEvent(o, v, nil)
	return v
}

// profiled lets an event through where the policy's profile is detect, which never
// refuses one (fail-open, asked for).
func (g *Guard) profiled(v Verdict) Verdict {
	if g.Policy().Profile == policy.ProfileDetect {
		v.Action = Allow
	}
	return v
}

// gap is the receipt of an event of size bytes that was not inspected.
func gap(size int, reason string) *record.Receipt {
	return &record.Receipt{Bytes: size, Gaps: []detect.Gap{{Reason: reason, Bytes: size}}}
}

// remember puts what is known of the event where records of its invocation find
// it.
func (g *Guard) remember(o *detect.Observation, v Verdict, excepted []string) {
	g.Sandbox.Update(o.RequestID, func(inv *Invocation) {
		inv.Source, inv.Receipt, inv.Exceptions = v.Source, v.Receipt, excepted
		inv.Withheld = nil
		if v.Action == Quarantine {
			inv.Withheld, inv.WithheldAs = v.Taken, v.Form
		}
	})
}

// reportEvent writes one attack record for each place in the event where
// something was found; the first has the verdict's incident as its id.
func (g *Guard) reportEvent(o *detect.Observation, v Verdict, excepted []string) {
	if len(v.Findings) == 0 && v.Would.Blocks() { // refused for what was not seen
		v.Findings = []detect.Finding{{RuleID: v.Rule, Signature: v.Reason, Category: "inspection", Severity: detect.Medium}}
	}
	e := evidence{g: g, o: o, v: &v}
	for i := range v.Findings {
		f := &v.Findings[i]
		if !e.wants(f) {
			continue
		}
		r := g.finding(record.Attack, v, f)
		if len(e.paths) > 1 {
			r.ID = record.NewID()
		}
		r.RequestID, r.Exceptions = o.RequestID, excepted
		if v.Source != nil {
			r.EventSource = v.Source.Name
		}
		r.IDSType = "application"
		r.MatchOffset, r.DecodeChain = f.MatchOffset, f.DecodeChain
		e.show(r, f)
		g.Report(r)
	}
}

// finding fills what every record of a finding has.
func (g *Guard) finding(kind record.Kind, v Verdict, f *detect.Finding) *record.Record {
	severity := f.Severity
	if severity == "" {
		severity = detect.High
	}
	return &record.Record{
		Kind: kind, ID: v.Incident, Time: g.now().UTC(),
		Action: done(v.Action), WouldAction: done(v.Would), Verdict: string(v.Action),
		SignatureID: f.RuleID, Signature: f.Signature, Category: f.Category, Severity: severity,
		Path: f.Path, Matched: f.Matched,
	}
}

func receipt(event []byte, res *detect.Result, findings int) *record.Receipt {
	return &record.Receipt{
		Bytes: len(event), Strings: res.Strings, Work: res.Work,
		Inspected: true, Exhausted: res.Exhausted, Findings: findings,
		Gaps: append([]detect.Gap(nil), res.Gaps...),
	}
}

func firstStrong(found []detect.Finding) *detect.Finding {
	for i := range found {
		if !found[i].Weak {
			return &found[i]
		}
	}
	return nil
}

// refusalFor names a verdict for a person: used where no rule's words fit.
func refusalFor(d policy.Decision) string {
	if d.Reason == "" {
		return d.Rule
	}
	return fmt.Sprintf("%s: %s", d.Rule, d.Reason)
}
