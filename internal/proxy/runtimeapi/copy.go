package runtimeapi

import (
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"

	"gatehouse/internal/proxy"
)

// silent drops the HTTP server's own log lines: a runtime that goes away in the
// middle of a request is told by Lambda's log already.
var silent = log.New(io.Discard, "", 0)

// hopByHop are the headers that belong to one connection (RFC 9110, 7.6.1).
// Framing is net/http's business on either side.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Transfer-Encoding", "Upgrade", "Expect", "Trailer",
}

// outgoing is req as it goes to the real Runtime API: same method, path, query,
// headers, body and trailers.
func outgoing(req *http.Request, upstream string) *http.Request {
	out := req.Clone(req.Context())
	out.URL.Scheme, out.URL.Host = "http", upstream
	out.RequestURI, out.Close = "", false
	dropHopByHop(out.Header)
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // else net/http puts its own
	}
	// The server fills the values of this very map when the body is at its end,
	// and the transport sends them then. A copy would stay empty.
	out.Trailer = req.Trailer
	if req.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return out
}

func dropHopByHop(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(textproto.TrimString(name))
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// reply writes res as it came: status, headers, body as it arrives, trailers.
func reply(w http.ResponseWriter, res *http.Response) {
	defer func() { _ = res.Body.Close() }() // read to its end, or the runtime is gone
	head(w, res)
	if err := stream(w, res); err != nil {
		panic(http.ErrAbortHandler) // the runtime must see a cut body as cut
	}
	for name, values := range res.Trailer {
		w.Header()[name] = values
	}
}

// head writes status and headers of res.
func head(w http.ResponseWriter, res *http.Response) {
	h := w.Header()
	for name, values := range res.Header {
		h[name] = values
	}
	dropHopByHop(h)
	for name := range res.Trailer {
		h.Add("Trailer", name)
	}
	if _, ok := res.Header["Date"]; !ok {
		h["Date"] = nil // else net/http puts its own
	}
	w.WriteHeader(res.StatusCode)
}

var buffers = sync.Pool{New: func() any { b := make([]byte, copySize); return &b }}

// stream copies res's body. A body of unknown length is flushed piece by piece,
// because somebody may be waiting for each.
func stream(w http.ResponseWriter, res *http.Response) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if res.ContentLength >= 0 {
		_, err := io.CopyBuffer(writerOnly{w}, res.Body, *buf)
		return err
	}
	flush := http.NewResponseController(w)
	for {
		n, err := res.Body.Read(*buf)
		if n > 0 {
			if _, werr := w.Write((*buf)[:n]); werr != nil {
				return werr
			}
			_ = flush.Flush() // a writer that cannot flush sends at the end
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// writerOnly hides ReadFrom, so that io.CopyBuffer uses the pooled buffer.
type writerOnly struct{ io.Writer }

// errHalted ends a response that was under way when the sandbox was halted.
var errHalted = errors.New("sandbox halted")

// The trailers with which a streaming response says that it failed.
const (
	trailerErrorType = "Lambda-Runtime-Function-Error-Type"
	trailerErrorBody = "Lambda-Runtime-Function-Error-Body"
)

// answerBody is the function's answer on its way up. It counts, and when the
// sandbox is halted or the answer is stopped, it ends: with error trailers where
// they were announced, which the caller sees as a clean failure, else cut short.
type answerBody struct {
	io.ReadCloser
	halted func() bool
	// given is what net/http fills when the body is at its end, trailer what goes
	// up then.
	given, trailer http.Header
	// errors looks through the error that trailers carry; nil does not.
	errors func() *proxy.Response

	// The transport may still read when Lambda has answered.
	n       atomic.Int64
	failed  atomic.Bool // it ended, with an error
	blocked atomic.Pointer[proxy.Verdict]
}

// announced returns the names of h alone: what net/http fills in while the other
// side may still look must not be the same map.
func announced(h http.Header) http.Header {
	if h == nil {
		return nil
	}
	out := make(http.Header, len(h))
	for name := range h {
		out[name] = nil
	}
	return out
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.halted() {
		return b.stop(errHalted, "stopped by gatehouse")
	}
	n, err := b.ReadCloser.Read(p)
	if blocked := (*blockedError)(nil); errors.As(err, &blocked) {
		b.blocked.Store(&blocked.verdict)
		return b.stop(err, blocked.verdict.Message())
	}
	b.n.Add(int64(n))
	if errors.Is(err, io.EOF) {
		b.end()
	}
	return n, err
}

// Close leaves the function's body open where it was stopped: the function goes on
// to send, and is listened to.
func (b *answerBody) Close() error {
	if b.blocked.Load() != nil {
		return nil
	}
	return b.ReadCloser.Close()
}

// end passes the trailers on.
func (b *answerBody) end() {
	for name, values := range b.given {
		b.trailer[name] = values
	}
	if b.trailer.Get(trailerErrorType) == "" {
		return
	}
	b.failed.Store(true)
	if b.errors == nil {
		return
	}
	if v := errorBody(b.errors(), b.trailer); v.Action.Blocks() {
		b.blocked.Store(&v)
		b.setError(v.Message())
	}
}

// stop ends the body for err's reason.
func (b *answerBody) stop(err error, message string) (int, error) {
	if _, ok := b.trailer[trailerErrorType]; !ok {
		return 0, err
	}
	b.setError(message)
	return 0, io.EOF
}

func (b *answerBody) setError(message string) {
	a := failure("Gatehouse.LeakBlocked", "Function.GatehouseLeakBlocked", message)
	b.trailer.Set(trailerErrorType, a.errorType)
	b.trailer.Set(trailerErrorBody, base64.StdEncoding.EncodeToString(a.body))
}
