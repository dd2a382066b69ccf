package emulator

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// The ends that an invocation can have, as telemetry names them.
const (
	statusSuccess = "success"
	statusError   = "error"
	statusTimeout = "timeout"
)

// unhandled is what X-Amz-Function-Error says of every error.
const unhandled = "Unhandled"

// Input is one invocation.
type Input struct {
	Event []byte
	// RequestID is the invocation's id, a random one when empty.
	RequestID string
	// ClientContext is JSON that a mobile client sent, not base64.
	ClientContext string
	TenantID      string
	// TraceID is the X-Ray header, a made-up one when empty.
	TraceID string
	// Stream gets a streamed response as it comes, nil collects it in
	// Output.Payload. It is not written to any more once Invoke returned.
	Stream io.Writer
	// LogTail makes Invoke wait for the end of the invocation, extensions
	// included, and return the last 4 KiB of its log.
	LogTail bool
}

// Output is what the caller of an invocation gets.
type Output struct {
	RequestID string
	// Payload is the response, or the error as JSON. It is empty for a
	// response that went to Input.Stream.
	Payload []byte
	// FunctionError is "" or "Unhandled".
	FunctionError string
	// StatusCode is 200 even for an error of the function; 400 when a managed
	// instance has no runtime at rest.
	StatusCode int
	LogTail    []byte
	// Duration is the time from when the invocation had the sandbox to itself
	// until its response was complete. Extensions may work on.
	Duration    time.Duration
	ContentType string
	// Trailers are those that the runtime sent after its response.
	Trailers http.Header
	// Streamed says that the runtime chose the streaming response mode.
	Streamed bool
}

// invocation is one Input on its way through a sandbox.
type invocation struct {
	in       Input
	id       string
	arn      string
	deadline time.Time
	began    time.Time
	ended    chan struct{} // closed when runtime and extensions are done with it
	tail     []byte        // the journal's

	// Guarded by the sandbox's mutex.
	delivered, claimed, answered, returned bool

	mu       sync.Mutex // held while Stream is written to
	finished bool
	out      Output
	answer   chan *Output // gets one value
	// What the runtime did and when, for the telemetry.
	errorType         string
	produced          int64
	firstByte, toward time.Time // of the response: begun, complete
}

func newInvocation(in Input, c *Config) *invocation {
	if in.RequestID == "" {
		in.RequestID = newUUID()
	}
	if in.TraceID == "" {
		in.TraceID = fmt.Sprintf("Root=1-%08x-%x;Parent=%x;Sampled=0", time.Now().Unix(), randomBytes(12), randomBytes(8))
	}
	return &invocation{
		in: in, id: in.RequestID, arn: c.arn(),
		ended: make(chan struct{}), answer: make(chan *Output, 1),
	}
}

// begin starts the clock.
func (inv *invocation) begin(timeout time.Duration) {
	inv.began = time.Now()
	inv.deadline = inv.began.Add(timeout)
}

// write takes a part of the response; only a streamed one goes on at once.
// It reports false when the caller has got an answer already.
func (inv *invocation) write(p []byte, streamed bool) bool {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if inv.finished {
		return false
	}
	if inv.firstByte.IsZero() {
		inv.firstByte = time.Now()
	}
	inv.produced += int64(len(p))
	if !streamed || inv.in.Stream == nil {
		inv.out.Payload = append(inv.out.Payload, p...)
		return true
	}
	if _, err := inv.in.Stream.Write(p); err == nil {
		if f, ok := inv.in.Stream.(http.Flusher); ok {
			f.Flush()
		}
	}
	return true // a caller who went away does not stop the function
}

// finish answers the caller; only the first answer counts. change completes
// the output, which holds the response's bytes so far.
func (inv *invocation) finish(change func(*Output)) bool {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if inv.finished {
		return false
	}
	inv.finished = true
	inv.toward = time.Now()
	if inv.firstByte.IsZero() {
		inv.firstByte = inv.toward
	}
	inv.out.RequestID = inv.id
	inv.out.StatusCode = http.StatusOK
	if !inv.began.IsZero() {
		inv.out.Duration = inv.toward.Sub(inv.began)
	}
	change(&inv.out)
	out := inv.out
	inv.answer <- &out
	return true
}

// fail answers the caller with an error of the platform.
func (inv *invocation) fail(f *fault) {
	inv.finish(inv.failedWith(f.kind, f.payload(inv.id)))
}

// failed is an output that says that the response could not be used.
func (inv *invocation) failed(kind, message string) func(*Output) {
	return inv.failedWith(kind, errorBody(kind, message))
}

// failedWith makes an error of the output. A caller who has seen a part of a
// stream can only be told by trailers.
func (inv *invocation) failedWith(kind string, body []byte) func(*Output) {
	return func(o *Output) {
		inv.errorType = kind
		o.FunctionError = unhandled
		if o.Streamed && inv.produced > 0 {
			o.Trailers = http.Header{headerErrorType: {kind}, headerErrorBody: {base64.StdEncoding.EncodeToString(body)}}
			return
		}
		o.ContentType, o.Payload = "application/json", body
	}
}

// trace is the invocation's trace for telemetry.
func (inv *invocation) trace() *traceRecord {
	return &traceRecord{Type: "X-Amzn-Trace-Id", Value: inv.in.TraceID}
}

// fault is why a sandbox, or an invocation in it, came to an end.
type fault struct {
	kind    string // Runtime.ExitError, Sandbox.Timedout, …
	message string
	body    []byte // what the runtime said itself, in place of the message
	status  string // statusError when empty
}

func (f *fault) Error() string { return f.kind + ": " + f.message }

func (f *fault) payload(requestID string) []byte {
	if f.body != nil {
		return f.body
	}
	return errorBody(f.kind, fmt.Sprintf("RequestId: %s Error: %s", requestID, f.message))
}

func timedOut(after time.Duration) *fault {
	return &fault{
		kind:    "Sandbox.Timedout",
		message: fmt.Sprintf("Task timed out after %.2f seconds", after.Seconds()),
		status:  statusTimeout,
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func newUUID() string {
	b := randomBytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
