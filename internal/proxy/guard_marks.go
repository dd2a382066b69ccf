package proxy

import (
	"bytes"
	"encoding/hex"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// marked returns the marks of the one invocation that is open, and the invocation;
// nil where none or several are, or where its event is not kept.
func (g *Guard) marked() (*marks, Invocation) {
	if g.Marks == nil {
		return nil, Invocation{}
	}
	inv, ok := g.Sandbox.alone()
	if !ok || inv.Event == nil {
		return nil, inv
	}
	inv.marks.once.Do(func() { inv.marks.collect(&g.seen, g.walk(inv)) })
	return inv.marks, inv
}

func (g *Guard) walk(inv Invocation) walk {
	return func(yield func(string, []byte) bool) { g.Marks(inv.Event, inv.Source, yield) }
}

// unmarked is deferred where marks are looked for in what goes out: a panic is
// counted, and costs the paths.
func (g *Guard) unmarked() {
	if recover() != nil {
		g.recovered.Add(1) // fail-open: marks say where data comes from
	}
}

// HasMarks reports whether there is an event whose values may leave.
func (g *Guard) HasMarks() bool {
	defer g.unmarked()
	m, _ := g.marked()
	return m != nil && len(m.list) > 0
}

// EventPaths returns the paths of the event whose values stand in texts, which are
// on their way out, as they are or percent-encoded; at most 16. Values that events
// before had, too, do not count.
func (g *Guard) EventPaths(texts ...[]byte) (paths []string) {
	defer g.unmarked()
	m, _ := g.marked()
	if m == nil {
		return nil
	}
	for _, text := range texts {
		paths = m.in(paths, text)
		paths = m.in(paths, unescaped(text))
	}
	return paths
}

// HostPaths returns the path of the event whose value names host, else those whose
// values stand in it.
func (g *Guard) HostPaths(host string) (paths []string) {
	defer g.unmarked()
	m, _ := g.marked()
	if m == nil {
		return nil
	}
	if one := m.names(host); one != nil {
		return []string{one.path}
	}
	return m.in(nil, []byte(host))
}

// unescaped undoes percent-encoding; nil where there is none.
func unescaped(text []byte) []byte {
	if bytes.IndexByte(text, '%') < 0 && bytes.IndexByte(text, '+') < 0 {
		return nil
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(text):
			var b [1]byte
			if _, err := hex.Decode(b[:], text[i+1:i+3]); err == nil {
				c = b[0]
				i += 2
			}
		}
		out = append(out, c)
	}
	return out
}

// fromEvent judges a host that the policy lets through, and that the event may
// have named. A rule that allows it by name has the last word. With refuse a name
// counts though events before had it, too: asking twice must not help.
func (g *Guard) fromEvent(t detect.Target, allowed Verdict) Verdict {
	p := g.Policy()
	if p.HostFromEvent == policy.EventDataAllow || allowed.Rule == "egress.rule" || p.EventDataHost(t.Host) {
		return allowed
	}
	m, inv := g.marked()
	if m == nil {
		return allowed
	}
	one := m.names(t.Host)
	if one == nil && p.HostFromEvent == policy.EventDataRefuse {
		one = m.everNames(t.Host, g.walk(inv))
	}
	if one == nil {
		return allowed
	}
	return g.echo(m, inv, p.HostFromEvent, allowed, detect.Finding{
		RuleID: "egress.host-from-event", Signature: "Connection to a host that the event names", Category: "ssrf",
		Severity: detect.Low, Path: one.path, Matched: one.value,
	}, t.Host)
}

// EventData judges a visible request to t in which the values at paths stand, as
// EventPaths returned them.
func (g *Guard) EventData(t detect.Target, paths []string) (v Verdict) {
	defer g.unmarked()
	allowed := Verdict{Action: Allow, Would: Allow}
	p := g.Policy()
	if len(paths) == 0 || p.EventData == policy.EventDataAllow || p.EventDataHost(t.Host) {
		return allowed
	}
	m, inv := g.marked()
	if m == nil {
		return allowed
	}
	return g.echo(m, inv, p.EventData, allowed, detect.Finding{
		RuleID: "egress.event-data", Signature: "The event's data leaves in a request", Category: "exfiltration",
		Severity: detect.Medium, Path: paths[0], Matched: t.Host,
	}, t.Host)
}

// echo decides about a finding and reports it, once for each host of an invocation.
func (g *Guard) echo(m *marks, inv Invocation, want policy.EventData, allowed Verdict, f detect.Finding, host string) Verdict {
	v := allowed
	f.Weak = want != policy.EventDataRefuse
	if !f.Weak {
		v = g.outcome(Refuse, f.RuleID, f.Signature, false)
	}
	if !m.tell(f.RuleID, host) {
		return v
	}
	r := g.finding(record.Attack, v, &f)
	r.ID, r.RequestID, r.IDSType = record.NewID(), inv.RequestID, "application" // the connection's record has the incident's id
	if inv.Source != nil {
		r.EventSource = inv.Source.Name
	}
	r.SetEvent(inv.Event, &f)
	g.Report(r)
	return v
}
