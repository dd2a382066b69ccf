package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/elazarl/goproxy"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

// onConnect is the hook for CONNECT: up to the dial everything happens here, so
// that a refusal is still an HTTP response.
func (p *Proxy) onConnect(_ string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	x := exchangeOf(ctx.Req.Context())
	if x.inspected() {
		ctx.Resp = answer(ctx.Req, http.StatusNotImplemented, "gatehouse: no CONNECT inside an inspected connection; bypass this host")
		return reject, ""
	}
	f, upstream, resp := x.connect(ctx.Req)
	if resp != nil {
		ctx.Resp = resp
		return reject, ""
	}
	minor := ctx.Req.ProtoMinor
	return &goproxy.ConnectAction{
		Action: goproxy.ConnectHijack,
		Hijack: func(_ *http.Request, c net.Conn, _ *goproxy.ProxyCtx) { f.serve(c, upstream, minor) },
	}, ""
}

var reject = &goproxy.ConnectAction{Action: goproxy.ConnectReject}

// connect opens the flow that r asks for and dials its target. Without a
// connection it returns what to answer.
func (x *exchange) connect(r *http.Request) (*flow, net.Conn, *http.Response) {
	asked := r.URL.Host
	if asked == "" {
		asked = r.Host
	}
	t, err := parseTarget(asked, 443)
	if err != nil || x.client.ambiguous() {
		return nil, nil, x.malformed(r)
	}
	x.client.endFlows() // what this connection carried before is over
	f := x.newFlow(t, "connect")
	if err := f.admit(); err != nil {
		return nil, nil, x.busy(r, f, err)
	}
	x.f = f
	upstream, err := f.open(r.Context(), asked)
	if err != nil {
		resp := x.failure(r, err)
		f.close()
		return nil, nil, resp
	}
	return f, upstream, nil
}

// open takes a CONNECT for f from the host rules to the dial.
func (f *flow) open(ctx context.Context, asked string) (net.Conn, error) {
	f.markHost()
	inspect := f.mayInspect()
	t := f.learn(func(t *detect.Target) { t.Decrypted = inspect })
	if v := f.decide(&detect.Observation{Kind: detect.KindConnect, Target: t}); v.Action.Blocks() {
		return nil, &refusal{v}
	}
	if v, found := f.scan(t, f.target.host, place{name: "host", text: asked}); found && v.Action.Blocks() {
		return nil, &refusal{v}
	}
	if v, found := f.scanLabels(t); found && v.Action.Blocks() {
		return nil, &refusal{v}
	}
	c, err := f.dial(ctx)
	if err != nil {
		return nil, err
	}
	if !f.keep(c) {
		return nil, errClosed
	}
	return c, nil
}

// serve has both ends of a tunnel, and returns when it is over.
func (f *flow) serve(c, upstream net.Conn, minor int) {
	defer f.close()
	defer f.p.recover(f.cut)
	if !f.keep(c) {
		return
	}
	ok := "HTTP/1." + strconv.Itoa(minor) + " 200 Connection established\r\n\r\n"
	if _, err := c.Write([]byte(ok)); err != nil {
		f.failed("the client left")
		return
	}
	e, ok2 := c.(*early)
	if !ok2 {
		e = &early{Conn: c}
	}
	if f.quiet {
		f.tunnel(f.startDown(e.Conn, upstream), e.Conn, upstream, e.read)
		return
	}
	f.watch(e, upstream)
}

// watch looks at what the client says first, and then lets the bytes through or
// inspects them. What the server says passes all the while: it may be the one
// that speaks first.
func (f *flow) watch(c *early, upstream net.Conn) {
	down := f.startDown(c.Conn, upstream)
	h, err := readHello(c.Conn, c.read)
	if err != nil && len(h.raw) == 0 { // the client said nothing
		f.finish(down, c.Conn, upstream, err)
		return
	}
	v := f.judgeHello(h)
	if v.Action.Blocks() {
		f.count(func(n *proxy.Counters) { n.Refused++ })
		f.alert(down, c.Conn, alertAccessDenied)
		return
	}
	if f.wantsInspection(h) && down.interrupt() {
		f.inspect(c.Conn, upstream, h)
		return
	}
	if v := f.notInspected(down, h); v.Action.Blocks() {
		f.count(func(n *proxy.Counters) { n.Refused++ })
		f.alert(down, c.Conn, alertAccessDenied)
		return
	}
	f.count(func(n *proxy.Counters) { n.Tunnelled++ })
	if s := f.scanner(detect.Outlet{Host: f.target.host, Place: "body"}); s != nil && !h.complete {
		f.readable(down, c.Conn, upstream, h.raw, s)
		return
	}
	f.tunnel(down, c.Conn, upstream, h.raw)
}

// ruleNotTLS is noted of what is no TLS where TLS is expected: it is never refused, and
// what can be read of it is searched for secrets.
const ruleNotTLS = "egress.not-tls"

// judgeHello holds the server name to the rules. A ClientHello that is broken or
// late hides it, and is refused where refusing is on.
func (f *flow) judgeHello(h hello) proxy.Verdict {
	if !h.isTLS {
		if f.target.port == 443 {
			f.failed(ruleNotTLS + ": what the client says to port 443 is no TLS")
		}
		return proxy.Verdict{Action: proxy.Allow}
	}
	if !h.complete {
		v := f.p.ownVerdict("egress.malformed-hello", "begins like TLS and is no ClientHello of at most 64 KiB within 5 s", false)
		f.note(v)
		return v
	}
	t := f.learn(func(t *detect.Target) {
		t.SNI, t.TLSVersion, t.ALPN = h.sni, h.version, strings.Join(h.alpn, ",")
		if offer, ok := parseClientHello(h.raw); ok {
			t.JA4, t.ECH = offer.ja4(), offer.ech
		}
	})
	if v, found := f.scan(t, f.target.host, place{name: "sni", text: h.sni}); found && v.Action.Blocks() {
		return v
	}
	return f.decide(&detect.Observation{Kind: detect.KindClientHello, Target: t})
}

// notInspected judges a tunnel that is not inspected. One that should be, and is
// not because the server spoke before the client's TLS began, is no TLS: a server
// that wants its client's bytes unread would only have to say one.
func (f *flow) notInspected(down *downward, h hello) proxy.Verdict {
	if f.wantsInspection(h) && down.n > 0 { // down is over: interrupt saw to it
		v := f.p.ownVerdict("egress.malformed-hello", "the server spoke before the ClientHello, so TLS cannot be inspected", false)
		f.note(v)
		if v.Action.Blocks() {
			return v
		}
	}
	return f.notSeen()
}

// notSeen holds f to the rules once more when it was let through because its
// requests were going to be seen, and now they are not.
func (f *flow) notSeen() proxy.Verdict {
	hoped := false
	t := f.learn(func(t *detect.Target) { hoped, t.Decrypted = t.Decrypted, false })
	if !hoped {
		return proxy.Verdict{Action: proxy.Allow}
	}
	return f.decide(&detect.Observation{Kind: detect.KindConnect, Target: t})
}

// alert refuses a client after the 200.
func (f *flow) alert(down *downward, c net.Conn, alert byte) {
	writeAlert(c, alert)
	f.cut()
	<-down.done
}

// downward copies from the server to the client.
type downward struct {
	upstream net.Conn
	done     chan struct{}
	n        int64
	err      error
}

// startDown starts to copy. Owner: whoever waits for done; it ends with either
// connection, or by interrupt.
func (f *flow) startDown(c, upstream net.Conn) *downward {
	d := &downward{upstream: upstream, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		defer f.p.recover(f.cut)
		d.n, d.err = io.Copy(c, upstream)
		f.tunnelled(inward, d.n)
		switch {
		case d.err == nil:
			_ = closeWrite(c) // the client may have left
		case !errors.Is(d.err, os.ErrDeadlineExceeded):
			f.cut()
		}
	}()
	return d
}

// interrupt stops copying, and reports whether nothing had come: then the server
// waits for the client, as with TLS. Otherwise it has already spoken, or ended.
func (d *downward) interrupt() bool {
	select {
	case <-d.done:
		return false
	default:
	}
	_ = d.upstream.SetReadDeadline(past) // an error shows in the copy
	<-d.done
	_ = d.upstream.SetReadDeadline(never)
	return d.n == 0 && errors.Is(d.err, os.ErrDeadlineExceeded)
}
