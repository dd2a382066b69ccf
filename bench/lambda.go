package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Lambda plays Lambda's local APIs for one sandbox, as far as a measurement needs
// them. It is not the emulator: it only has to be quick.
type Lambda struct {
	// Registered and Ready take the time at which the extension asked to be
	// registered and for its first and every later event.
	Registered, Ready chan time.Time
	// Waiting takes the time at which the function asked for an event.
	Waiting chan time.Time
	// Telemetry takes where an extension wants telemetry, on this machine.
	Telemetry chan string
	// Failed takes what the extension or the function complained of.
	Failed chan string

	addr   string
	server *http.Server
	events chan Event
	invoke chan Event
}

// Event is one invocation, or the end of the sandbox.
type Event struct {
	ID       string
	Body     []byte
	Shutdown bool
}

const (
	arn     = "arn:aws:lambda:eu-central-1:123456789012:function:bench"
	timeout = 30 * time.Second // of the function
)

// NewLambda listens on a free port of loopback. The caller closes it.
func NewLambda() (*Lambda, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	a := &Lambda{
		Registered: make(chan time.Time, 1), Ready: make(chan time.Time, 1),
		Waiting: make(chan time.Time, 1), Telemetry: make(chan string, 1), Failed: make(chan string, 16),
		addr: l.Addr().String(), events: make(chan Event), invoke: make(chan Event, 1),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2020-01-01/extension/register", a.register)
	mux.HandleFunc("GET /2020-01-01/extension/event/next", a.extensionNext)
	mux.HandleFunc("PUT /2022-07-01/telemetry", a.subscribe)
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", accept)
	mux.HandleFunc("/", a.complain)
	a.server = &http.Server{Handler: mux}
	go func() { _ = a.server.Serve(l) }() // ends with Close
	return a, nil
}

// Close ends it and everything that waits on it.
func (a *Lambda) Close() { _ = a.server.Close() }

// Invoke hands the event to a function that is waiting, and tells the extension
// where there is one.
func (a *Lambda) Invoke(e Event, extension bool) {
	if extension {
		a.invoke <- e
	}
	a.events <- e
}

func (a *Lambda) register(w http.ResponseWriter, r *http.Request) {
	mark(a.Registered)
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Lambda-Extension-Identifier", "6b8f6a0c-6f3e-4f43-9f0e-2f6f3b0f1c11")
	_, _ = io.WriteString(w, `{"functionName":"bench","functionVersion":"$LATEST","handler":"bootstrap","accountId":"123456789012"}`)
}

func (a *Lambda) subscribe(w http.ResponseWriter, r *http.Request) {
	var wanted struct{ Destination struct{ URI string } }
	_ = json.NewDecoder(r.Body).Decode(&wanted) // without a destination nobody gets any
	if u, err := url.Parse(wanted.Destination.URI); err == nil && u.Port() != "" {
		select {
		case a.Telemetry <- "http://127.0.0.1:" + u.Port() + u.Path:
		default: // nobody takes it
		}
	}
	_, _ = io.WriteString(w, `"OK"`)
}

func (a *Lambda) extensionNext(w http.ResponseWriter, r *http.Request) {
	mark(a.Ready)
	select {
	case e := <-a.invoke:
		if e.Shutdown {
			fmt.Fprintf(w, `{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":%d}`, time.Now().Add(2*time.Second).UnixMilli())
			return
		}
		w.Header().Set("Lambda-Extension-Event-Identifier", e.ID)
		fmt.Fprintf(w, `{"eventType":"INVOKE","deadlineMs":%d,"requestId":%q,"invokedFunctionArn":%q}`, deadline(), e.ID, arn)
	case <-r.Context().Done():
	}
}

func (a *Lambda) next(w http.ResponseWriter, r *http.Request) {
	mark(a.Waiting)
	select {
	case e := <-a.events:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(e.Body)))
		h.Set("Lambda-Runtime-Aws-Request-Id", e.ID)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", arn)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-5e1b4151-43a0913a12345678901234567;Sampled=0")
		_, _ = w.Write(e.Body)
	case <-r.Context().Done():
	}
}

// accept takes a response as Lambda does.
func accept(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

// complain notes what a program should not ask in a measurement.
func (a *Lambda) complain(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	select {
	case a.Failed <- fmt.Sprintf("%s %s: %s", r.Method, r.URL.Path, body):
	default: // full: the first ones say enough
	}
	http.NotFound(w, r)
}

// await takes the next time from marks, or says why it does not come.
func (a *Lambda) await(ctx context.Context, marks <-chan time.Time, what string) (time.Time, error) {
	select {
	case t := <-marks:
		return t, nil
	case why := <-a.Failed:
		return time.Time{}, fmt.Errorf("waiting for %s: %s", what, why)
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("waiting for %s: %w", what, ctx.Err())
	}
}

func mark(marks chan<- time.Time) {
	now := time.Now()
	select {
	case marks <- now:
	default: // nobody takes them: the measurement has ended
	}
}

func deadline() int64 { return time.Now().Add(timeout).UnixMilli() }
