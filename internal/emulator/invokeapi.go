package emulator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxWaiting bounds the invocations of type Event that wait for the sandbox.
const maxWaiting = 1000

// Handler is the Invoke endpoint,
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html, and the one
// for streamed responses. It asks for no signature and, unlike AWS's, passes
// on events that are not JSON. An invocation of type Event is not repeated
// when it fails.
func (l *Lambda) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", l.handleInvoke)
	mux.HandleFunc("POST /2021-11-15/functions/{name}/response-streaming-invocations", l.handleInvokeStream)
	return mux
}

// request reads an invocation, or answers that it cannot be made.
func (l *Lambda) request(w http.ResponseWriter, r *http.Request, most int64) (Input, bool) {
	var in Input
	if !l.isNamed(r.PathValue("name")) {
		deny(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+l.cfg.arn())
		return in, false
	}
	event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		deny(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException",
			fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", most))
		return in, false
	}
	if err != nil {
		deny(w, http.StatusBadRequest, "InvalidRequestContentException", err.Error())
		return in, false
	}
	client, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-Client-Context"))
	if err != nil {
		deny(w, http.StatusBadRequest, "InvalidRequestContentException", "Client context must be base64-encoded JSON.")
		return in, false
	}
	return Input{
		Event: event, RequestID: newUUID(), ClientContext: string(client),
		TenantID: r.Header.Get("X-Amz-Tenant-Id"), TraceID: r.Header.Get("X-Amzn-Trace-Id"),
		LogTail: r.Header.Get("X-Amz-Log-Type") == "Tail",
	}, true
}

// isNamed accepts a name, a partial or whole ARN, each with a version or not.
func (l *Lambda) isNamed(name string) bool {
	if _, rest, ok := strings.Cut(name, "function:"); ok {
		name = rest
	}
	name, _, _ = strings.Cut(name, ":")
	return name == l.cfg.FunctionName || name == "function"
}

func (l *Lambda) handleInvoke(w http.ResponseWriter, r *http.Request) {
	kind := r.Header.Get("X-Amz-Invocation-Type")
	most := int64(MaxEvent)
	if kind == "Event" {
		most = MaxAsyncEvent
	}
	in, ok := l.request(w, r, most)
	if !ok {
		return
	}
	w.Header().Set("X-Amzn-RequestId", in.RequestID)
	switch kind {
	case "", "RequestResponse":
		l.invokeAndAnswer(w, r, in)
	case "Event":
		l.invokeLater(w, in)
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
	default:
		deny(w, http.StatusBadRequest, "InvalidParameterValueException", fmt.Sprintf("invocation type %q is unknown", kind))
	}
}

func (l *Lambda) invokeAndAnswer(w http.ResponseWriter, r *http.Request, in Input) {
	out, err := l.Invoke(r.Context(), in)
	if err != nil {
		deny(w, http.StatusInternalServerError, "ServiceException", err.Error())
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amz-Executed-Version", version)
	if out.FunctionError != "" {
		h.Set("X-Amz-Function-Error", out.FunctionError)
	}
	if in.LogTail {
		h.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(out.LogTail))
	}
	w.WriteHeader(out.StatusCode)
	_, _ = w.Write(out.Payload) // the caller went away
}

// invokeLater answers at once and runs the invocation when the sandbox is free.
func (l *Lambda) invokeLater(w http.ResponseWriter, in Input) {
	select {
	case l.async <- struct{}{}:
	default:
		deny(w, http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
		return
	}
	l.mu.Lock()
	if !l.closed { // or Shutdown might not wait for it
		l.wg.Go(func() { // ends with the invocation, or with Shutdown
			defer func() { <-l.async }()
			_, _ = l.Invoke(context.Background(), in) // nobody waits; the log has it
		})
	}
	l.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func (l *Lambda) handleInvokeStream(w http.ResponseWriter, r *http.Request) {
	in, ok := l.request(w, r, MaxEvent)
	if !ok {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/vnd.amazon.eventstream")
	h.Set("X-Amz-Executed-Version", version)
	h.Set("X-Amzn-RequestId", in.RequestID)
	in.Stream = &chunks{w}
	out, err := l.Invoke(r.Context(), in)
	if err != nil {
		deny(w, http.StatusInternalServerError, "ServiceException", err.Error())
		return
	}
	end := struct {
		ErrorCode    string `json:",omitempty"`
		ErrorDetails string `json:",omitempty"`
		LogResult    string `json:",omitempty"`
	}{}
	if in.LogTail {
		end.LogResult = base64.StdEncoding.EncodeToString(out.LogTail)
	}
	if out.FunctionError != "" {
		end.ErrorCode, end.ErrorDetails = out.problem()
	} else if len(out.Payload) > 0 {
		_, _ = in.Stream.Write(out.Payload) // the caller went away
	}
	body, err := json.Marshal(end)
	if err == nil { // three strings
		_, _ = w.Write(eventFrame("InvokeComplete", "application/json", body))
	}
}

// problem is the error type and the error's JSON of a failed stream.
func (o *Output) problem() (code, details string) {
	if kind := o.Trailers.Get(headerErrorType); kind != "" {
		body, err := base64.StdEncoding.DecodeString(o.Trailers.Get(headerErrorBody))
		if err == nil {
			return kind, string(body)
		}
	}
	var said struct{ ErrorType string }
	_ = json.Unmarshal(o.Payload, &said) // what is no JSON has no type
	return said.ErrorType, string(o.Payload)
}

// deny answers an Invoke request with an error of the service.
func deny(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("X-Amzn-ErrorType", kind)
	origin := "User"
	if status >= 500 {
		origin = "Service"
	}
	reply(w, status, map[string]string{"Type": origin, "Message": message})
}
