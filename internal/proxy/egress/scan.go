package egress

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

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
// connection to host. found is whether there was one; v is what to do about it.
func (f *flow) scan(t detect.Target, host, place, text string) (v proxy.Verdict, found bool) {
	if text == "" {
		return v, false
	}
	s := f.scanner(detect.Outlet{Host: host, Place: place})
	if s == nil {
		return v, false
	}
	_, finding := s.Write([]byte(text))
	if finding == nil {
		finding = s.Close()
	}
	if finding == nil {
		return v, false
	}
	return f.leaked(t, finding, place), true
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

var (
	// errLeak ends the sending of a body that holds a secret.
	errLeak = errors.New("stopped by gatehouse")
	// errEnded is what is left of a request whose response is complete.
	errEnded = errors.New("the exchange is over")
)

// guarded is a body on its way out: it gives only what its scanner has cleared.
// After a finding that does not block, it gives everything.
type guarded struct {
	src io.ReadCloser
	s   detect.Scanner // nil looks at nothing
	x   *exchange
	// trailer is looked at after the last byte, before the end is told.
	trailer *http.Header
	host    string

	mu      sync.Mutex // held while reading
	buf     []byte     // at most a read and what the scanner holds back
	store   []byte     // what buf lies in
	cleared int        // leading bytes of buf that may leave
	err     error

	marked int    // bytes that were looked through for values of the event
	before []byte // the last of them
}

func (g *guarded) Close() error { return g.src.Close() }

// drain waits for a read under way, lets no more through, and throws away what
// the client still sends. It reports whether that was at most limit bytes.
func (g *guarded) drain(limit int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if errors.Is(g.err, io.EOF) {
		return true
	}
	if g.err == nil {
		g.buf, g.cleared, g.err = nil, 0, errEnded
	}
	_, err := io.CopyN(io.Discard, g.src, limit)
	return errors.Is(err, io.EOF)
}

func (g *guarded) Read(p []byte) (n int, err error) {
	defer g.x.p.recover(func() { n, err = 0, errLeak })
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.cleared == 0 && g.err == nil {
		g.fill(len(p))
	}
	n = copy(p, g.buf[:g.cleared])
	g.buf, g.cleared = g.buf[n:], g.cleared-n
	if n > 0 {
		return n, nil
	}
	return 0, g.err
}

// fill reads up to size bytes and lets the scanner judge them.
func (g *guarded) fill(size int) {
	g.buf = append(g.store[:0], g.buf...) // to the front: it is seldom more than nothing
	g.buf = slices.Grow(g.buf, size)
	g.store = g.buf
	chunk := g.buf[len(g.buf) : len(g.buf)+size]
	n, err := g.src.Read(chunk)
	g.buf = g.buf[:len(g.buf)+n]
	g.judge(chunk[:n])
	if err == nil || g.err != nil {
		return
	}
	if err == io.EOF {
		g.finish()
		return
	}
	g.err = err
	g.x.badBody.Store(g.x.proto == 1 && brokenBody(err))
}

// brokenBody reports whether err says that a body is not what its head promised,
// rather than that the client left.
func brokenBody(err error) bool {
	var lost net.Error
	return !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &lost)
}

func (g *guarded) judge(chunk []byte) {
	if g.s == nil {
		g.cleared = len(g.buf)
		return
	}
	if len(chunk) == 0 {
		return
	}
	cleared, finding := g.s.Write(chunk)
	if finding != nil {
		g.found(finding, "body")
		return
	}
	if v := g.mark(chunk); v.Action.Blocks() {
		g.stop(v)
		return
	}
	g.cleared += cleared
}

// finish judges what still waits, and the trailers.
func (g *guarded) finish() {
	if g.s != nil {
		if finding := g.s.Close(); finding != nil {
			g.found(finding, "body")
		}
	}
	if g.err == nil && g.trailer != nil {
		g.scanTrailer(*g.trailer)
	}
	if g.err == nil {
		g.cleared, g.err = len(g.buf), io.EOF
	}
}

func (g *guarded) scanTrailer(h http.Header) {
	for _, p := range fieldPlaces("trailer", h) {
		if v, found := g.x.f.scan(g.x.target, g.host, p.name, p.text); found && v.Action.Blocks() {
			g.stop(v)
			return
		}
	}
}

func (g *guarded) found(finding *detect.Finding, place string) {
	v := g.x.f.leaked(g.x.target, finding, place)
	if v.Action.Blocks() {
		g.stop(v)
		return
	}
	g.s, g.cleared = nil, len(g.buf) // fail-open: the finding is recorded, the rest passes unread
}

func (g *guarded) stop(v proxy.Verdict) {
	g.x.blocked.Store(&v)
	g.buf, g.cleared, g.err = nil, 0, errLeak
}

// bodyOutlet is the outlet of r's body, meant for host.
func bodyOutlet(host string, r *http.Request) detect.Outlet {
	return detect.Outlet{
		Host: host, Place: "body",
		Encoding: strings.Join(r.Header["Content-Encoding"], ","), Type: r.Header.Get("Content-Type"),
	}
}
