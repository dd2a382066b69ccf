package runtimeapi

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"sync"

	"gatehouse/internal/proxy"
)

// maxResponse is the largest response that Lambda takes at once, in bytes; it is
// what is held of one that may be refused. Lambda refuses longer ones itself.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxResponse = 6291556

// maxKept is how much of a response is kept as a rule to look at with what follows
// it, in bytes.
const maxKept = 6 << 10

// blockedError ends a response that a verdict stopped.
type blockedError struct{ verdict proxy.Verdict }

func (e *blockedError) Error() string { return e.verdict.Message() }

// sweep has body looked through. A response that may be refused is read first,
// unless it is a stream, whose beginning somebody waits for: body.blocked is set
// where it is refused by then. The function that is returned lets go of what was
// held.
func (r *Relay) sweep(req *http.Request, body *answerBody, id, kind string) (done func()) {
	done = func() {}
	look := r.Guard.Response(id, kind)
	if look == nil || body.ReadCloser == http.NoBody {
		return done
	}
	s := &swept{src: body.ReadCloser, look: look, expect: req.ContentLength}
	body.ReadCloser = s
	body.errors = func() *proxy.Response { return r.Guard.Response(id, "error") }
	streaming := req.Header.Get("Lambda-Runtime-Function-Response-Mode") == "streaming"
	if streaming || look.Action() != proxy.Refuse {
		return done
	}
	size := req.ContentLength
	if size < 0 || size > maxResponse {
		size = maxResponse
	}
	held := r.inspecting.Add(size)
	done = func() { r.inspecting.Add(-size) }
	if r.Guard.Sandbox.Concurrent && held > maxInspecting {
		return done // it is stopped on its way, if need be
	}
	body.hold(s, size)
	return done
}

// hold reads up to limit bytes of the response before it goes on.
func (b *answerBody) hold(s *swept, limit int64) {
	var whole bytes.Buffer
	whole.Grow(int(min(limit, max(0, s.expect))) + bytes.MinRead)
	_, err := io.CopyN(&whole, s, limit)
	if blocked := (*blockedError)(nil); errors.As(err, &blocked) {
		b.blocked.Store(&blocked.verdict)
		return
	}
	// An error shows again when the rest is read.
	b.ReadCloser = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&whole, s), s}
}

// blocked tells Lambda that the invocation failed, in the place of an answer that
// is not to leave, and the runtime that all is well: it has done its part.
func (r *Relay) blocked(w http.ResponseWriter, req *http.Request, id string, v proxy.Verdict) {
	err := r.post(req.Context(), id, leakBlocked(v))
	if err != nil && req.Context().Err() == nil {
		unreachable(w, req) // closed: nothing left, and the runtime fails as it would without us
		return
	}
	r.replied.Store(&id)
	r.Guard.Sandbox.Update(id, func(inv *proxy.Invocation) { inv.Status = "refused" })
	r.Guard.Sandbox.Responded(id)
	if r.Guard.Sandbox.Concurrent {
		r.Guard.Finish(id, "refused")
	}
	swallow(w, req)
}

// initError relays what the function says of an init that failed. One that may not
// leave is replaced: there is no invocation yet that could fail in its place.
func (r *Relay) initError(w http.ResponseWriter, req *http.Request) {
	out := outgoing(req, r.Upstream)
	out.Trailer = announced(req.Trailer)
	body := &answerBody{ReadCloser: out.Body, halted: func() bool { return false }, given: req.Trailer, trailer: out.Trailer}
	defer r.sweep(req, body, "", "error")()
	if v := body.blocked.Load(); v != nil {
		a := leakBlocked(*v)
		out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(a.body)), int64(len(a.body)), nil
		out.Header.Set(trailerErrorType, a.errorType)
	} else if out.Body != http.NoBody {
		out.Body = body
	}
	res, err := r.up(out)
	if err != nil {
		unreachable(w, req)
		return
	}
	reply(w, res)
}

// swept is a response that is looked through while it is read: it gives what may
// leave, and holds back nothing but what may be the beginning of a secret.
type swept struct {
	src    io.ReadCloser
	look   *proxy.Response
	expect int64 // its length; -1 where that is not known

	window      []byte // what the sweep looks at: kept bytes, then new ones
	left, ready int    // of window: what was given, and what may be
	keep        int    // how much of its end the next one begins with
	err         error
}

func (s *swept) Close() error { return s.src.Close() }

func (s *swept) Read(p []byte) (int, error) {
	for s.left == s.ready && s.err == nil {
		s.fill(len(p))
	}
	n := copy(p, s.window[s.left:s.ready])
	s.left += n
	if n > 0 {
		return n, nil
	}
	s.release()
	return 0, s.err
}

// windows holds windows of full size between responses.
var windows sync.Pool // of *[]byte

// release gives the window back at the response's end.
func (s *swept) release() {
	if cap(s.window) >= copySize+maxKept {
		w := s.window[:0]
		windows.Put(&w)
	}
	s.window, s.left, s.ready, s.keep = nil, 0, 0, 0
}

// fill reads what there is, up to size bytes, so that a reader gets a piece as he
// would without us, and has it looked at.
func (s *swept) fill(size int) {
	held := len(s.window) - s.ready
	fresh := s.slide()
	n, err := s.src.Read(s.window[fresh:min(cap(s.window), fresh+size)])
	s.window = s.window[:fresh+n]
	s.left = fresh - held
	last := errors.Is(err, io.EOF)
	keep, wait, v := s.look.Look(s.window, fresh, last)
	if v.Action.Blocks() {
		err = &blockedError{v}
	}
	s.keep, s.ready, s.err = keep, max(s.left, len(s.window)-wait), err
}

// slide makes room for the next piece behind what is kept, and returns where it
// comes.
func (s *swept) slide() int {
	kept := s.window[len(s.window)-s.keep:]
	room := int64(copySize)
	if s.expect >= 0 {
		room = min(room, s.expect+1) // for the end
	}
	if need := s.keep + int(room); cap(s.window) < need {
		s.window = append(newWindow(need+int(min(room, maxKept))), kept...)
	} else {
		s.window = append(s.window[:0], kept...)
	}
	return len(s.window)
}

// newWindow returns an empty window with room for n bytes.
func newWindow(n int) []byte {
	if w, ok := windows.Get().(*[]byte); ok && cap(*w) >= n && n > copySize {
		return *w
	}
	return make([]byte, 0, n)
}

// errorBody has the error that trailers carry looked through. What is masked is
// masked in trailer.
func errorBody(look *proxy.Response, trailer http.Header) (v proxy.Verdict) {
	text, err := base64.StdEncoding.DecodeString(trailer.Get(trailerErrorBody))
	if look == nil || err != nil || len(text) == 0 {
		return v
	}
	before := bytes.Clone(text)
	_, _, v = look.Look(text, 0, true)
	if !bytes.Equal(text, before) {
		trailer.Set(trailerErrorBody, base64.StdEncoding.EncodeToString(text))
	}
	return v
}
