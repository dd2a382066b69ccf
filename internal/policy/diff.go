package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Change is one thing in which two policies differ.
type Change struct {
	// Wider is set where the newer policy lets more happen.
	Wider bool   `json:"wider"`
	What  string `json:"what"`
}

// Diff says what changed from old to new, the wider changes first.
func Diff(old, now *Policy) []Change {
	var d diff
	d.modes(old, now)
	d.rules(old, now)
	d.secrets(old, now)
	d.exceptions(old, now)
	slices.SortStableFunc(d.list, func(a, b Change) int {
		switch {
		case a.Wider == b.Wider:
			return 0
		case a.Wider:
			return -1
		}
		return 1
	})
	return d.list
}

type diff struct{ list []Change }

func (d *diff) add(wider bool, format string, args ...any) {
	d.list = append(d.list, Change{wider, fmt.Sprintf(format, args...)})
}

// step notes a setting whose values are in order, the strictest last.
func step[T comparable](d *diff, name string, old, now T, order ...T) {
	if old != now {
		d.add(slices.Index(order, now) < slices.Index(order, old), "%s: %v, was %v", name, now, old)
	}
}

func (d *diff) modes(old, now *Policy) {
	step(d, "mode", old.Mode, now.Mode, Monitor, Enforce)
	step(d, "events.profile", old.Profile, now.Profile, ProfileDetect, ProfileBlock)
	step(d, "events.on_budget closed", old.OnBudgetClosed, now.OnBudgetClosed, false, true)
	step(d, "egress.default deny", old.file.denyByDefault, now.file.denyByDefault, false, true)
	step(d, "egress.private_addresses deny", old.DenyPrivate, now.DenyPrivate, false, true)
	step(d, "egress.inspect.tls", old.InspectTLS, now.InspectTLS, false, true)
	step(d, "egress.builtin_lists.tier1", old.TierOne, now.TierOne, ListAllow, ListMonitor, ListRefuse)
	step(d, "egress.builtin_lists.tier2", old.TierTwo, now.TierTwo, ListAllow, ListMonitor, ListRefuse)
	step(d, "egress lookalikes", old.Lookalikes, now.Lookalikes, ListAllow, ListMonitor, ListRefuse)
	step(d, "egress.event_data.host", old.HostFromEvent, now.HostFromEvent, EventDataAllow, EventDataMonitor, EventDataRefuse)
	step(d, "egress.event_data.request", old.EventData, now.EventData, EventDataAllow, EventDataMonitor, EventDataRefuse)
	step(d, "secrets.on_leak", old.OnLeak, now.OnLeak, LeakMonitor, LeakBlock, LeakHalt)
	step(d, "responses.action", old.Responses, now.Responses, ResponseMonitor, ResponseMask, ResponseRefuse)
}

// rules compares what hosts may be reached, and how.
func (d *diff) rules(old, now *Policy) {
	before, after := byHost(old.file.allow), byHost(now.file.allow)
	for _, host := range slices.Sorted(maps.Keys(after)) {
		switch was, known := before[host]; {
		case !known:
			d.add(true, "new host since the last deploy: %s (%s)", host, strings.Join(after[host], "; "))
		case !slices.Equal(was, after[host]):
			d.add(!narrower(after[host], was), "%s: %s; was %s", host, strings.Join(after[host], "; "), strings.Join(was, "; "))
		}
	}
	for _, host := range slices.Sorted(maps.Keys(before)) {
		if _, still := after[host]; !still {
			d.add(false, "host no longer allowed: %s", host)
		}
	}
	before, after = byHost(old.file.deny), byHost(now.file.deny)
	for _, host := range slices.Sorted(maps.Keys(before)) {
		if !slices.Equal(before[host], after[host]) {
			d.add(true, "no longer denied as it was: %s (%s)", host, strings.Join(before[host], "; "))
		}
	}
	for _, host := range slices.Sorted(maps.Keys(after)) {
		if _, was := before[host]; !was {
			d.add(false, "now denied: %s (%s)", host, strings.Join(after[host], "; "))
		}
	}
	d.patterns("not inspected: ", old.file.bypass, now.file.bypass)
	d.patterns("event data may go to ", old.file.eventDataHosts, now.file.eventDataHosts)
	for _, host := range slices.Sorted(maps.Keys(now.file.hosts)) {
		if old.file.hosts[host] != now.file.hosts[host] {
			d.add(true, "%s is dialled at %s", host, now.file.hosts[host].ip)
		}
	}
}

// narrower reports whether each of a's ways was one of b's.
func narrower(a, b []string) bool {
	return !slices.ContainsFunc(a, func(way string) bool { return !slices.Contains(b, way) })
}

// byHost lists, for each host that rules name, on which conditions.
func byHost(rules []rule) map[string][]string {
	list := map[string][]string{}
	for i := range rules {
		for _, h := range rules[i].hosts {
			list[h.String()] = append(list[h.String()], rules[i].conditions())
		}
	}
	for host := range list {
		slices.Sort(list[host])
	}
	return list
}

// conditions writes what a rule asks for beside the host.
func (r *rule) conditions() string {
	var ports, words []string
	for _, p := range r.ports {
		text := strconv.Itoa(p.from)
		if p.to != p.from {
			text += "-" + strconv.Itoa(p.to)
		}
		ports = append(ports, text)
	}
	for _, c := range []struct {
		name   string
		values []string
	}{{"ports", ports}, {"methods", r.methods}, {"paths", r.paths}, {"phases", r.phases}, {"sources", r.sources}} {
		if len(c.values) > 0 {
			values := slices.Sorted(slices.Values(c.values))
			words = append(words, c.name+" "+strings.Join(values, ", "))
		}
	}
	if len(words) == 0 {
		return "always"
	}
	return strings.Join(words, ", ")
}

// String writes h as a policy does.
func (h hostPattern) String() string {
	switch {
	case h.any:
		return "*"
	case h.aws:
		return "aws:self"
	case h.exact != "":
		return h.exact
	case h.suffix != "":
		return "*" + h.suffix
	case h.net.IsValid() && h.net.IsSingleIP():
		return h.net.Addr().String()
	case h.net.IsValid():
		return h.net.String()
	}
	for _, known := range tenantServices {
		if known.service == h.tenant.service {
			return known.written + h.tenant.id + strings.Repeat("*", map[bool]int{true: 1}[h.tenant.prefix])
		}
	}
	return ""
}

func (d *diff) patterns(what string, old, now []hostPattern) {
	before, after := map[string]bool{}, map[string]bool{}
	for _, h := range old {
		before[h.String()] = true
	}
	for _, h := range now {
		after[h.String()] = true
	}
	d.sets(what, before, after)
}

// sets notes what is in one set alone; more is wider.
func (d *diff) sets(what string, before, after map[string]bool) {
	for _, x := range slices.Sorted(maps.Keys(after)) {
		if !before[x] {
			d.add(true, "%s%s", what, x)
		}
	}
	for _, x := range slices.Sorted(maps.Keys(before)) {
		if !after[x] {
			d.add(false, "no longer %s%s", what, x)
		}
	}
}

func (d *diff) secrets(old, now *Policy) {
	pairs := func(p *Policy) map[string]bool {
		set := map[string]bool{}
		for name, hosts := range p.file.secretHosts {
			for _, h := range hosts {
				set[name+" may go to "+h.String()] = true
			}
		}
		return set
	}
	d.sets("", pairs(old), pairs(now))
	accounts := func(p *Policy) map[string]bool {
		set := map[string]bool{}
		for _, a := range p.file.accounts {
			set[a] = true
		}
		return set
	}
	d.sets("keys of account ", accounts(old), accounts(now))
	for _, name := range slices.Sorted(maps.Keys(now.file.secrets)) {
		was, listed := old.file.secrets[name]
		if watch := now.file.secrets[name]; !listed || was != watch {
			d.add(!watch, "secret %s: %s", name, map[bool]string{true: "watched", false: "ignored"}[watch])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old.file.secrets)) {
		if _, still := now.file.secrets[name]; !still {
			d.add(old.file.secrets[name], "secret %s: no longer listed", name)
		}
	}
}

func (d *diff) exceptions(old, now *Policy) {
	list := func(p *Policy) map[string]bool {
		set := map[string]bool{}
		for i := range p.file.exceptions {
			e := &p.file.exceptions[i]
			text := e.String()
			if e.source != "" {
				text += " from " + e.source
			}
			if !e.until.IsZero() {
				text += " until " + e.until.Format(time.DateOnly)
			}
			set[text] = true
		}
		return set
	}
	d.sets("exception ", list(old), list(now))
}
