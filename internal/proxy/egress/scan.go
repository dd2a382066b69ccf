package egress

import (
	"net/http"
	"strings"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

// scanner makes a scanner for one outlet of f; nil looks for nothing.
func (f *flow) scanner(o detect.Outlet) detect.Scanner {
	if f.quiet || f.p.Guard.Scanner == nil {
		return nil
	}
	return f.p.Guard.Scanner(o)
}

// scan looks for secrets in what is about to leave at p of a connection to host. found
// is whether there was one, or something that may not leave because it cannot be looked
// into; v is what to do about it.
func (f *flow) scan(t detect.Target, host string, p place) (v proxy.Verdict, found bool) {
	if p.text == "" {
		return v, false
	}
	o, bytes := detect.Outlet{Host: host, Place: p.name}, []byte(p.text)
	if f.isQuiet(o, bytes) {
		return v, false
	}
	s := f.scanner(o)
	if s == nil {
		return v, false
	}
	_, finding := s.Write(bytes)
	if finding == nil {
		finding = s.Close()
	}
	if finding != nil {
		if p.in != "" {
			finding.DecodeChain = append([]string{p.in}, finding.DecodeChain...)
		}
		return f.leaked(t, finding, p.name), true
	}
	if reason, n := uninspected(s); n > 0 && p.name != joined { // its parts were looked at already
		v = f.uninspected(t, detect.Gap{Path: p.name, Reason: reason, Bytes: n}, true)
	}
	return v, v.Action.Blocks()
}

// scanLabels looks at the labels in front of f's domain together with those of the
// connections before.
func (f *flow) scanLabels(t detect.Target) (v proxy.Verdict, found bool) {
	labels := strings.Split(f.target.host, ".")
	if f.quiet || f.p.Guard.Follow == nil || len(labels) < 3 || labels[len(labels)-1] == "" || digitsIn(f.target.host) == len(labels[0]) {
		return v, false
	}
	at := detect.Spot{Kind: "labels"}
	text := f.p.Guard.Follow(f.target.host, at, strings.Join(labels[:len(labels)-2], ""))
	if v, found = f.scan(t, f.target.host, place{name: "host", text: string(text)}); found && f.p.Guard.Trim != nil {
		f.p.Guard.Trim(f.target.host, at)
	}
	return v, found
}

// isQuiet reports whether no scanner has to look at text.
func (f *flow) isQuiet(o detect.Outlet, text []byte) bool {
	return !f.quiet && f.p.Guard.Quiet != nil && f.p.Guard.Quiet(o, text)
}

// leaked asks what to do about a secret at place.
func (f *flow) leaked(t detect.Target, finding *detect.Finding, place string) proxy.Verdict {
	if finding.Path == "" {
		finding.Path = place
	}
	return f.decide(&detect.Observation{Kind: detect.KindLeak, Target: t, Finding: finding})
}

// scanHead looks at everything of r that leaves before its body. Nothing was
// sent yet: a verdict that blocks leaks no byte. In monitor mode every place is
// looked at, so that the records name them all.
func (x *exchange) scanHead(r *http.Request) (proxy.Verdict, bool) {
	return x.scanPlaces(x.secretsFor(r), func() []place { return headPlaces(r) }, func(j *joint) { j.head(r, x.client.sent) })
}

// scanPlaces looks at places one by one, and where there is nothing in any, at what they
// say together, and with the requests before. found is whether something may not leave.
func (x *exchange) scanPlaces(host string, places func() []place, together func(*joint)) (v proxy.Verdict, found bool) {
	if x.f.quiet {
		return v, false
	}
	j := spares.Get().(*joint)
	defer j.free()
	together(j)
	if !x.f.isQuiet(detect.Outlet{Host: host, Place: joined}, j.text()) {
		if v, found = x.look(host, places()); !found {
			v, found = x.look(host, j.places())
		}
	}
	before := x.follow(j.spread) // what is stopped is remembered, too: the rest of it may follow
	if !found {
		v, found = x.look(host, before)
	}
	if found {
		x.trim(j.spread)
	}
	return v, found && v.Action.Blocks()
}

// nowhere is where a body has been looked at already.
func nowhere() []place { return nil }

// look looks at places until something in one may not leave. found is whether there was
// anything.
func (x *exchange) look(host string, places []place) (v proxy.Verdict, found bool) {
	for _, p := range places {
		if verdict, any := x.f.scan(x.target, host, p); any {
			v, found = verdict, true
		}
		if v.Action.Blocks() {
			break
		}
	}
	return v, found
}

// follow puts each of spread behind what other requests said in its place.
func (x *exchange) follow(spread []piece) (places []place) {
	if x.p.Guard.Follow == nil {
		return nil
	}
	for _, p := range spread {
		if text := x.p.Guard.Follow(x.f.target.host, p.spot, p.text); text != nil {
			places = append(places, place{name: p.place, text: string(text)})
		}
	}
	return places
}

// trim notes that something was found in what spread is part of.
func (x *exchange) trim(spread []piece) {
	if x.p.Guard.Trim == nil {
		return
	}
	for _, p := range spread {
		x.p.Guard.Trim(x.f.target.host, p.spot)
	}
}

// secretsFor is the host that a secret of r must be meant for: the target, and
// none at all when the request names another one than it goes to.
func (x *exchange) secretsFor(r *http.Request) string {
	if asked, err := parseTarget(r.Host, x.f.target.port); err != nil || asked.host != x.f.target.host {
		return ""
	}
	return x.f.target.host
}

// bodyScanner makes the scanner of r's body, meant for host; nil looks for nothing.
func (x *exchange) bodyScanner(host string, r *http.Request) detect.Scanner {
	s := x.f.scanner(bodyOutlet(host, r))
	if s == nil || !isGRPC(r.Header) {
		return s
	}
	return &calls{Scanner: s}
}

// bodyOutlet is the outlet of r's body, meant for host. In gRPC it is each message
// that is compressed: the encoding has "grpc+" before it.
func bodyOutlet(host string, r *http.Request) detect.Outlet {
	encoding := strings.Join(r.Header["Content-Encoding"], ",")
	if e := r.Header.Get("Grpc-Encoding"); e != "" && isGRPC(r.Header) {
		encoding = "grpc+" + e
	}
	return detect.Outlet{Host: host, Place: "body", Encoding: encoding, Type: r.Header.Get("Content-Type")}
}

// uninspected says what s could not look into; see detect.Gapped.
func uninspected(s detect.Scanner) (reason string, bytes int) {
	if g, ok := s.(detect.Gapped); ok {
		return g.Uninspected()
	}
	return "", 0
}

// uninspected notes a gap in what is on its way to t. The first of a body is judged.
func (f *flow) uninspected(t detect.Target, gap detect.Gap, first bool) (v proxy.Verdict) {
	f.count(func(c *proxy.Counters) { c.Uninspected += gap.Bytes })
	f.unseen(gap)
	if first {
		v = f.p.Guard.Uninspected(t, gap.Reason)
		f.note(v)
	}
	return v
}

// unseen puts a gap into the record. There are as many as there are reasons.
func (f *flow) unseen(gap detect.Gap) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beginLocked()
	if f.rec == nil {
		return
	}
	f.rec.Uninspected += gap.Bytes
	for i := range f.rec.Gaps {
		if f.rec.Gaps[i].Reason == gap.Reason {
			f.rec.Gaps[i].Bytes += gap.Bytes
			return
		}
	}
	f.rec.Gaps = append(f.rec.Gaps, gap)
}
