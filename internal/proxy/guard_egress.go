package proxy

import (
	"net/netip"
	"strings"
	"sync"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// host applies the policy's host rules, and looks at what the event says.
func (g *Guard) host(t detect.Target) Verdict {
	v := g.name(t)
	if v.Would.Blocks() {
		return v
	}
	return g.fromEvent(t, v)
}

// name applies the policy's host rules, built-in lists and lookalikes to t's host.
func (g *Guard) name(t detect.Target) Verdict {
	d := g.decision(t)
	v := Verdict{Action: Allow, Would: Allow, Rule: d.Rule, Reason: d.Reason}
	if !d.Allow {
		v = g.outcome(Refuse, d.Rule, refusalFor(d), false)
	}
	v.Unverifiable = d.Unverifiable
	if d.Listed != "" {
		g.listed(t, d, v)
	}
	if !d.Allow {
		return v
	}
	return g.lookalike(t, v)
}

// lookalike judges a host that no rule names by what it looks like.
func (g *Guard) lookalike(t detect.Target, allowed Verdict) Verdict {
	p := g.Policy()
	if p.Lookalikes == policy.ListAllow || allowed.Rule == "egress.rule" || t.Mapped {
		return allowed
	}
	of := g.looksOf(p).like(t.Host)
	if of == "" {
		return allowed
	}
	v := allowed
	if p.Lookalikes == policy.ListRefuse {
		v = g.outcome(Refuse, "egress.lookalike-host", "looks like "+of, false)
	}
	g.listed(t, policy.Decision{Listed: "egress.lookalike-host", ListReason: "host that looks like " + of}, v)
	return v
}

// compiled are the looks of one policy, and what they said of the last hosts.
type compiled struct {
	policy *policy.Policy
	looks  *policy.Looks
	mu     sync.Mutex
	of     map[string]string // at most maxToldHosts
}

// like is what host looks like, kept for the requests of one connection.
func (c *compiled) like(host string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	of, known := c.of[host]
	if !known {
		if len(c.of) >= maxToldHosts {
			clear(c.of)
		}
		of = c.looks.Of(host)
		c.of[host] = of
	}
	return of
}

// Prepare does what the first connection that no rule names would have to wait for.
func (g *Guard) Prepare() {
	if p := g.Policy(); p.Lookalikes != policy.ListAllow {
		g.looksOf(p)
	}
}

// looksOf returns what hosts are compared with under p, made once.
func (g *Guard) looksOf(p *policy.Policy) *compiled {
	if c := g.looks.Load(); c != nil && c.policy == p {
		return c
	}
	g.compiling.Lock()
	defer g.compiling.Unlock()
	if c := g.looks.Load(); c != nil && c.policy == p {
		return c
	}
	var packages []string
	if g.Packages != nil {
		packages = g.Packages()
	}
	c := &compiled{policy: p, looks: p.Looks(packages), of: map[string]string{}}
	g.looks.Store(c)
	return c
}

// listed reports that t is on a built-in list, once for each host and invocation.
func (g *Guard) listed(t detect.Target, d policy.Decision, v Verdict) {
	f := detect.Finding{
		RuleID: d.Listed, Signature: "Connection to a " + d.ListReason, Category: "exfiltration",
		Severity: detect.High, Matched: t.Host, Weak: !v.Would.Blocks(),
	}
	if f.Weak {
		f.Severity = detect.Low
	}
	r := g.finding(record.Attack, v, &f)
	r.ID, r.IDSType = record.NewID(), "host" // the connection's record has the incident's id
	g.Sandbox.Stamp(r)
	if g.told.first(f.RuleID + " " + t.Host + " " + r.RequestID) {
		g.Report(r)
	}
}

func (g *Guard) decision(t detect.Target) policy.Decision {
	open, phase := g.Sandbox.At()
	source := ""
	if len(open) == 1 && open[0].Source != nil {
		source = open[0].Source.Name
	}
	d := g.Policy().Host(t, string(phase), source)
	if d.Undecided && t.Decrypted && t.Method == "" {
		d.Allow, d.Listed = true, "" // its requests are going to be seen, and judged one by one
	}
	return d
}

// clientHello compares the server name with the target, and holds it to the same
// host rules. A name that differs is what domain fronting looks like: it goes
// through only where a rule of the policy allows it by name.
func (g *Guard) clientHello(t detect.Target) Verdict {
	if t.SNI == "" || t.SNI == t.Host {
		return Verdict{Action: Allow, Would: Allow}
	}
	asked := t.Host
	t.Host = t.SNI
	v := g.name(t)
	_, notName := netip.ParseAddr(asked)
	switch {
	case v.Would.Blocks():
		return v
	case notName == nil || v.Rule == "egress.rule":
		return Verdict{Action: Allow, Would: Allow, Rule: v.Rule}
	}
	return g.outcome(Refuse, "egress.sni-mismatch", "the server name in the handshake is not the host that was asked for", false)
}

// address guards what is about to be dialled, after the name was resolved.
func (g *Guard) address(t detect.Target) Verdict {
	addr, err := netip.ParseAddr(t.IP)
	if err != nil {
		return g.outcome(Refuse, "egress.bad-address", "not an IP address", true)
	}
	ip := embedded(addr.WithZone("").Unmap())
	switch {
	case g.own(ip, t.Port):
		return g.outcome(Refuse, "egress.own-listener", "one of gatehouse's own listeners", true)
	case ip.IsUnspecified() || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return g.outcome(Refuse, "egress.bad-address", "an unspecified, broadcast or multicast address", true)
	case ip.IsLinkLocalUnicast() || ip == netip.MustParseAddr("fd00:ec2::254"):
		return g.outcome(Refuse, "egress.metadata-service", "a link-local address, where metadata and credentials are served", true)
	case ip.IsLoopback() && !t.Mapped && !local(t.Host):
		return g.outcome(Refuse, "egress.loopback-by-name", "a name that resolves to this machine", false)
	case private(ip) && !t.Mapped && g.Policy().DenyPrivate:
		return g.outcome(Refuse, "egress.private-address", "a private address, and the policy denies those", false)
	}
	if d := g.decision(t); !d.Allow && d.Rule == "egress.rule" {
		return g.outcome(Refuse, d.Rule, refusalFor(d), false) // a rule on addresses, which no name showed
	}
	return Verdict{Action: Allow, Would: Allow}
}

// own reports whether ip and port reach one of our listeners.
func (g *Guard) own(ip netip.Addr, port int) bool {
	for _, o := range g.Own {
		a, err := netip.ParseAddrPort(o)
		if err != nil || int(a.Port()) != port {
			continue
		}
		if a.Addr().Unmap() == ip || ip.IsLoopback() || ip.IsUnspecified() {
			return true
		}
	}
	return false
}

// local reports whether host says of itself that it is this machine: a loopback
// literal or localhost. A function may talk to its own processes.
func local(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && embedded(ip.Unmap()).IsLoopback()
}

// sharedNAT is RFC 6598, the address space of carrier-grade NAT.
var sharedNAT = netip.MustParsePrefix("100.64.0.0/10")

func private(ip netip.Addr) bool { return ip.IsPrivate() || sharedNAT.Contains(ip) }

// embedding are the IPv6 prefixes that carry an IPv4 address, and at which byte:
// NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), IPv4-compatible (RFC 4291).
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
	{netip.MustParsePrefix("::/96"), 12},
}

var teredo = netip.MustParsePrefix("2001::/32")

// embedded returns the IPv4 address inside ip where it has one, else ip.
func embedded(ip netip.Addr) netip.Addr {
	if ip.Is4() || ip == netip.IPv6Unspecified() || ip == netip.IPv6Loopback() {
		return ip
	}
	b := ip.As16()
	if teredo.Contains(ip) { // RFC 4380: the client's address, every bit turned over
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
	}
	if b[8]&^3 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe { // ISATAP, RFC 5214
		return netip.AddrFrom4([4]byte(b[12:16]))
	}
	for _, e := range embedding {
		if e.prefix.Contains(ip) {
			return netip.AddrFrom4([4]byte(b[e.at : e.at+4]))
		}
	}
	return ip
}

// Suspect reports something about what leaves through o that is not certain enough to be
// refused: once for each host and invocation.
func (g *Guard) Suspect(o detect.Outlet, f *detect.Finding) {
	defer g.unmarked()
	r := g.finding(record.Leak, Verdict{Action: Allow, Would: Allow}, f)
	r.ID, r.Dest, r.Path, r.DLPType = record.NewID(), o.Host, o.Place, "network"
	r.Object, r.ObjectCategory, r.Fingerprint, r.EncodingChain = f.Object, "credential", f.Fingerprint, f.DecodeChain
	g.Sandbox.Stamp(r)
	if g.told.first(f.RuleID + " " + o.Host + " " + f.Object + " " + r.RequestID) {
		g.Report(r)
	}
}

// Uninspected decides about bytes on their way to t that could not be decoded, for
// reason; see detect.Gapped.
func (g *Guard) Uninspected(t detect.Target, reason string) Verdict {
	if !g.Policy().UninspectedClosed {
		return Verdict{Action: Allow, Would: Allow}
	}
	return g.outcome(Refuse, "egress.uninspected-body", "what is sent to "+t.Host+" could not be decoded: "+reason, false)
}

// leak decides about a secret on its way out and reports it.
func (g *Guard) leak(o *detect.Observation) Verdict {
	p, f := g.Policy(), o.Finding
	would, reason := g.onLeak(p)
	v := g.outcome(would, f.RuleID, f.Signature, false)
	v.Incident, v.Findings = record.NewID(), []detect.Finding{*f}
	r := g.finding(record.Leak, v, f)
	g.fillLeak(r, o)
	if reason != "" {
		r.Halted, r.Reason = new(bool), reason
	}
	if v.Action != Halt {
		g.Report(r)
		return v
	}
	halted := true
	r.Halted = &halted
	g.Report(r)
	g.halt(v)
	return v
}

// halt has the sandbox ended, once.
func (g *Guard) halt(v Verdict) {
	initial := g.Sandbox.Phase() == Init
	if !g.Sandbox.Halt() || g.Halted == nil {
		return
	}
	over := make(chan struct{})
	if !initial {
		g.over.Store(&over)
	}
	go func() { // owned by the process: it ends with it
		g.Halted(v)
		close(over)
	}()
}

// Hold waits until a halt is over, which as a rule is the end of the process.
// Whoever answers for a leak calls it before he does: code of the function's
// that waits for the answer cannot finish the invocation, and with it have the
// sandbox frozen, before the evidence is out. After a leak during init it
// returns at once: there is no invocation to fail yet, and init must end.
func (g *Guard) Hold() {
	if over := g.over.Load(); over != nil {
		<-*over
	}
}

// onLeak says what enforce mode does about a leak, and why it does less than the
// policy asks.
func (g *Guard) onLeak(p *policy.Policy) (Action, string) {
	switch {
	case p.OnLeak == policy.LeakMonitor:
		return Allow, ""
	case p.OnLeak == policy.LeakHalt && g.Sandbox.Concurrent:
		return Cut, "a managed instance runs other invocations beside this one"
	case p.OnLeak == policy.LeakHalt:
		return Halt, ""
	}
	return Cut, ""
}

func (g *Guard) fillLeak(r *record.Record, o *detect.Observation) {
	t, f := o.Target, o.Finding
	r.Dest, r.DestIP, r.DestPort, r.SNI = t.Host, t.IP, t.Port, t.SNI
	r.TLSVersion, r.ALPN, r.HTTPMethod, r.URL = t.TLSVersion, t.ALPN, t.Method, t.URL
	r.Object, r.ObjectCategory, r.ObjectPath, r.Fingerprint = f.Object, "credential", "env", f.Fingerprint
	r.EncodingChain, r.DLPType = f.DecodeChain, "network"
	if open, _ := g.Sandbox.At(); len(open) == 1 && open[0].Event != nil {
		r.SetEvent(open[0].Event, nil)
	}
}
