package policy

import (
	"slices"
	"strings"
)

// way is one combination of what a rule asks for. "" is any method, path or source, and
// the zero port any port.
type way struct {
	host                        hostPattern
	port                        portRange
	method, path, phase, source string
}

// allPhases are the phases that a rule without any holds in.
var allPhases = [...]string{"init", "invoke", "after_response", "shutdown"}

// every reports whether all of r's ways to host are such as ok wants them.
func (r *rule) every(host hostPattern, ok func(way) bool) bool {
	ports, phases := r.ports, r.phases
	if len(ports) == 0 {
		ports = []portRange{{}}
	}
	if len(phases) == 0 {
		phases = allPhases[:]
	}
	for _, port := range ports {
		for _, phase := range phases {
			for _, method := range orAny(r.methods) {
				for _, path := range orAny(r.paths) {
					for _, source := range orAny(r.sources) {
						if !ok(way{host, port, method, path, phase, source}) {
							return false
						}
					}
				}
			}
		}
	}
	return true
}

func orAny(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}

// coveredBy reports whether one of rules holds for all of w. It errs on the side of no:
// what only several rules together cover is not covered.
func (w way) coveredBy(rules []rule) bool {
	return slices.ContainsFunc(rules, func(r rule) bool {
		return slices.ContainsFunc(r.hosts, func(h hostPattern) bool { return h.covers(w.host) }) && r.coversRest(w)
	})
}

func (r *rule) coversRest(w way) bool {
	port := len(r.ports) == 0 || w.port != portRange{} && slices.ContainsFunc(r.ports, func(p portRange) bool {
		return p.from <= w.port.from && w.port.to <= p.to
	})
	return port && holds(r.phases, w.phase) && holds(r.methods, w.method) && holds(r.sources, w.source) &&
		(len(r.paths) == 0 || slices.ContainsFunc(r.paths, func(p string) bool { return coversPath(p, w.path) }))
}

func holds(list []string, one string) bool { return len(list) == 0 || slices.Contains(list, one) }

// coversPath reports whether pattern takes every path that other, "" for any, does.
func coversPath(pattern, other string) bool {
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		return other != "" && strings.HasPrefix(strings.TrimSuffix(other, "*"), prefix)
	}
	return pattern == other
}

// covers reports whether h names all that other does. Where only the region could tell,
// as with aws:self, it says no.
func (h hostPattern) covers(other hostPattern) bool {
	switch {
	case h.any, h == other:
		return true
	case h.tenant.service != "":
		t := other.tenant
		if t.service == h.tenant.service && h.tenant.service == "slack" && !h.tenant.prefix && !strings.Contains(h.tenant.id, "/") {
			return strings.HasPrefix(t.id, h.tenant.id+"/") // a workspace has its own webhooks
		}
		return t.service == h.tenant.service && h.tenant.prefix && strings.HasPrefix(t.id, h.tenant.id)
	case h.suffix != "":
		return len(other.exact) > len(h.suffix) && strings.HasSuffix(other.exact, h.suffix) || strings.HasSuffix(other.suffix, h.suffix)
	case h.net.IsValid():
		return other.net.IsValid() && h.net.Bits() <= other.net.Bits() && h.net.Contains(other.net.Addr())
	}
	return false
}

// mayMeet reports whether one target may be named by both. It errs on the side of yes:
// only of two names it is known.
func (h hostPattern) mayMeet(other hostPattern) bool {
	named := func(h hostPattern) bool { return h.exact != "" || h.suffix != "" }
	return !named(h) || !named(other) || h.covers(other) || other.covers(h)
}

// mayBeListed reports whether h may name a host of the built-in lists.
func (h hostPattern) mayBeListed() bool {
	switch {
	case h.exact != "":
		tier, _ := Exfiltration(h.exact)
		return tier != TierNone
	case h.suffix != "":
		return listedBelow(h.suffix)
	case h.net.IsValid():
		return slices.ContainsFunc(resolvers[:], func(host string) bool { return h.net.Contains(nameOf(host).addr) })
	}
	return h.any || h.tenant.service == "slack" || h.tenant.service == "discord"
}
