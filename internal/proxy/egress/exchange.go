package egress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

// exchange is one request to the proxy, or on a decrypted connection, and its
// response.
type exchange struct {
	p      *Proxy
	client *client
	w      *responder
	f      *flow
	target detect.Target  // the flow's, with this request's method, path and URL
	body   *guarded       // what the client sends; nil when nothing
	rec    *record.Record // lists this request at hop; nil when it is not listed
	hop    int
	status int
	proto  int // the request's major version

	entered bool // the flow counts this request as under way

	blocked  atomic.Pointer[proxy.Verdict] // a leak in what was being sent
	badBody  atomic.Bool                   // the client's body was not what it said
	torn     atomic.Bool                   // the response ended before its end
	answered bool                          // the upstream's response is on its way
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

func (x *exchange) inspected() bool { return x.client.inspected != nil }

// serve lets goproxy handle r, with x at hand in the hooks. A panic, ours or the
// one that says that a response is cut short, ends the connection: net/http
// would make a complete response of it.
func (x *exchange) serve(w http.ResponseWriter, r *http.Request) {
	defer x.p.recover(func() {
		x.leave()
		panic(http.ErrAbortHandler)
	})
	x.client.handled.Store(true)
	x.client.reason.Store(nil)
	x.proto = r.ProtoMajor
	x.w = &responder{ResponseWriter: w, p: x.p}
	// A response may begin before the request has ended: net/http would swallow
	// the rest of the request. HTTP/2 says that it needs no asking.
	_ = http.NewResponseController(w).EnableFullDuplex()
	x.p.gate.ServeHTTP(x.w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
	x.endBody(r)
	x.leave()
	cut := x.answered && x.blocked.Load() != nil // too late for a 403
	if cut {
		x.f.count(func(c *proxy.Counters) { c.Refused++ })
	}
	if cut || x.torn.Load() {
		panic(http.ErrAbortHandler)
	}
}

const (
	// patience is how long a complete response waits for the end of its request
	// before it gives the client's connection up.
	patience = 50 * time.Millisecond
	// maxDrain bounds what is read of a request that nobody wants, in bytes.
	maxDrain = 256 << 10
)

// endBody sees to it that the request has been read to its end when net/http
// goes on to the next one, because net/http would trip over a reader of its own
// (golang/go: full duplex, onHitEOF after abortPendingRead). What does not end
// costs the connection.
func (x *exchange) endBody(r *http.Request) {
	if x.body == nil || r.ProtoMajor > 1 || x.body.ended() { // HTTP/2 ends its streams itself
		return
	}
	whole := make(chan bool, 1)
	go func() { // owner: endBody, which waits for it
		defer x.p.recover(func() { whole <- false })
		whole <- x.body.drain(maxDrain)
	}()
	timer := time.AfterFunc(patience, func() {
		x.client.over.Store(true)
		_ = http.NewResponseController(x.w.ResponseWriter).SetReadDeadline(past) // ends the read under way
	})
	if !<-whole {
		x.client.over.Store(true)
	}
	timer.Stop()
}

// newFlow makes the flow for a request to t.
func (x *exchange) newFlow(t target, via string) *flow {
	relay, _ := parseTarget(x.p.RuntimeAPI, 80)
	f := x.p.newFlow(t, via, t == relay || x.p.off())
	if t != relay {
		f.route()
	}
	return f
}

// malformed records a request that cannot be understood, and returns the answer.
func (x *exchange) malformed(r *http.Request) *http.Response {
	v := malformedRequest("400 Bad Request")
	if asked := cmp.Or(r.Host, r.RequestURI); asked != "" {
		v.Reason += fmt.Sprintf(", for %.80q", asked) // where to is the one thing worth keeping
	}
	f := x.f
	if f == nil {
		f = x.p.newFlow(target{}, via(r), x.p.off())
		defer f.close()
	}
	f.refused(v)
	resp := answer(r, http.StatusBadRequest, v.Message())
	resp.Header.Set("X-Gatehouse-Incident", v.Incident)
	return resp
}

func via(r *http.Request) string {
	if r.Method == http.MethodConnect {
		return "connect"
	}
	return "http"
}

// failure turns why there is no response into one: 403 for a verdict, 400 for a
// broken body, 504 and 502 for the upstream.
func (x *exchange) failure(r *http.Request, err error) *http.Response {
	var refused *refusal
	switch {
	case x.blocked.Load() != nil:
		return x.refuse(r, *x.blocked.Load())
	case errors.As(err, &refused):
		return x.refuse(r, refused.verdict)
	case x.badBody.Load():
		return x.malformed(r)
	case err == nil:
		err = errors.New("no response")
	}
	x.f.failed(err.Error())
	status := http.StatusBadGateway
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		status = http.StatusGatewayTimeout
	}
	return answer(r, status, "gatehouse: "+err.Error())
}

// refuse answers 403 for v. After a leak the connection ends, too, unless there are
// other streams on it, which are nobody's fault.
func (x *exchange) refuse(r *http.Request, v proxy.Verdict) *http.Response {
	x.f.count(func(c *proxy.Counters) { c.Refused++ })
	resp := x.turnDown(r, http.StatusForbidden, v)
	if len(v.Findings) > 0 && x.proto < 2 {
		resp.Header.Set("Connection", "close")
	}
	return resp
}

// turnDown answers r with v in words, header and reason phrase.
func (x *exchange) turnDown(r *http.Request, status int, v proxy.Verdict) *http.Response {
	phrase := strconv.Itoa(status) + " " + reasonPhrase(status, v)
	x.client.reason.Store(&phrase)
	resp := answer(r, status, v.Message())
	resp.Status = phrase
	resp.Header.Set("X-Gatehouse-Incident", v.Incident)
	return resp
}

// busy answers 503 for a flow that was not admitted, and ends it.
func (x *exchange) busy(r *http.Request, f *flow, err error) *http.Response {
	v := tooMany(err)
	f.refused(v)
	f.close()
	return x.turnDown(r, http.StatusServiceUnavailable, v)
}

// tooMany is the verdict on what there is no room for, in any mode.
func tooMany(err error) proxy.Verdict {
	return proxy.Verdict{
		Action: proxy.Refuse, Would: proxy.Refuse, Incident: record.NewID(),
		Rule: "egress.too-many-connections", Reason: err.Error(),
	}
}

// answer is a response of our own to r.
func answer(r *http.Request, status int, text string) *http.Response {
	text += "\n"
	return &http.Response{
		StatusCode: status, Status: strconv.Itoa(status) + " " + http.StatusText(status),
		ProtoMajor: 1, ProtoMinor: r.ProtoMinor, Request: r,
		Header: http.Header{
			"Content-Type":   {"text/plain; charset=utf-8"},
			"Content-Length": {strconv.Itoa(len(text))},
		},
		ContentLength: int64(len(text)),
		Body:          io.NopCloser(strings.NewReader(text)),
	}
}
