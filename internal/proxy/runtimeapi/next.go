package runtimeapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

// next gives the runtime its next event: the first one that the Guard lets
// through. What is refused is answered here, and the runtime goes on waiting.
func (r *Relay) next(w http.ResponseWriter, req *http.Request) {
	r.Guard.Sandbox.SawRuntime()
	if r.Guard.Sandbox.Halted() && r.Guard.Sandbox.Phase() != proxy.Init {
		<-req.Context().Done() // asking Lambda would say that all is well
		return
	}
	if r.answeredHanded() {
		r.finish()
	}
	for {
		res, err := r.await(req)
		if err != nil {
			return // the runtime has gone; there is nobody to tell
		}
		if res.StatusCode != http.StatusOK {
			reply(w, res)
			return
		}
		r.finish() // Lambda has gone on to the next one
		if r.judge(w, req, res) {
			return
		}
	}
}

// answeredHanded reports whether the event that the runtime has was answered, so
// that asking for the next one ends it. Without an answer Lambda refuses the next
// one, and code in the function that asks all the same must not end the
// invocation for us: what it does then would belong to none.
func (r *Relay) answeredHanded() bool {
	id, answered := r.handed.Load(), r.replied.Load()
	return id != nil && answered != nil && *id == *answered
}

// finish ends the invocation whose event the runtime had. On a managed instance
// several workers ask for events at once: there, an answer is the end.
func (r *Relay) finish() {
	if r.Guard.Sandbox.Concurrent {
		return
	}
	if id := r.handed.Swap(nil); id != nil {
		r.Guard.Finish(*id, "error") // a runtime that never answered
		r.done(*id)
	}
}

// hand notes which event the runtime has got.
func (r *Relay) hand(requestID string) {
	if !r.Guard.Sandbox.Concurrent && requestID != "" {
		r.handed.Store(&requestID)
	}
}

func (r *Relay) done(requestID string) {
	if r.Done != nil {
		r.Done(requestID)
	}
}

// await asks for the next event for as long as the runtime waits. A runtime
// takes an error here for a reason to exit, so a Runtime API that cannot be
// reached for a moment is asked again.
func (r *Relay) await(req *http.Request) (*http.Response, error) {
	pause := 5 * time.Millisecond
	for {
		res, err := r.up(outgoing(req, r.Upstream))
		if err == nil {
			return res, nil
		}
		select {
		case <-req.Context().Done():
			return nil, err
		case <-time.After(pause):
		}
		pause = min(2*pause, 500*time.Millisecond)
	}
}

// judge shows one event to the Guard and hands it on, or answers it. It reports
// whether the runtime has its event (or has gone).
func (r *Relay) judge(w http.ResponseWriter, req *http.Request, res *http.Response) bool {
	inv := invocation(res.Header)
	if r.Guard.Engine == nil {
		return r.uninspected(w, req, res, inv)
	}
	concurrent := r.Guard.Sandbox.Concurrent
	size := max(0, res.ContentLength)
	if held := r.inspecting.Add(size); concurrent && held > maxInspecting {
		r.inspecting.Add(-size)
		return r.unseen(w, req, res, inv)
	}
	defer r.inspecting.Add(-size)
	event, err := readEvent(res)
	if err != nil {
		panic(http.ErrAbortHandler) // the same cut that the runtime would have seen
	}
	inv.BytesIn = int64(len(event))
	if !concurrent {
		inv.Event = event
	}
	r.Guard.Sandbox.Begin(inv)
	if r.Guard.Sandbox.Halted() {
		<-req.Context().Done() // the halt answers it and takes us down
		return true
	}
	v := r.Guard.Decide(&detect.Observation{
		Kind: detect.KindEvent, RequestID: inv.RequestID, Event: event, Stop: stopAt(inv.Deadline),
	})
	switch {
	case v.Action == proxy.Quarantine:
		event = v.Event
		res.Header.Set("Content-Length", strconv.Itoa(len(event)))
	case v.Action.Blocks():
		if r.refuse(req.Context(), inv.RequestID, event, v) {
			return false
		}
		if r.Guard.FailClosed { // fail-closed, asked for: its time-out ends it
			<-req.Context().Done()
			return true
		}
		r.notRefused(inv.RequestID, len(event)) // fail-open
	}
	r.hand(inv.RequestID)
	head(w, res)
	_, _ = w.Write(event) // an error means that the runtime has gone
	return true
}

// uninspected hands an event on as it arrives, where none is inspected. It reports
// what judge does.
func (r *Relay) uninspected(w http.ResponseWriter, req *http.Request, res *http.Response, inv proxy.Invocation) bool {
	inv.BytesIn = max(0, res.ContentLength)
	r.Guard.Sandbox.Begin(inv)
	if r.Guard.Sandbox.Halted() {
		<-req.Context().Done() // the halt answers it and takes us down
		return true
	}
	r.hand(inv.RequestID)
	reply(w, res)
	return true
}

// unseen hands an event on that there is no room to inspect, or answers it where
// that is what a failure asks for. It reports what judge does.
func (r *Relay) unseen(w http.ResponseWriter, req *http.Request, res *http.Response, inv proxy.Invocation) bool {
	inv.BytesIn = res.ContentLength
	r.Guard.Sandbox.Begin(inv)
	v := r.Guard.Unseen(inv.RequestID, int(res.ContentLength), "memory")
	if v.Action.Blocks() {
		_ = res.Body.Close() // unread: the connection is not used again
		if r.refuse(req.Context(), inv.RequestID, nil, v) {
			return false
		}
		panic(http.ErrAbortHandler) // neither answered nor there: the same cut as without us
	}
	reply(w, res) // fail-open: the receipt says so
	return true
}

// refuse answers an event for the function, and reports whether Lambda took it.
func (r *Relay) refuse(ctx context.Context, id string, event []byte, v proxy.Verdict) bool {
	if err := r.post(ctx, id, refusal(event, v)); err != nil {
		return false
	}
	r.Guard.Sandbox.Update(id, func(inv *proxy.Invocation) { inv.Status = "refused" })
	r.Guard.Finish(id, "refused")
	r.done(id)
	return true
}

// notRefused notes that the function gets an event that was to be refused.
func (r *Relay) notRefused(id string, size int) {
	r.Guard.Sandbox.Update(id, func(inv *proxy.Invocation) {
		if inv.Receipt != nil {
			inv.Receipt.Dropped = 0
			inv.Receipt.Gaps = append(inv.Receipt.Gaps, detect.Gap{Reason: "not-refused", Bytes: size})
		}
	})
}

// readEvent reads the whole event: into one buffer of the right size where it
// is announced, as Lambda does.
func readEvent(res *http.Response) ([]byte, error) {
	defer func() { _ = res.Body.Close() }() // read to its end
	if res.ContentLength < 0 {
		return io.ReadAll(res.Body)
	}
	event := make([]byte, res.ContentLength)
	_, err := io.ReadFull(res.Body, event)
	if errors.Is(err, io.EOF) && len(event) == 0 {
		err = nil
	}
	return event, err
}

const headerRequestID = "Lambda-Runtime-Aws-Request-Id"

// invocation reads what Lambda says of an event.
func invocation(h http.Header) proxy.Invocation {
	inv := proxy.Invocation{
		RequestID: h.Get(headerRequestID),
		ARN:       h.Get("Lambda-Runtime-Invoked-Function-Arn"),
		TraceID:   h.Get("Lambda-Runtime-Trace-Id"),
		TenantID:  h.Get("Lambda-Runtime-Aws-Tenant-Id"),
		Started:   time.Now(),
	}
	if ms, err := strconv.ParseInt(h.Get("Lambda-Runtime-Deadline-Ms"), 10, 64); err == nil {
		inv.Deadline = time.UnixMilli(ms)
	}
	return inv
}

// maxInspection is the longest that one event may be held up, as wall clock.
const maxInspection = 2 * time.Second

// stopAt returns the wall-clock stop of an inspection: a fifth of the time that
// the invocation has left, at most maxInspection.
func stopAt(deadline time.Time) func() bool {
	limit := maxInspection
	if !deadline.IsZero() {
		limit = min(limit, time.Until(deadline)/5)
	}
	end := time.Now().Add(limit)
	return func() bool { return time.Now().After(end) }
}
