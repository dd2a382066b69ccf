package policy

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/record"
)

// Learned is what records say of where a function goes. The zero value has seen
// nothing; Add fills it.
type Learned struct {
	// Function, where it is set, is the only one that counts, and Version the only
	// version of it.
	Function, Version string
	// Since and Until bound what counts; zero does not.
	Since, Until time.Time

	reached map[string]*reached
	pairs   map[string]map[string]bool // secret → hosts that it was seen to go to
	skipped map[string]int             // why → how many records
}

// reached is what is known of one host.
type reached struct {
	host            string // as a rule names it: "api.example", "aws:self"
	names           map[string]bool
	ports           map[int]bool
	methods, phases map[string]bool
	paths           map[string]bool
	versions        map[string]bool
	seen            int  // connections
	unseen          bool // some of them not decrypted
	odd             bool // a path that no rule can name
	first           time.Time
}

// maxPrefixes is how many beginnings of paths a rule names; a host with more of them
// is allowed whatever the path.
const maxPrefixes = 8

// Add takes one record in. What was refused, or would have been, teaches nothing, nor
// does a host of the built-in lists.
func (l *Learned) Add(r *record.Record) {
	if l.Function != "" && r.FunctionName != l.Function || l.Version != "" && r.FunctionVersion != l.Version ||
		!l.Since.IsZero() && r.Time.Before(l.Since) || !l.Until.IsZero() && !r.Time.Before(l.Until) {
		return
	}
	if l.reached == nil {
		l.reached, l.pairs, l.skipped = map[string]*reached{}, map[string]map[string]bool{}, map[string]int{}
	}
	switch r.Kind {
	case record.Connection:
		l.connection(r)
	case record.Leak:
		l.leak(r)
	}
}

func (l *Learned) connection(r *record.Record) {
	tier, what := Exfiltration(r.Dest)
	switch {
	case r.Dest == "":
		l.skip("a request that names no host")
	case r.WouldAction == "blocked":
		l.skip("refused, or would have been: " + r.Dest)
	case tier != TierNone:
		l.skip("on a built-in list (" + what + "): " + r.Dest)
	case strings.HasPrefix(r.Reason, "resolving "):
		l.skip("never resolved: " + r.Dest)
	default:
		l.reach(r)
	}
}

func (l *Learned) skip(why string) { l.skipped[why]++ }

func (l *Learned) reach(r *record.Record) {
	requests := r.Requests
	if len(requests) == 0 && r.URL != "" {
		requests = []record.Hop{{Method: r.HTTPMethod, URL: r.URL}}
	}
	visible := r.Decrypted != nil && *r.Decrypted && len(requests) > 0
	if !visible {
		l.at(hostFor(r.Dest, "", r.Region), r).unseen = true
		return
	}
	for _, q := range requests {
		u, err := url.Parse(q.URL)
		if err != nil {
			l.skip("a URL that cannot be read: " + r.Dest)
			continue
		}
		path := u.EscapedPath()
		at := l.at(hostFor(r.Dest, path, r.Region), r)
		at.methods[strings.ToUpper(q.Method)] = true
		if prefix, ok := prefixOf(path); ok {
			at.paths[prefix] = true
		} else {
			at.odd = true
		}
	}
}

// at returns what is known of host, with r counted in.
func (l *Learned) at(host string, r *record.Record) *reached {
	one := l.reached[host]
	if one == nil {
		one = &reached{
			host: host, first: r.Time, names: map[string]bool{}, ports: map[int]bool{},
			methods: map[string]bool{}, phases: map[string]bool{}, paths: map[string]bool{}, versions: map[string]bool{},
		}
		l.reached[host] = one
	}
	one.seen++
	one.names[r.Dest], one.ports[r.DestPort] = true, true
	if r.Phase != "" {
		one.phases[r.Phase] = true
	}
	if r.FunctionVersion != "" {
		one.versions[r.FunctionVersion] = true
	}
	if r.Time.Before(one.first) {
		one.first = r.Time
	}
	return one
}

// hostFor is how a rule names host: by its tenant where many share it and path tells.
func hostFor(host, path, region string) string {
	if bucket, s3 := S3Bucket(host, path, region); s3 {
		if bucket == "" {
			return host
		}
		return "aws:s3/" + strings.ToLower(bucket)
	}
	if AWSService(host, region) {
		return "aws:self"
	}
	for _, known := range tenantServices[1:] {
		if name := tenantOf(known.service, host); name != nil && path != "" {
			if id := name(strings.Split(strings.TrimPrefix(path, "/"), "/")); id != "" {
				t, ok, err := parseTenant(known.written + strings.ToLower(id))
				if ok && err == nil && t.id != "" {
					return known.written + t.id
				}
			}
		}
	}
	return host
}

// prefixOf is the first part of a path, with * for what follows; ok is false for what
// no rule can name.
func prefixOf(path string) (prefix string, ok bool) {
	first, _, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	prefix = "/" + first
	if more {
		prefix += "/*"
	}
	_, err := parseRequestPath(prefix)
	return prefix, err == nil
}

// leak remembers where a secret went that was seen to go: for a person to look at.
func (l *Learned) leak(r *record.Record) {
	if r.Object == "" || r.Dest == "" || r.DLPType != "network" || r.SignatureID != "leak.own-secret" {
		return
	}
	if tier, _ := Exfiltration(r.Dest); tier != TierNone || r.Phase == "init" {
		l.skip("a secret on its way to " + r.Dest)
		return
	}
	if l.pairs[r.Object] == nil {
		l.pairs[r.Object] = map[string]bool{}
	}
	l.pairs[r.Object][r.Dest] = true
}

// Skipped says what taught nothing, and how often.
func (l *Learned) Skipped() []string {
	var list []string
	for _, why := range slices.Sorted(maps.Keys(l.skipped)) {
		list = append(list, fmt.Sprintf("%d × %s", l.skipped[why], why))
	}
	return list
}

// Hosts are the hosts that were reached, as rules name them.
func (l *Learned) Hosts() []string { return slices.Sorted(maps.Keys(l.reached)) }

// Describe says in words what is known of a host.
func (l *Learned) Describe(host string) string {
	one := l.reached[host]
	if one == nil {
		return host + ": never seen"
	}
	words := []string{fmt.Sprintf("ports %s", joined(one.ports))}
	if len(one.phases) > 0 {
		words = append(words, "phases "+joined(one.phases))
	}
	if len(one.methods) > 0 {
		words = append(words, joined(one.methods))
	}
	return fmt.Sprintf("%s (%s; %d connections since %s)", host, strings.Join(words, ", "), one.seen, one.first.UTC().Format(time.DateOnly))
}

// Pairs says which secrets went to which hosts, and were recorded for it.
func (l *Learned) Pairs() []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(l.pairs)) {
		list = append(list, name+" → "+joined(l.pairs[name]))
	}
	return list
}

// Write returns the policy that allows what was reached and nothing else, in YAML with
// comments. It is the same for the same records. enforce locks it; otherwise it says in
// monitor mode what it would refuse. pairSecrets allows each secret where it went.
func (l *Learned) Write(enforce, pairSecrets bool) string {
	var b strings.Builder
	b.WriteString("# Learned by gatehouse policy learn. Read it before you rely on it.\nversion: 1\n")
	fmt.Fprintf(&b, "mode: %s\n", map[bool]string{true: "enforce", false: "monitor"}[enforce])
	b.WriteString("egress:\n  default: deny\n")
	if l.inspected() {
		b.WriteString("  inspect: {tls: true}\n")
	}
	hosts := l.Hosts()
	if len(hosts) > 0 {
		b.WriteString("  rules:\n")
	}
	for _, host := range hosts {
		l.reached[host].write(&b)
	}
	l.writePairs(&b, pairSecrets)
	return b.String()
}

func (l *Learned) inspected() bool {
	for _, one := range l.reached {
		if !one.unseen {
			return true
		}
	}
	return false
}

func (o *reached) write(b *strings.Builder) {
	fmt.Fprintf(b, "    # %d connections since %s", o.seen, o.first.UTC().Format(time.DateOnly))
	if len(o.versions) > 0 {
		fmt.Fprintf(b, ", versions %s", joined(o.versions))
	}
	if len(o.names) > 1 || !o.names[o.host] {
		fmt.Fprintf(b, "; %s", joined(o.names))
	}
	if len(o.phases) == 1 && o.phases["init"] {
		b.WriteString("; only while the function initializes: does it have to?")
	}
	fmt.Fprintf(b, "\n    - allow: %q\n      ports: [%s]\n", o.host, joined(o.ports))
	if phases := o.phaseList(); phases != "" {
		fmt.Fprintf(b, "      phases: [%s]\n", phases)
	}
	if o.unseen { // a condition on what cannot be seen would not allow
		return
	}
	fmt.Fprintf(b, "      methods: [%s]\n", joined(o.methods))
	if !o.odd && len(o.paths) <= maxPrefixes {
		fmt.Fprintf(b, "      paths: [%s]\n", quoted(o.paths))
	}
}

// phaseList names the phases where not all of them were seen. What goes on after the
// response began before it.
func (o *reached) phaseList() string {
	phases := maps.Clone(o.phases)
	if phases["invoke"] || phases["after_response"] {
		phases["invoke"], phases["after_response"] = true, true
	}
	if len(phases) == 0 || phases["init"] && phases["invoke"] {
		return ""
	}
	return joined(phases)
}

func (l *Learned) writePairs(b *strings.Builder, allow bool) {
	if len(l.pairs) == 0 {
		return
	}
	mark := "# "
	if allow {
		mark = ""
	} else {
		b.WriteString("# Secrets that were seen to go somewhere. Allow what is meant to:\n")
	}
	fmt.Fprintf(b, "%ssecrets:\n%s  hosts:\n", mark, mark)
	for _, name := range slices.Sorted(maps.Keys(l.pairs)) {
		fmt.Fprintf(b, "%s    %s: [%s]\n", mark, name, quoted(l.pairs[name]))
	}
}

func joined[K cmp.Ordered](set map[K]bool) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(set)) {
		list = append(list, fmt.Sprint(k))
	}
	return strings.Join(list, ", ")
}

func quoted(set map[string]bool) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(set)) {
		list = append(list, fmt.Sprintf("%q", k))
	}
	return strings.Join(list, ", ")
}

// Fold replaces n hosts or more that lie directly below one name by all below it. A
// name of two labels is never one: whose it is below them, nobody knows.
func (l *Learned) Fold(n int) {
	below := map[string][]string{}
	for host := range l.reached {
		if _, err := netip.ParseAddr(host); err == nil || strings.ContainsAny(host, ":/") {
			continue
		}
		if _, parent, ok := strings.Cut(host, "."); ok && strings.Count(parent, ".") >= 2 {
			below[parent] = append(below[parent], host)
		}
	}
	for parent, hosts := range below {
		if len(hosts) >= n && n > 0 {
			l.merge("*."+parent, hosts)
		}
	}
}

func (l *Learned) merge(into string, hosts []string) {
	slices.Sort(hosts)
	all := l.reached[hosts[0]]
	for _, host := range hosts {
		one := l.reached[host]
		delete(l.reached, host)
		if one == all {
			continue
		}
		for _, sets := range [][2]map[string]bool{{all.names, one.names}, {all.methods, one.methods}, {all.phases, one.phases}, {all.paths, one.paths}, {all.versions, one.versions}} {
			maps.Copy(sets[0], sets[1])
		}
		maps.Copy(all.ports, one.ports)
		all.seen += one.seen
		all.unseen, all.odd = all.unseen || one.unseen, all.odd || one.odd
		if one.first.Before(all.first) {
			all.first = one.first
		}
	}
	all.host = into
	l.reached[into] = all
}
