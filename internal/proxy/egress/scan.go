package egress

import (
	"maps"
	"net/http"
	"slices"
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

// scan looks for secrets in text, which is about to leave through place of a
// connection to host. found is whether there was one, or something that may not leave
// because it cannot be looked into; v is what to do about it.
func (f *flow) scan(t detect.Target, host, place, text string) (v proxy.Verdict, found bool) {
	if text == "" {
		return v, false
	}
	o, bytes := detect.Outlet{Host: host, Place: place}, []byte(text)
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
		return f.leaked(t, finding, place), true
	}
	if reason, n := uninspected(s); n > 0 {
		v = f.uninspected(t, detect.Gap{Path: place, Reason: reason, Bytes: n}, true)
	}
	return v, v.Action.Blocks()
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
	host := x.secretsFor(r)
	for _, p := range headPlaces(r) {
		if v, found := x.f.scan(x.target, host, p.name, p.text); found && v.Action.Blocks() {
			return v, true
		}
	}
	return proxy.Verdict{}, false
}

type place struct{ name, text string }

// headPlaces lists what of r's head leaves, by place.
func headPlaces(r *http.Request) []place {
	places := []place{{"method", r.Method}, {"url", r.URL.RequestURI()}, {"host", r.Host}}
	places = append(places, fieldPlaces("header", r.Header)...)
	return append(places, fieldPlaces("trailer", r.Trailer)...) // names: values come last
}

// fieldPlaces lists the fields of h: a name at place kind, where case does not
// count, and its values at kind:name. The order is the same on every run.
func fieldPlaces(kind string, h http.Header) []place {
	places := make([]place, 0, 2*len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		places = append(places, place{kind, name})
		for _, value := range h[name] {
			places = append(places, place{kind + ":" + shortName(name), value})
		}
	}
	return places
}

// shortName is a header's name as records show it.
func shortName(name string) string { return strings.ToLower(name[:min(len(name), 64)]) }

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
