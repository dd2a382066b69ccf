// Package runtimeapi stands between the function's runtime and the Lambda
// Runtime API. Every path, header, status, trailer, stream and error passes
// unchanged; each event is shown to the Guard before the function can have it,
// and what the Guard refuses is answered here.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimeapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/proxy"
)

const (
	invocationPath = "/2018-06-01/runtime/invocation/"
	initErrorPath  = "/2018-06-01/runtime/init/error"
	restorePath    = "/2018-06-01/runtime/restore/next"
	// maxHeader lets the largest error cause through: the Python runtime client
	// sends up to 1 MiB of it in one header.
	maxHeader = 4 << 20
	// maxInspecting bounds the events that are held for inspection at once on a
	// managed instance; what is beyond it passes uninspected and is counted.
	maxInspecting = 32 << 20
	// copySize is the size of the buffers that bodies are copied with.
	copySize = 32 << 10
)

// Relay is the HTTP handler that the runtime takes for the Runtime API. Its
// fields are set once, before use.
type Relay struct {
	// Upstream is the real Runtime API, host:port.
	Upstream string
	// Guard judges events and knows the sandbox.
	Guard *proxy.Guard
	// Done, when set, is told which invocation is over: the runtime came for the
	// next event, or a refused one was answered. It may be told more than once.
	Done func(requestID string)
	// Gone, when set, is told of an invocation whose runtime holds no connection
	// any more: how its end shows where Lambda does not tell. A runtime that makes
	// a connection for each request is gone for a while, and comes back.
	Gone func(requestID string)
	// Restored, when set, is told that Lambda restored the sandbox from a snapshot
	// (SnapStart), before the runtime is.
	Restored func()

	transport  http.Transport
	once       sync.Once
	inspecting atomic.Int64 // bytes of events held for inspection
	conns      atomic.Int64
	handed     atomic.Pointer[string] // the request id that the runtime has; on-demand only
	replied    atomic.Pointer[string] // the request id that Lambda heard of last, well or ill
}

// Server returns an HTTP server for the relay: no time-outs, because a runtime
// may wait through a freeze of hours, and room for large headers.
func (r *Relay) Server() *http.Server {
	return &http.Server{
		Handler:           r,
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: 0, // a freeze would trip it
		ErrorLog:          silent,
		ConnState:         r.connState,
	}
}

// connState counts the runtime's connections.
func (r *Relay) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		r.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		if id := r.handed.Load(); r.conns.Add(-1) == 0 && id != nil && r.Gone != nil {
			r.Gone(*id)
		}
	}
}

// up makes one request of the real Runtime API.
func (r *Relay) up(req *http.Request) (*http.Response, error) {
	r.once.Do(func() {
		dial := net.Dialer{Timeout: 2 * time.Second}
		r.transport = http.Transport{
			// No proxy, whatever the environment says: it may name ourselves.
			DialContext:         dial.DialContext,
			DisableCompression:  true,
			MaxIdleConnsPerHost: 64,
		}
	})
	return r.transport.RoundTrip(req)
}

// ServeHTTP relays one request.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	defer r.Guard.Recover()
	path, call := req.URL.Path, ""
	if rest, ok := strings.CutPrefix(path, invocationPath); ok {
		call = rest
	}
	id, kind, _ := strings.Cut(call, "/")
	switch {
	case call == "next" && req.Method == http.MethodGet:
		r.next(w, req)
	case (kind == "response" || kind == "error") && req.Method == http.MethodPost:
		r.answer(w, req, id, kind)
	case path == initErrorPath && req.Method == http.MethodPost:
		r.initError(w, req)
	default:
		r.pass(w, req)
	}
}

// pass relays a request that is no business of ours.
func (r *Relay) pass(w http.ResponseWriter, req *http.Request) {
	res, err := r.up(outgoing(req, r.Upstream))
	if err != nil {
		unreachable(w, req)
		return
	}
	if req.URL.Path == restorePath && res.StatusCode == http.StatusOK && r.Restored != nil {
		r.Restored()
	}
	reply(w, res)
}

// unreachable answers for a Runtime API that does not. The runtime takes any
// status but 2xx for a failure, which is what it is.
func unreachable(w http.ResponseWriter, req *http.Request) {
	if req.Context().Err() != nil {
		return // the runtime has gone
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, `{"errorMessage":"the runtime api cannot be reached","errorType":"Gatehouse.Unreachable"}`)
}

// answer relays what the function made of an event. Once the sandbox is halted,
// the answer is swallowed: Lambda has been told otherwise.
func (r *Relay) answer(w http.ResponseWriter, req *http.Request, id, kind string) {
	if r.Guard.Sandbox.Halted() {
		swallow(w, req)
		return
	}
	out := outgoing(req, r.Upstream)
	if kind == "response" {
		r.complete(req, out, id)
	}
	out.Trailer = announced(req.Trailer)
	body := &answerBody{ReadCloser: out.Body, halted: r.Guard.Sandbox.Halted, given: req.Trailer, trailer: out.Trailer}
	defer r.sweep(req, body, id, kind)()
	if v := body.blocked.Load(); v != nil {
		r.blocked(w, req, id, *v)
		return
	}
	if out.Body != http.NoBody {
		out.Body = body
	}
	res, err := r.up(out)
	switch {
	case err == nil:
	case errors.Is(err, errHalted) || r.Guard.Sandbox.Halted():
		swallow(w, req)
		return
	case body.blocked.Load() != nil:
		r.blocked(w, req, id, *body.blocked.Load())
		return
	default:
		unreachable(w, req)
		return
	}
	switch res.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound: // no answer to anything
	default: // 413 says that Lambda has told the caller itself
		r.replied.Store(&id)
	}
	switch {
	case res.StatusCode == http.StatusAccepted:
		r.answered(id, kind, body)
	case res.StatusCode == http.StatusGone && r.Guard.Sandbox.Concurrent:
		r.Guard.Finish(id, "timeout") // too late: the caller has been told
	}
	if body.blocked.Load() != nil {
		_, _ = io.Copy(io.Discard, req.Body) // what the function goes on to say is not wanted
	}
	reply(w, res)
}

// answered notes that Lambda has the function's answer.
func (r *Relay) answered(id, kind string, body *answerBody) {
	status := "success"
	switch {
	case body.blocked.Load() != nil:
		status = "refused"
	case kind == "error" || body.failed.Load():
		status = "error"
	}
	r.Guard.Sandbox.Update(id, func(inv *proxy.Invocation) { inv.Status, inv.BytesOut = status, body.n.Load() })
	r.Guard.Sandbox.Responded(id)
	if r.Guard.Sandbox.Concurrent {
		r.Guard.Finish(id, status) // nothing says later that it is over
	}
}

// swallow takes an answer and keeps it.
func swallow(w http.ResponseWriter, req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`+"\n")
}

// FailUnanswered tells Lambda that every invocation that is still unanswered failed,
// because of v. It is the second step of a halt.
func (r *Relay) FailUnanswered(ctx context.Context, v proxy.Verdict) error {
	open, _ := r.Guard.Sandbox.At()
	var errs []error
	for _, inv := range open {
		if inv.Responded {
			continue
		}
		errs = append(errs, r.post(ctx, inv.RequestID, leakBlocked(v)))
		r.Guard.Finish(inv.RequestID, "error")
	}
	return errors.Join(errs...)
}
