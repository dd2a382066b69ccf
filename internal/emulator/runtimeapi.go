package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Headers and trailers of the Runtime API,
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
const (
	headerErrorType    = "Lambda-Runtime-Function-Error-Type"
	headerErrorBody    = "Lambda-Runtime-Function-Error-Body"
	headerResponseMode = "Lambda-Runtime-Function-Response-Mode"
)

// errorTypes are those that telemetry repeats.
var errorTypes = regexp.MustCompile(`^(Runtime|Function)\.[A-Z][a-zA-Z]+`)

func knownErrorType(t string) string {
	switch {
	case errorTypes.MatchString(t):
		return t
	case strings.HasPrefix(t, "Function."):
		return "Function.Unknown"
	}
	return "Runtime.Unknown"
}

// handleNext waits for an invocation. Nothing but the client ends the wait.
func (s *sandbox) handleNext(w http.ResponseWriter, r *http.Request) {
	inv := s.next(r.Context())
	if inv == nil {
		return // the runtime went away
	}
	h := w.Header()
	for name, value := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id":       inv.id,
		"Lambda-Runtime-Deadline-Ms":          strconv.FormatInt(inv.deadline.UnixMilli(), 10),
		"Lambda-Runtime-Invoked-Function-Arn": inv.arn,
		"Lambda-Runtime-Trace-Id":             inv.in.TraceID,
		"Lambda-Runtime-Client-Context":       inv.in.ClientContext,
		"Lambda-Runtime-Aws-Tenant-Id":        inv.in.TenantID,
		"Content-Type":                        "application/json",
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(inv.in.Event)))
	_, _ = w.Write(inv.in.Event) // a runtime that went away exits, which is seen
}

// next marks the runtime as ready and waits for its next invocation.
func (s *sandbox) next(ctx context.Context) *invocation {
	s.mu.Lock()
	s.runtimeUp = true
	for _, inv := range s.open {
		if s.cfg.managed() || !inv.delivered {
			continue
		}
		if !inv.answered { // asked twice: shown twice
			s.mu.Unlock()
			return inv
		}
		inv.returned = true
	}
	s.notify()
	s.mu.Unlock()
	var inv *invocation
	_ = s.awaitAnyway(ctx, func() bool { // on an error inv is nil
		if len(s.queue) == 0 {
			return false
		}
		inv, s.queue = s.queue[0], s.queue[1:]
		inv.delivered = true
		return true
	})
	return inv
}

// awaitAnyway is await that outlasts a fault: it is for those who will be
// killed for it.
func (s *sandbox) awaitAnyway(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		done, changed := ok(), s.changed
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// claim finds the invocation that a response or an error is for; otherwise it
// answers the runtime itself.
func (s *sandbox) claim(w http.ResponseWriter, r *http.Request, to string) *invocation {
	s.mu.Lock()
	id := r.PathValue("id")
	inv := s.open[id]
	late := s.takeLate(id)
	twice := inv != nil && inv.claimed
	ok := inv != nil && inv.delivered && !twice
	if ok {
		inv.claimed = true
	}
	s.mu.Unlock()
	switch {
	case ok:
		return inv
	case late:
		refuse(w, http.StatusGone, "InvokeTimeout", "Invoke timeout")
	case twice:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", fmt.Sprintf(
			"State transition from RuntimeResponseSentState to %s failed for runtime. Error: State transition is not allowed", to))
	default:
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
	}
	return nil
}

// settle answers the caller of inv and moves the invocation on. It reports
// false when the caller had been answered otherwise, by a time-out.
func (s *sandbox) settle(inv *invocation, change func(*Output)) bool {
	first := inv.finish(change)
	s.change(func() { inv.answered = true })
	return first
}

// answerRuntime tells the runtime that its answer arrived, in time or not.
func (s *sandbox) answerRuntime(w http.ResponseWriter, inTime bool) {
	if !inTime && s.cfg.managed() {
		refuse(w, http.StatusGone, "InvokeTimeout", "Invoke timeout")
		return
	}
	accept(w)
}

func (s *sandbox) handleResponse(w http.ResponseWriter, r *http.Request) {
	inv := s.claim(w, r, "InvocationResponse")
	if inv == nil {
		return
	}
	mode := r.Header.Get(headerResponseMode)
	if mode != "" && mode != "streaming" {
		s.settle(inv, inv.failed("Runtime.InvalidResponseModeHeader", "Invalid response mode header "+strconv.Quote(mode)))
		refuse(w, http.StatusBadRequest, "InvalidFunctionResponseMode", "Invalid function response mode")
		return
	}
	streamed := mode == "streaming"
	inv.mu.Lock()
	inv.out.Streamed, inv.out.ContentType = streamed, r.Header.Get("Content-Type")
	inv.mu.Unlock()
	size, err := inv.receive(r.Body, streamed)
	switch {
	case errors.Is(err, errTooLarge):
		s.settle(inv, inv.failed("Function.ResponseSizeTooLarge", fmt.Sprintf(
			"Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).", size, MaxResponse)))
		refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
			fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxResponse))
	case err != nil:
		s.settle(inv, inv.failed("Runtime.TruncatedResponse", "Response was truncated"))
		refuse(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
	default:
		s.answerRuntime(w, s.settle(inv, inv.completed(r.Trailer)))
	}
}

// errTooLarge says that a response that is not streamed exceeds MaxResponse,
// or a streamed one MaxStream.
var errTooLarge = errors.New("response too large")

// receive reads a response and returns its size. One that is too large is read
// to its end, for its size.
func (inv *invocation) receive(body io.Reader, streamed bool) (size int64, err error) {
	most := int64(MaxResponse)
	if streamed {
		most = MaxStream
	}
	buf := make([]byte, 64*1024)
	for {
		n, err := body.Read(buf)
		size += int64(n)
		if n > 0 && size <= most {
			inv.write(buf[:n], streamed)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return size, err
		}
	}
	if size > most {
		return size, errTooLarge
	}
	return size, nil
}

// completed is a response that came to its end; its trailers may still say
// that the function failed on the way.
func (inv *invocation) completed(trailers http.Header) func(*Output) {
	return func(o *Output) {
		o.Trailers = http.Header{}
		for name, values := range trailers {
			if len(values) > 0 {
				o.Trailers[name] = values
			}
		}
		if kind := o.Trailers.Get(headerErrorType); kind != "" {
			inv.errorType = knownErrorType(kind)
			o.FunctionError = unhandled
		}
	}
}

func (s *sandbox) handleError(w http.ResponseWriter, r *http.Request) {
	inv := s.claim(w, r, "InvocationErrorResponse")
	if inv == nil {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxResponse))
	if err != nil {
		body = errorBody("Runtime.TruncatedResponse", "Response was truncated")
	}
	kind := knownErrorType(r.Header.Get(headerErrorType))
	inTime := s.settle(inv, func(o *Output) {
		inv.errorType = kind
		o.FunctionError, o.ContentType, o.Payload = unhandled, r.Header.Get("Content-Type"), body
	})
	s.answerRuntime(w, inTime)
}

func (s *sandbox) handleInitError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxResponse))
	if err != nil {
		refuse(w, http.StatusBadRequest, "TruncatedHTTPRequest", "HTTP request detected as truncated")
		return
	}
	s.mu.Lock()
	ok := !s.runtimeUp && s.initError == nil
	if ok {
		s.initError = &fault{kind: knownErrorType(r.Header.Get(headerErrorType)), body: body}
	}
	s.mu.Unlock()
	if !ok {
		refuse(w, http.StatusForbidden, "InvalidStateTransition",
			"State transition from Ready to InitError failed for runtime. Error: State transition is not allowed")
		return
	}
	accept(w)
}
