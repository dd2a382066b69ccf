package policy

import (
	"fmt"
	"slices"
	"time"
)

// Warnings says what a policy that can be read hardly means: what has no effect, or not
// the one that it seems to have. rules are the ids of all rules; without any, ids are not
// looked at.
func (p *Policy) Warnings(now time.Time, rules []string) (list []string) {
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, e := range p.Expired(time.Time{}, now) {
		add("the exception %s has expired: what it covered counts again", e)
	}
	list = append(list, p.UnknownRules(rules)...)
	for i := range p.file.allow {
		r := &p.file.allow[i]
		if by := p.file.shadow(r); by != "" {
			add("allow %s: never holds, because of deny %s", r.reason, by)
		}
		if !p.InspectTLS && r.wantsRequest() {
			add("allow %s: needs to see the request, and TLS is not inspected: over TLS it does not allow (egress.unverifiable)", r.reason)
		}
	}
	for i := range p.file.deny {
		if r := &p.file.deny[i]; !p.InspectTLS && r.wantsRequest() {
			add("deny %s: needs to see the request, and TLS is not inspected: over TLS it does not hold", r.reason)
		}
	}
	if !p.file.denyByDefault && !p.file.denyInit && len(p.file.allow) > 0 && len(p.file.deny) == 0 {
		add("egress.default is allow, so the allow rules refuse nothing: set egress.default to deny")
	}
	return list
}

// UnknownRules names the exceptions for rules that are not among rules, and so except
// nothing.
func (p *Policy) UnknownRules(rules []string) (list []string) {
	if len(rules) == 0 {
		return nil
	}
	for i := range p.file.exceptions {
		if e := &p.file.exceptions[i]; !slices.Contains(rules, e.rule) {
			list = append(list, fmt.Sprintf("the exception %s is for a rule that there is not; the nearest is %s", e, Nearest(e.rule, rules)))
		}
	}
	return list
}

// shadow returns the deny rule that takes everything that r allows; "" for none.
func (f *file) shadow(r *rule) string {
	for i := range f.deny {
		d := &f.deny[i]
		if len(d.ports)+len(d.methods)+len(d.paths)+len(d.phases)+len(d.sources) > 0 {
			continue
		}
		covered := func(h hostPattern) bool {
			return slices.ContainsFunc(d.hosts, func(by hostPattern) bool {
				return by.any || by == h || h.exact != "" && by.match(nameOf(h.exact), "")
			})
		}
		if !slices.ContainsFunc(r.hosts, func(h hostPattern) bool { return !covered(h) }) {
			return d.reason
		}
	}
	return ""
}

// wantsRequest reports whether r can be judged only where the request is seen.
func (r *rule) wantsRequest() bool {
	return len(r.methods) > 0 || len(r.paths) > 0 || slices.ContainsFunc(r.hosts, func(h hostPattern) bool {
		return h.tenant.service != "" && h.tenant.service != "s3" && h.tenant.service != "s3account"
	})
}
