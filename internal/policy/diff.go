package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/detect"
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
	d.refusals(old.file.refuse, now.file.refuse)
	d.rules(old, now)
	d.secrets(old, now)
	d.exceptions(old, now)
	d.masks(old.Records.Masks, now.Records.Masks)
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
	if !old.file.denyByDefault && !now.file.denyByDefault {
		step(d, "egress.init deny", old.file.denyInit, now.file.denyInit, false, true)
	}
	step(d, "egress.private_addresses deny", old.DenyPrivate, now.DenyPrivate, false, true)
	step(d, "egress.inspect.tls", old.InspectTLS, now.InspectTLS, false, true)
	step(d, "egress.inspect.snapstart", old.InspectSnapStart, now.InspectSnapStart, false, true)
	step(d, "egress.builtin_lists.tier1", old.TierOne, now.TierOne, ListAllow, ListMonitor, ListRefuse)
	step(d, "egress.builtin_lists.tier2", old.TierTwo, now.TierTwo, ListAllow, ListMonitor, ListRefuse)
	step(d, "egress lookalikes", old.Lookalikes, now.Lookalikes, ListAllow, ListMonitor, ListRefuse)
	step(d, "egress.event_data.host", old.HostFromEvent, now.HostFromEvent, EventDataAllow, EventDataMonitor, EventDataRefuse)
	step(d, "egress.event_data.request", old.EventData, now.EventData, EventDataAllow, EventDataMonitor, EventDataRefuse)
	step(d, "secrets.on_budget closed", old.UninspectedClosed, now.UninspectedClosed, false, true)
	step(d, "secrets.on_leak", old.OnLeak, now.OnLeak, LeakMonitor, LeakBlock, LeakHalt)
	step(d, "records.logs", !old.Records.NoLogs, !now.Records.NoLogs, false, true)
	step(d, "records.level", old.Records.Level, now.Records.Level, LevelFatal, LevelError, LevelWarn, LevelInfo, LevelDebug, LevelTrace, LevelNone)
	if before, after := old.Records.Sample, now.Records.Sample; before != after {
		d.add(after < before, "records.sample: %v, was %v", after, before)
	}
	step(d, "records.event none", old.Records.NoEvent, now.Records.NoEvent, true, false)
	step(d, "records.masks.defaults", old.Records.Masks.Defaults, now.Records.Masks.Defaults, false, true)
	step(d, "responses.action", old.Responses, now.Responses, ResponseMonitor, ResponseMask, ResponseRefuse)
}

// masks compares what is hidden in records.
func (d *diff) masks(old, now Masks) {
	for _, l := range [...]struct {
		name     string
		old, now []string
	}{{"path", old.Paths, now.Paths}, {"header", old.Headers, now.Headers}, {"pattern", old.Patterns, now.Patterns}} {
		for _, m := range l.old {
			if !slices.Contains(l.now, m) {
				d.add(true, "records: the %s %q is no longer masked", l.name, m)
			}
		}
		for _, m := range l.now {
			if !slices.Contains(l.old, m) {
				d.add(false, "records: the %s %q is masked", l.name, m)
			}
		}
	}
}

// rules compares what hosts may be reached, and how.
func (d *diff) rules(old, now *Policy) {
	d.allows(&old.file, &now.file)
	d.denies(&old.file, &now.file)
	d.patterns("not inspected: ", old.file.bypass, now.file.bypass)
	d.patterns("event data may go to ", old.file.eventDataHosts, now.file.eventDataHosts)
	for _, host := range slices.Sorted(maps.Keys(now.file.hosts)) {
		if was, is := old.file.hosts[host], now.file.hosts[host]; was != is {
			d.add(true, "%s is dialled at %s", host, is)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(old.file.hosts)) {
		if _, is := now.file.hosts[host]; !is {
			d.add(true, "%s is dialled where a resolver says, was %s", host, old.file.hosts[host])
		}
	}
}

// refusals compares in which form events are refused: one that is delivered all the same
// is not.
func (d *diff) refusals(old, now map[string]detect.Form) {
	word := func(forms map[string]detect.Form, source string) string {
		if form, ok := forms[source]; ok {
			return detect.Forms[form]
		}
		return "the source's own"
	}
	both := maps.Clone(old)
	if both == nil {
		both = map[string]detect.Form{}
	}
	maps.Copy(both, now)
	for _, source := range slices.Sorted(maps.Keys(both)) {
		if was, is := word(old, source), word(now, source); was != is {
			d.add(is == detect.Forms[detect.FormDeliver], "events.refuse %s: %s, was %s", source, is, was)
		}
	}
}

// allows compares the allow rules. Where all was allowed by default, one that is new
// lets more happen only for hosts of the built-in lists, over which it wins.
func (d *diff) allows(old, now *file) {
	before, after := byHost(old.allow), byHost(now.allow)
	for _, host := range slices.Sorted(maps.Keys(after)) {
		to, was := after[host], before[host]
		wider := (old.denyByDefault || old.denyInit && to.in("init") || to.host.mayBeListed()) && !to.coveredBy(old.allow)
		switch {
		case was == nil && wider:
			d.add(true, "new host since the last deploy: %s (%s)", host, to)
		case was == nil:
			d.add(false, "%s (%s), of what was allowed", host, to)
		case was.String() != to.String():
			d.add(wider, "%s: %s; was %s", host, to, was)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(before)) {
		if after[host] == nil && (now.denyByDefault || now.denyInit && before[host].in("init")) && !before[host].coveredBy(now.allow) {
			d.add(false, "host no longer allowed: %s", host)
		}
	}
}

// denies compares the deny rules. Where all is denied by default, one that is gone lets
// more happen only where an allow rule may reach what it denied.
func (d *diff) denies(old, now *file) {
	before, after := byHost(old.deny), byHost(now.deny)
	for _, host := range slices.Sorted(maps.Keys(before)) {
		was, is := before[host], after[host]
		reachable := !now.denyByDefault || slices.ContainsFunc(now.allow, func(r rule) bool {
			return slices.ContainsFunc(r.hosts, was.host.mayMeet)
		})
		switch {
		case is != nil && is.String() == was.String():
		case !was.coveredBy(now.deny):
			d.add(reachable, "no longer denied as it was: %s (%s)", host, was)
		case is != nil:
			d.add(false, "%s: denied %s; was %s", host, is, was)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(after)) {
		if before[host] == nil {
			d.add(false, "now denied: %s (%s)", host, after[host])
		}
	}
}

// named are the rules that name one host in the same words.
type named struct {
	host  hostPattern
	rules []*rule
}

// byHost sorts rules by the hosts that they name.
func byHost(rules []rule) map[string]*named {
	list := map[string]*named{}
	for i := range rules {
		for _, h := range rules[i].hosts {
			name := h.String()
			if list[name] == nil {
				list[name] = &named{host: h}
			}
			list[name].rules = append(list[name].rules, &rules[i])
		}
	}
	return list
}

// coveredBy reports whether rules hold for all that n's do.
func (n *named) coveredBy(rules []rule) bool {
	return !slices.ContainsFunc(n.rules, func(r *rule) bool {
		return !r.every(n.host, func(w way) bool { return w.coveredBy(rules) })
	})
}

// in reports whether one of n's rules may hold in phase.
func (n *named) in(phase string) bool {
	return slices.ContainsFunc(n.rules, func(r *rule) bool { return holds(r.phases, phase) })
}

// String says on which conditions n's rules hold.
func (n *named) String() string {
	var list []string
	for _, r := range n.rules {
		list = append(list, r.conditions())
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), "; ")
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

// patterns notes which patterns are in one list alone; one more is wider unless
// another covered it.
func (d *diff) patterns(what string, old, now []hostPattern) {
	written := func(list []hostPattern, but []hostPattern) map[string]hostPattern {
		set := map[string]hostPattern{}
		for _, h := range list {
			if !slices.Contains(but, h) {
				set[h.String()] = h
			}
		}
		return set
	}
	more, less := written(now, old), written(old, now)
	for _, name := range slices.Sorted(maps.Keys(more)) {
		covered := slices.ContainsFunc(old, func(h hostPattern) bool { return h.covers(more[name]) })
		d.add(!covered, "%s%s", what, name)
	}
	for _, name := range slices.Sorted(maps.Keys(less)) {
		d.add(false, "no longer %s%s", what, name)
	}
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
	names := maps.Clone(old.file.secretHosts)
	if names == nil {
		names = map[string][]hostPattern{}
	}
	maps.Copy(names, now.file.secretHosts)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d.patterns(name+" may go to ", old.file.secretHosts[name], now.file.secretHosts[name])
	}
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

// exceptions compares what passes although a rule finds it, and until when.
func (d *diff) exceptions(old, now *Policy) {
	before, after := excepted(old.file.exceptions), excepted(now.file.exceptions)
	for _, what := range slices.Sorted(maps.Keys(after)) {
		switch was, known := before[what]; {
		case !known:
			d.add(true, "exception %s%s", what, ending(after[what]))
		case !was.Equal(after[what]):
			later := !was.IsZero() && (after[what].IsZero() || after[what].After(was))
			d.add(later, "exception %s%s; was%s", what, ending(after[what]), cmp.Or(ending(was), " without end"))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(before)) {
		if _, still := after[what]; !still {
			d.add(false, "no longer exception %s", what)
		}
	}
}

// excepted says until when each exception holds; zero is for ever.
func excepted(list []exception) map[string]time.Time {
	set := map[string]time.Time{}
	for i := range list {
		e := &list[i]
		text := e.String()
		if e.source != "" {
			text += " from " + e.source
		}
		if last, twice := set[text]; !twice || !last.IsZero() && (e.until.IsZero() || e.until.After(last)) {
			set[text] = e.until
		}
	}
	return set
}

func ending(until time.Time) string {
	if until.IsZero() {
		return ""
	}
	return " until " + until.Format(time.DateOnly)
}
