package egress

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

// flow is one way from a client to one target: a tunnel, a decrypted connection,
// or what one client connection asks of one host in plain HTTP.
type flow struct {
	p      *Proxy
	target target
	via    string // "connect" or "http"
	// quiet flows are neither judged nor recorded: the Runtime API's, and all of
	// them while Off.
	quiet bool
	done  chan struct{} // closed by close

	in, out  atomic.Int64 // bytes received and sent, since the last report
	released atomic.Int64 // how often what was held back left, since the last report

	mu        sync.Mutex
	known     detect.Target // what is known of the target so far
	rec       *record.Record
	began     time.Time
	busy      int // requests under way
	visible   bool
	transport *http.Transport
	through   *url.URL               // the customer's own proxy; nil dials directly
	conns     map[io.Closer]struct{} // what close has to close
	first     net.Conn               // dialled ahead, for the transport's first use
	alpn      []string               // what an inspected server chose
	cert      *x509.Certificate      // of an inspected server
	closed    bool
	raw       bool    // what goes by is no HTTP, or nobody knows
	spliced   *splice // nil: every byte is seen
}

var (
	errTooMany = errors.New("too many connections at once")
	errClosed  = errors.New("the proxy is shutting down")
)

// newFlow makes a flow that is not among those that Active counts.
func (p *Proxy) newFlow(t target, via string, quiet bool) *flow {
	f := &flow{
		p: p, target: t, via: via, quiet: quiet,
		done:  make(chan struct{}),
		known: detect.Target{Host: t.host, Port: t.port},
		conns: make(map[io.Closer]struct{}),
	}
	f.begin()
	return f
}

// admit counts f among the open flows, unless there are too many.
func (f *flow) admit() error {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	switch {
	case f.p.closed:
		return errClosed
	case len(f.p.flows) >= f.p.maxFlows():
		return errTooMany
	}
	f.p.flows[f] = struct{}{}
	f.count(func(c *proxy.Counters) { c.Connections++ })
	return nil
}

func (f *flow) count(add func(*proxy.Counters)) {
	if !f.quiet {
		f.p.Guard.Sandbox.Count(add)
	}
}

func (p *Proxy) now() time.Time {
	if p.Guard != nil && p.Guard.Now != nil {
		return p.Guard.Now()
	}
	return time.Now()
}

// begin starts a record, if there is none under way. It is stamped now: the
// invocation that opens a connection may be over when it ends.
func (f *flow) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beginLocked()
}

func (f *flow) beginLocked() {
	if f.quiet || f.rec != nil || f.closed {
		return
	}
	f.began = f.p.now()
	f.rec = &record.Record{
		Kind: record.Connection, Time: f.began.UTC(), Via: f.via, Transport: "tcp",
		Dest: f.target.host, DestPort: f.target.port,
		Verdict: string(proxy.Allow), Action: "allowed", WouldAction: "allowed",
	}
	f.p.Guard.Sandbox.Stamp(f.rec)
}

// learn changes what is known of the target, and returns it.
func (f *flow) learn(change func(*detect.Target)) detect.Target {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.known)
	return f.known
}

// decide asks the guard and notes the answer in the record.
func (f *flow) decide(o *detect.Observation) proxy.Verdict {
	if f.quiet {
		return proxy.Verdict{Action: proxy.Allow, Would: proxy.Allow}
	}
	v := f.p.Guard.Decide(o)
	noted := v
	if o.Kind == detect.KindLeak {
		noted.Incident = "" // that is the id of the leak's own record
	}
	f.note(noted)
	f.unverifiable(v.Unverifiable)
	if v.Action == proxy.Halt {
		f.p.Guard.Hold()
	}
	return v
}

// unverifiable notes that n rules held for nothing because requests are not seen.
func (f *flow) unverifiable(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > 0 && f.rec != nil {
		f.rec.Unverifiable = max(f.rec.Unverifiable, n)
	}
}

// note puts a verdict into the record. Each incident that a client hears of has
// its record: a second one ends the first's.
func (f *flow) note(v proxy.Verdict) {
	if !v.Would.Blocks() || f.quiet {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beginLocked()
	if f.rec == nil {
		return
	}
	if f.rec.ID != "" && f.visible && v.Incident != "" {
		f.reportLocked()
		f.beginLocked()
	}
	if f.rec.WouldAction == "blocked" && !v.Action.Blocks() {
		return // the first reason stays
	}
	if v.Incident != "" {
		f.rec.ID = v.Incident
	}
	f.rec.Verdict, f.rec.Action, f.rec.WouldAction = string(v.Action), action(v.Action), action(v.Would)
	f.rec.Reason = v.Rule + ": " + strings.TrimPrefix(v.Reason, v.Rule+": ")
}

// refused notes a verdict that did not come from the guard.
func (f *flow) refused(v proxy.Verdict) {
	f.note(v)
	if v.Action.Blocks() {
		f.count(func(c *proxy.Counters) { c.Refused++ })
	}
}

// refusedAgain counts a refusal that has no record of its own.
func (f *flow) refusedAgain() { f.count(func(c *proxy.Counters) { c.Refused++ }) }

// maxReason bounds a reason, which may quote a server's certificate, in bytes.
const maxReason = 512

// failed notes why the connection came to nothing, through nobody's verdict.
func (f *flow) failed(reason string) {
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rec != nil && f.rec.Reason == "" {
		f.rec.Reason = reason
	}
}

func action(a proxy.Action) string {
	if a.Blocks() {
		return "blocked"
	}
	return "allowed"
}

// ownVerdict is a refusal that the guard has no observation for: rule says what,
// and monitor mode lets it pass where always is false.
func (p *Proxy) ownVerdict(rule, reason string, always bool) proxy.Verdict {
	v := proxy.Verdict{Action: proxy.Refuse, Would: proxy.Refuse, Rule: rule, Reason: reason, Incident: record.NewID()}
	if !always && (p.Guard == nil || p.Guard.Policy().Mode != policy.Enforce) {
		v.Action = proxy.Allow // fail-open: monitor mode refuses nothing
	}
	return v
}

// malformedRequest is the verdict on what is not HTTP: it cannot be passed on in
// any mode.
func malformedRequest(status string) proxy.Verdict {
	return proxy.Verdict{
		Action: proxy.Refuse, Would: proxy.Refuse, Incident: record.NewID(),
		Rule: "egress.malformed-request", Reason: "not a valid request: " + status,
	}
}

// report hands the record on, if there is one.
func (f *flow) report() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reportLocked()
}

func (f *flow) reportLocked() {
	r := f.rec
	if r == nil {
		return
	}
	f.rec = nil
	if r.ID == "" {
		r.ID = record.NewID()
	}
	k, visible := f.known, f.visible
	r.DestIP, r.SNI, r.TLSVersion, r.ALPN, r.Decrypted = k.IP, k.SNI, k.TLSVersion, k.ALPN, &visible
	r.JA4, r.ECH = k.JA4, k.ECH
	if c := f.cert; c != nil {
		r.SSLSubject, r.SSLIssuer, r.SSLEnd = nameIn(c), c.Issuer.CommonName, c.NotAfter.UTC().Format(time.RFC3339)
	}
	r.BytesIn, r.BytesOut = f.in.Swap(0), f.out.Swap(0)
	r.Released = int(f.released.Swap(0))
	r.DurationMS = float64(f.p.now().Sub(f.began).Microseconds()) / 1000
	f.p.Guard.Report(r)
}

// nameIn is whom c names: its common name, else its first name.
func nameIn(c *x509.Certificate) string {
	if c.Subject.CommonName == "" && len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	return c.Subject.CommonName
}

// keep makes close close c too. It reports false, and closes c, when f is closed
// already.
func (f *flow) keep(c io.Closer) bool {
	f.mu.Lock()
	closed := f.closed
	if !closed {
		f.conns[c] = struct{}{}
	}
	f.mu.Unlock()
	if closed {
		_ = c.Close() // nobody is left to tell. Not under f.mu: to close a counted takes it, too
	}
	return !closed
}

func (f *flow) drop(c io.Closer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
}

// cut closes f's connections. Whoever moves bytes then ends by itself.
func (f *flow) cut() {
	f.mu.Lock()
	conns := f.conns
	f.conns = make(map[io.Closer]struct{})
	f.mu.Unlock()
	for c := range conns {
		_ = c.Close() // it is being cut off; there is nobody to tell
	}
}

// close ends f and reports it. It may be called more than once.
func (f *flow) close() {
	f.mu.Lock()
	was := f.closed
	if !was && f.raw {
		f.goesOnLocked("")
	}
	f.closed = true
	f.mu.Unlock()
	if was {
		return
	}
	f.cut()
	if t := f.peekTransport(); t != nil {
		t.CloseIdleConnections()
	}
	f.report()
	f.p.mu.Lock()
	delete(f.p.flows, f)
	f.p.mu.Unlock()
	close(f.done)
}

// goesOnLocked counts what has gone by, and begins another record where one was handed on
// and there was more since, in the invocation of that id.
func (f *flow) goesOnLocked(requestID string) {
	f.soFarLocked()
	if f.rec == nil && f.in.Load()+f.out.Load() > 0 {
		if f.beginLocked(); f.rec != nil && f.rec.RequestID == "" {
			f.rec.RequestID = requestID
		}
	}
}

// rest gets f ready for a freeze: see Proxy.CloseIdle.
func (f *flow) rest(requestID string) {
	if t := f.peekTransport(); t != nil {
		t.CloseIdleConnections()
	}
	f.mu.Lock()
	first := f.first
	f.first = nil
	f.mu.Unlock()
	if first != nil {
		_ = first.Close() // never used: there is nothing to lose
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy > 0 {
		return
	}
	if f.raw {
		f.goesOnLocked(requestID)
	}
	if f.rec != nil && (f.raw || len(f.rec.Requests) > 0) {
		f.reportLocked()
	}
}

func (f *flow) peekTransport() *http.Transport {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.transport
}
