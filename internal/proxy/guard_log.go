package proxy

import (
	"slices"

	"gatehouse/internal/detect"
	"gatehouse/internal/record"
)

// Printed reports f, a secret in a line of the function's log: who reads logs reads it. It
// has been printed, so that nothing can be stopped; what Gatehouse forwards of the line is
// masked. An exception of the policy, for the path log, covers it.
func (g *Guard) Printed(requestID string, f *detect.Finding) {
	f.Path = "log"
	if e := g.Policy().Exception(f.RuleID, f.Path, g.sourceOf(requestID), g.now()); e != "" {
		g.Sandbox.Update(requestID, func(inv *Invocation) {
			if !slices.Contains(inv.Exceptions, e) {
				inv.Exceptions = append(inv.Exceptions, e)
			}
		})
		return
	}
	f.Signature = "Own secret in the function's log"
	r := g.finding(record.Leak, Verdict{Action: Allow, Would: Allow, Incident: record.NewID()}, f)
	r.RequestID, r.DLPType = requestID, "log"
	r.Object, r.Fingerprint, r.EncodingChain = f.Object, f.Fingerprint, f.DecodeChain
	r.ObjectCategory, r.ObjectPath = "credential", "env"
	var event []byte
	g.Sandbox.Update(requestID, func(inv *Invocation) { event = inv.Event })
	if event != nil {
		r.SetEvent(event, nil)
	}
	g.Report(r)
}
