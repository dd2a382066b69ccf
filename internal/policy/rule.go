package policy

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"gatehouse/internal/detect"
)

// rule is one entry of egress.rules. Empty conditions hold always.
type rule struct {
	hosts   []hostPattern
	ports   []portRange
	methods []string // upper case
	paths   []string // exact, or a prefix that ends in *
	phases  []string
	sources []string
	reason  string // the rule's own, or the rule as written
}

type portRange struct{ from, to int }

// outcome is what one rule says of one target.
type outcome uint8

const (
	no           outcome = iota
	unverifiable         // everything that can be seen matches; method or path cannot be seen
	yes
)

// asked is a target as the rules see it.
type asked struct {
	name          name
	resolved      netip.Addr // invalid before the name is resolved
	port          int
	method        string // "" when the request is not visible
	paths         [2]string
	pathOK        bool
	phase, source string
	region        string
}

// Host applies the host rules to t in the given phase and for the given event
// source ("" when unknown). Precedence: deny over allow over default. A server
// name other than the host asked for must be allowed as well.
func (p *Policy) Host(t detect.Target, phase, source string) Decision {
	a := asked{name: nameOf(t.Host), port: t.Port, method: t.Method, phase: phase, source: source, region: p.Region}
	if !p.file.denyByDefault && !p.file.denyInit && len(p.file.deny) == 0 && len(p.file.allow) == 0 {
		return p.listed(Decision{Allow: true, Rule: "egress.default"}, a.name.text, phase)
	}
	a.resolved = nameOf(t.IP).addr
	a.paths, a.pathOK = readings(t.Path)
	d := p.decide(&a)
	sni := nameOf(t.SNI)
	if !d.Allow && !d.Undecided || t.SNI == "" || sni.text == a.name.text {
		return d
	}
	a.name = sni
	s := p.decide(&a)
	s.Unverifiable = max(s.Unverifiable, d.Unverifiable)
	if !s.Allow && !s.Undecided {
		s.Reason = fmt.Sprintf("server name %q: %s", sni.text, s.Reason)
		return s
	}
	if d.Allow {
		return s
	}
	d.Unverifiable = s.Unverifiable
	return d
}

// decide applies the rules, and to what none of them names the built-in lists.
func (p *Policy) decide(a *asked) Decision {
	d := p.file.decide(a)
	if d.Rule == "egress.rule" || d.Undecided {
		return d
	}
	return p.listed(d, a.name.text, a.phase)
}

func (f *file) decide(a *asked) Decision {
	var d Decision
	for i := range f.deny {
		switch r := &f.deny[i]; r.denies(a) {
		case yes:
			return Decision{Rule: "egress.rule", Reason: r.reason, Unverifiable: d.Unverifiable}
		case unverifiable:
			d.Unverifiable++
		}
	}
	for i := range f.allow {
		switch r := &f.allow[i]; r.allows(a) {
		case yes:
			return Decision{Allow: true, Rule: "egress.rule", Reason: r.reason, Unverifiable: d.Unverifiable}
		case unverifiable:
			d.Unverifiable++
			if !d.Undecided {
				d.Undecided, d.Rule, d.Reason = true, "egress.unverifiable", r.reason
			}
		}
	}
	initial := f.denyInit && !f.denyByDefault && a.phase == "init"
	if !f.denyByDefault && !initial {
		return Decision{Allow: true, Rule: "egress.default", Unverifiable: d.Unverifiable, hoped: d.Undecided}
	}
	if !d.Undecided {
		d.Rule, d.Reason = "egress.default", "no rule allows it"
		if initial {
			d.Reason += " while the function initializes"
		}
	}
	return d
}

// denies judges a by the more suspicious reading: the address that a name
// resolved to counts, and so does either reading of the path.
func (r *rule) denies(a *asked) outcome {
	host := r.host(a, true)
	if a.resolved.IsValid() && matchAny(r.hosts, name{addr: a.resolved}, a.region) {
		host = yes
	}
	if host == no || !r.around(a) {
		return no
	}
	return min(host, r.request(a, r.path(a.paths[0]) || a.pathOK && r.path(a.paths[1])))
}

// allows judges a by what was asked for alone, and wants every reading of the
// path to match.
func (r *rule) allows(a *asked) outcome {
	host := r.host(a, false)
	if host == no || !r.around(a) {
		return no
	}
	return min(host, r.request(a, len(r.paths) == 0 || a.pathOK && r.path(a.paths[0]) && r.path(a.paths[1])))
}

// host says whether one of the rule's hosts is a's. A tenant of a host that many share
// is told by the path, of which either reading will do for a suspicion.
func (r *rule) host(a *asked, suspicious bool) (best outcome) {
	for _, h := range r.hosts {
		if h.tenant.service == "" {
			if h.match(a.name, a.region) {
				return yes
			}
			continue
		}
		visible := a.method != ""
		one, other := h.tenant.judge(a.name.text, a.paths[0], a.region, visible), h.tenant.judge(a.name.text, a.paths[1], a.region, visible)
		if suspicious {
			best = max(best, one, other)
		} else {
			best = max(best, min(one, other))
		}
		if best == yes {
			return yes
		}
	}
	return best
}

// around reports whether the conditions on what is always known hold.
func (r *rule) around(a *asked) bool {
	port := len(r.ports) == 0 || slices.ContainsFunc(r.ports, func(p portRange) bool { return p.from <= a.port && a.port <= p.to })
	return port &&
		(len(r.phases) == 0 || slices.Contains(r.phases, a.phase)) &&
		(len(r.sources) == 0 || slices.Contains(r.sources, a.source))
}

// request reports whether the conditions on the request hold, given whether
// those on its path do.
func (r *rule) request(a *asked, path bool) outcome {
	if len(r.methods) == 0 && len(r.paths) == 0 {
		return yes
	}
	if a.method == "" {
		return unverifiable
	}
	if path && (len(r.methods) == 0 || slices.Contains(r.methods, strings.ToUpper(a.method))) {
		return yes
	}
	return no
}

// path reports whether one reading of a path matches.
func (r *rule) path(p string) bool {
	return len(r.paths) == 0 || slices.ContainsFunc(r.paths, func(pattern string) bool {
		if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
			return strings.HasPrefix(p, prefix)
		}
		return p == pattern
	})
}

// readings returns the two ways in which a server may read a request's path,
// without its query: as sent, and with escapes, dots and doubled slashes undone.
// ok is false when the escapes are broken.
func readings(sent string) (both [2]string, ok bool) {
	sent, _, _ = strings.Cut(sent, "?")
	sent, _, _ = strings.Cut(sent, "#")
	plain, err := url.PathUnescape(sent)
	if err != nil {
		return [2]string{sent, sent}, false
	}
	return [2]string{sent, clean(plain)}, true
}

// clean is path.Clean that keeps a trailing slash.
func clean(p string) string {
	p = strings.ReplaceAll(p, `\`, "/")
	c := path.Clean(p)
	if strings.HasSuffix(p, "/") && c != "/" {
		return c + "/"
	}
	return c
}
