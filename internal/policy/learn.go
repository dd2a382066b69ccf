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
	tls             bool // some of them decrypted, and not plain HTTP
	odd             bool // a path that no rule can name
	cut             bool // more requests than a record lists
	first           time.Time
}

// maxListed is how many requests a record lists at most.
const maxListed = 64

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
	case !oneHost(r.Dest):
		l.skip(fmt.Sprintf("not the name of one host: %.100q", r.Dest))
	case r.DestPort < 1 || r.DestPort > 65535:
		l.skip("no port: " + r.Dest)
	case r.Phase != "" && !slices.Contains(allPhases[:], r.Phase):
		l.skip("a phase that there is not: " + r.Dest)
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

// oneHost reports whether a rule for host is one for host alone. What a record says was
// asked for by the function, which may be somebody else's by now: "*" is no host.
func oneHost(host string) bool {
	h, err := parseHost(host)
	return err == nil && (h.exact != "" || h.net.IsValid() && h.net.IsSingleIP() && !strings.Contains(host, "/"))
}

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
		method, err := parseMethod(q.Method)
		host := hostFor(r.Dest, path, r.Region)
		if _, bad := parseHost(host); err != nil || bad != nil || strings.HasSuffix(host, "*") {
			l.skip("a request with a method or a bucket that no rule can name: " + r.Dest)
			continue
		}
		at := l.at(host, r)
		at.methods[method] = true
		at.tls = at.tls || u.Scheme == "https"
		at.cut = at.cut || len(r.Requests) >= maxListed
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
	one.names[canonical(r.Dest)], one.ports[r.DestPort] = true, true
	if r.Phase != "" {
		one.phases[r.Phase] = true
	}
	if of(strings.ToLower(r.FunctionVersion), "$") {
		one.versions[r.FunctionVersion] = true
	}
	if r.Time.Before(one.first) {
		one.first = r.Time
	}
	return one
}

// hostFor is how a rule names host: by its tenant where many share it and path tells.
func hostFor(host, path, region string) string {
	host = canonical(host)
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
	if r.Object == "" || !oneHost(r.Dest) || r.DLPType != "network" || r.SignatureID != "leak.own-secret" {
		return
	}
	if tier, _ := Exfiltration(r.Dest); tier != TierNone || r.Phase == "init" {
		l.skip("a secret on its way to " + r.Dest)
		return
	}
	if l.pairs[r.Object] == nil {
		l.pairs[r.Object] = map[string]bool{}
	}
	l.pairs[r.Object][canonical(r.Dest)] = true
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

// Changes says what l has reached that before had not, and what it reaches no more.
func (l *Learned) Changes(before *Learned) (list []Change) {
	for _, host := range l.Hosts() {
		was, is := before.reached[host], l.reached[host]
		if was == nil {
			list = append(list, Change{Wider: true, What: "new host since the last deploy: " + l.Describe(host)})
			continue
		}
		for _, c := range []struct{ what, values string }{
			{"ports", joined(beyond(is.ports, was.ports))}, {"phases", joined(beyond(is.phases, was.phases))},
			{"methods", joined(beyond(is.methods, was.methods))}, {"paths", joined(beyond(is.paths, was.paths))},
		} {
			if c.values != "" {
				list = append(list, Change{Wider: true, What: host + ": new " + c.what + " " + c.values})
			}
		}
	}
	for _, host := range before.Hosts() {
		if l.reached[host] == nil {
			list = append(list, Change{What: "no longer reached: " + before.Describe(host)})
		}
	}
	return list
}

// beyond returns what now has and old has not.
func beyond[K comparable](now, old map[K]bool) map[K]bool {
	more := maps.Clone(now)
	maps.DeleteFunc(more, func(k K, _ bool) bool { return old[k] })
	return more
}

// Pairs says which secrets went to which hosts, and were recorded for it.
func (l *Learned) Pairs() []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(l.pairs)) {
		list = append(list, fmt.Sprintf("%.100q → %s", name, joined(l.pairs[name])))
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
		b.WriteString("  inspect: {tls: true")
		if hosts := l.bypassed(); len(hosts) > 0 {
			fmt.Fprintf(&b, ", bypass: [%s]", quoted(hosts))
		}
		b.WriteString("}\n")
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
		if one.tls && !one.unseen {
			return true
		}
	}
	return false
}

// bypassed are the hosts whose TLS was never decrypted, though others' was: their clients
// may be pinned.
func (l *Learned) bypassed() map[string]bool {
	hosts := map[string]bool{}
	for name, one := range l.reached {
		if one.unseen && len(one.methods) == 0 && !strings.ContainsAny(name, ":/") {
			hosts[name] = true
		}
	}
	return hosts
}

func (o *reached) write(b *strings.Builder) {
	fmt.Fprintf(b, "    # %d connections since %s", o.seen, o.first.UTC().Format(time.DateOnly))
	if len(o.versions) > 0 {
		fmt.Fprintf(b, ", versions %s", joined(o.versions))
	}
	if len(o.names) > 1 || !o.names[o.host] {
		fmt.Fprintf(b, "; %s", joined(o.names))
	}
	for _, note := range o.notes() {
		b.WriteString("\n    # " + note)
	}
	fmt.Fprintf(b, "\n    - allow: %q\n      ports: [%s]\n", o.host, joined(o.ports))
	if phases := o.phaseList(); phases != "" {
		fmt.Fprintf(b, "      phases: [%s]\n", phases)
	}
	if o.unseen { // a condition on what cannot be seen would not allow
		return
	}
	fmt.Fprintf(b, "      methods: [%s]\n", quoted(o.methods))
	if !o.odd && len(o.paths) <= maxPrefixes {
		fmt.Fprintf(b, "      paths: [%s]\n", quoted(o.paths))
	}
}

// notes are what a person should look at.
func (o *reached) notes() (list []string) {
	for _, n := range []struct {
		holds bool
		text  string
	}{
		{len(o.phases) == 1 && o.phases["init"], "Only while the function initializes: does it have to?"},
		{anyBucket(o.host), "Which buckets was not seen: this allows all of them, other people's as well."},
		{!o.unseen && o.odd, "A path that no rule can name was asked for: this allows all paths."},
		{!o.unseen && !o.odd && len(o.paths) > maxPrefixes, "Too many beginnings of paths: this allows all of them."},
		{o.cut, "There were more requests than the records list: methods and paths may be missing."},
	} {
		if n.holds {
			list = append(list, n.text)
		}
	}
	return list
}

// anyBucket reports whether host serves the buckets of everybody.
func anyBucket(host string) bool {
	_, s3 := S3Bucket(host, "", "")
	return s3
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
		fmt.Fprintf(b, "%s    %q: [%s]\n", mark, name, quoted(l.pairs[name]))
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

// Fold replaces n hosts or more that lie directly below one name by all below it, where
// shared does not say that what is below that name belongs to many.
func (l *Learned) Fold(n int, shared func(name string) bool) {
	below := map[string][]string{}
	for host := range l.reached {
		if _, err := netip.ParseAddr(host); err == nil || strings.ContainsAny(host, ":/") {
			continue
		}
		if _, parent, ok := strings.Cut(host, "."); ok && strings.Contains(parent, ".") && !shared(parent) && !listedBelow("."+parent) {
			below[parent] = append(below[parent], host)
		}
	}
	for _, parent := range slices.Sorted(maps.Keys(below)) {
		if hosts := below[parent]; len(hosts) >= n && n > 0 {
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
		all.unseen, all.odd, all.cut, all.tls = all.unseen || one.unseen, all.odd || one.odd, all.cut || one.cut, all.tls || one.tls
		if one.first.Before(all.first) {
			all.first = one.first
		}
	}
	all.host = into
	l.reached[into] = all
}
