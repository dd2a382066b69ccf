package egress

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"

	"github.com/elazarl/goproxy"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

// onRequest is the hook for requests whose head we can read: plain HTTP, and
// decrypted. Nothing of the request leaves before its head has been judged.
func (p *Proxy) onRequest(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	x := exchangeOf(r.Context())
	if resp := x.admit(r); resp != nil {
		return r, resp
	}
	ctx.RoundTripper = goproxy.RoundTripperFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
		return x.roundTrip(r)
	})
	return r, nil
}

// onResponse is the hook that answers where the upstream did not.
func (p *Proxy) onResponse(resp *http.Response, ctx *goproxy.ProxyCtx) *http.Response {
	x := exchangeOf(ctx.Req.Context())
	if resp == nil {
		resp = x.failure(ctx.Req, ctx.Error)
	}
	x.status = resp.StatusCode
	return resp
}

// admit judges r's head. It returns what to answer instead of sending r, or nil.
func (x *exchange) admit(r *http.Request) *http.Response {
	kind, resp := x.enter(r)
	if resp != nil {
		return resp
	}
	if x.client.ambiguous() {
		resp := x.malformed(r)
		resp.Header.Set("Connection", "close")
		return resp
	}
	v := x.judge(r, kind)
	x.list() // after the verdict, which may have begun another record
	if marked := x.mark(r); !v.Action.Blocks() {
		v = marked
	}
	if v.Action.Blocks() {
		return x.refuse(r, v)
	}
	clean(r)
	if !x.f.quiet && x.p.Guard.Scanner != nil {
		r.Header.Del("Sec-Websocket-Extensions") // a compressed frame could not be looked into
	}
	if v, found := x.scanHead(r); found {
		return x.refuse(r, v)
	}
	if r.ContentLength == 0 && len(r.Trailer) == 0 {
		r.Body = http.NoBody // HTTP/2 has an empty body here, which would be sent as one
	}
	if r.Body != nil && r.Body != http.NoBody {
		host := x.secretsFor(r)
		x.body = &guarded{
			src: r.Body, x: x, trailer: &r.Trailer, host: host, outlet: bodyOutlet(host, r), length: r.ContentLength,
			make: func() detect.Scanner { return x.bodyScanner(host, r) },
		}
		r.Body = x.body
		if whole := x.body.preload(r.Header); whole != nil {
			r.Body = io.NopCloser(bytes.NewReader(whole)) // leaves with the head, in one packet
		} else if v := x.blocked.Load(); v != nil {
			return x.refuse(r, *v)
		}
	}
	return nil
}

// enter finds the flow of r, and says what kind of observation opens it.
func (x *exchange) enter(r *http.Request) (detect.Kind, *http.Response) {
	kind := detect.KindRequest
	if x.inspected() {
		x.f = x.client.inspected
	} else {
		t, err := parseTarget(r.URL.Host, 80)
		if err != nil || r.URL.Scheme != "http" {
			return 0, x.malformed(r)
		}
		f, fresh, err := x.plainFlow(t)
		if err != nil {
			return 0, x.busy(r, f, err)
		}
		x.f = f
		if fresh {
			kind = detect.KindConnect
		}
	}
	x.target, x.entered = x.f.enter(r), true
	return kind, nil
}

// plainFlow returns the flow of plain HTTP to t on this client connection.
func (x *exchange) plainFlow(t target) (f *flow, fresh bool, err error) {
	c := x.client
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.plain, func(f *flow) bool { return f.target == t && !f.isClosed() })
	if i >= 0 {
		f = c.plain[i]
		c.plain = append(slices.Delete(c.plain, i, i+1), f)
		return f, false, nil
	}
	f = x.newFlow(t, "http")
	f.visible, f.known.Decrypted = true, true
	if err := f.admit(); err != nil {
		return f, false, err
	}
	f.count(func(n *proxy.Counters) { n.Inspected++ })
	if len(c.plain) == maxPlain {
		c.plain[0].close()
		c.plain = slices.Delete(c.plain, 0, 1)
	}
	c.plain = append(c.plain, f)
	return f, true, nil
}

// judge holds r to the rules. A Host other than the one that the connection was
// opened for is held to them, too.
func (x *exchange) judge(r *http.Request, kind detect.Kind) proxy.Verdict {
	v := x.f.decide(&detect.Observation{Kind: kind, Target: x.target})
	if v.Action.Blocks() || r.Host == "" || x.f.quiet {
		return v
	}
	asked, err := parseTarget(r.Host, x.f.target.port)
	if err != nil { // the server may read it as a host that a rule names
		v = x.p.ownVerdict("egress.malformed-request", "the Host of the request is none", false)
		x.f.note(v)
		return v
	}
	if asked.host == x.target.Host || asked.host == x.target.SNI {
		return v
	}
	t := x.target
	t.Host, t.SNI = asked.host, ""
	return x.f.decide(&detect.Observation{Kind: detect.KindRequest, Target: t})
}

// maxURL bounds a URL in a record, in bytes; of a longer one only the origin is
// shown, because a cut could leave half of a secret, which no mask would find.
const maxURL = 8 << 10

// enter says that a request is under way on f, and returns the target as r makes
// it known.
func (f *flow) enter(r *http.Request) detect.Target {
	origin := "http://"
	if f.via == "connect" {
		origin = "https://"
	}
	origin += r.Host
	shown := origin + r.URL.RequestURI()
	if len(shown) > maxURL {
		shown = origin[:min(len(origin), maxURL)] + "/…"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy++
	t := f.known
	t.Method, t.Path, t.URL, t.Decrypted = r.Method, r.URL.EscapedPath(), shown, true
	return t
}

// list puts x's request into the record that is under way now.
func (x *exchange) list() {
	f := x.f
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beginLocked()
	if f.rec == nil {
		return
	}
	f.rec.URL, f.rec.HTTPMethod = x.target.URL, x.target.Method
	if len(f.rec.Requests) < MaxRequests {
		x.rec, x.hop = f.rec, len(f.rec.Requests)
		f.rec.Requests = append(f.rec.Requests, record.Hop{Method: x.target.Method, URL: x.target.URL})
	}
}

// leave ends what enter began. It may be called more than once.
func (x *exchange) leave() {
	f := x.f
	if !x.entered {
		return
	}
	x.entered = false
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy--
	if f.rec != nil && f.rec == x.rec {
		f.rec.Requests[x.hop].Status = x.status
	}
}

func (f *flow) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// clean takes away what concerns only the connection between client and proxy
// (RFC 9110, 7.6.1), and keeps net/http from adding anything of its own.
func clean(r *http.Request) {
	upgrade := upgradeOf(r.Header)
	trailers := slices.ContainsFunc(r.Header["Te"], func(v string) bool { return hasToken(v, "trailers") })
	cleanHeader(r.Header)
	if upgrade != "" {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", upgrade)
	}
	if trailers {
		r.Header.Set("Te", "trailers")
	}
	if _, ok := r.Header["User-Agent"]; !ok {
		r.Header["User-Agent"] = []string{""} // sends none
	}
	r.RequestURI = ""
	r.Close = false
}

func cleanHeader(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(textproto.TrimString(name))
		}
	}
	for _, name := range []string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
	} {
		h.Del(name)
	}
}

func hasToken(list, token string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(textproto.TrimString(item), token) {
			return true
		}
	}
	return false
}

// upgradeOf returns the protocol that h asks to change to, or "". HTTP/2 and TLS are none:
// what a request may do would not be asked again behind them, and a server may ignore
// that it was asked for (RFC 9110, 7.8; RFC 9113 knows h2c no more).
func upgradeOf(h http.Header) string {
	if !slices.ContainsFunc(h["Connection"], func(v string) bool { return hasToken(v, "upgrade") }) {
		return ""
	}
	for _, list := range h["Upgrade"] {
		for protocol := range strings.SplitSeq(list, ",") {
			protocol = textproto.TrimString(protocol)
			name, _, _ := strings.Cut(strings.ToLower(protocol), "/")
			if name != "" && name != "h2c" && name != "http" && name != "tls" {
				return protocol
			}
		}
	}
	return ""
}

// roundTrip sends r on its flow's own transport.
func (x *exchange) roundTrip(r *http.Request) (*http.Response, error) {
	early := interim{x: x, asked: r}
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: early.pass}))
	resp, err := x.f.roundTripper().RoundTrip(r)
	early.end()
	if err != nil {
		return nil, err
	}
	x.answered, x.status = true, resp.StatusCode
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, x.upgrade(r, resp)
	}
	cleanHeader(resp.Header)
	_, measured := resp.Header["Content-Length"]
	x.w.headOnly = x.proto == 2 && resp.ContentLength == 0 && !measured
	resp.Body = &received{resp.Body, x, x.tells(resp)}
	return resp, nil
}

// interim passes 1xx responses on, as httputil.ReverseProxy does. They come on a
// goroutine of the transport's, which goes on when the round trip has ended early, and
// where nobody but we recovers.
type interim struct {
	x     *exchange
	asked *http.Request

	mu   sync.Mutex // held while one is passed on
	over bool       // the round trip, and with it the use of the client's response
}

func (i *interim) pass(code int, header textproto.MIMEHeader) (err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	defer i.x.p.recover(func() { err = errEnded })
	if i.over || !i.asked.ProtoAtLeast(1, 1) {
		return nil
	}
	h := i.x.w.Header()
	maps.Copy(h, http.Header(header))
	i.x.w.ResponseWriter.WriteHeader(code)
	clear(h)
	return nil
}

// end returns when none is being passed on, and none will be.
func (i *interim) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
}

// received is a response's body. It notices its end: the client may have it all
// then, and have the sandbox frozen before we are told. And it notices when it
// ends too early.
type received struct {
	io.ReadCloser
	x    *exchange
	told *told // nil: nobody wants to hear it
}

func (b *received) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.told.more(p[:n], err)
	switch err {
	case nil:
	case io.EOF:
		b.x.leave()
	default:
		b.x.torn.Store(true)
	}
	return n, err
}
