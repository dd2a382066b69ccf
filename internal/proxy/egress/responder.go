package egress

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// responder writes a response as the upstream sent it: without what net/http
// would add, and without waiting for more.
type responder struct {
	http.ResponseWriter
	p    *Proxy
	gone bool // hijacked: what is still written is goproxy's way to end

	// headOnly: the response ended with its head, which in HTTP/2 is something else than
	// an empty body. gRPC's clients know a status only there, or in trailers.
	headOnly bool
}

func (w *responder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack loses no byte that net/http has read already.
func (w *responder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, err := hijack(w.ResponseWriter)
	if err != nil {
		return nil, nil, err
	}
	w.gone = true
	return c, nil, nil
}

// WriteHeader tells a response of unknown length at once: it may be a stream.
func (w *responder) WriteHeader(code int) {
	if w.gone {
		return
	}
	h := w.Header()
	for _, name := range []string{"Content-Type", "Date"} {
		if _, ok := h[name]; !ok {
			h[name] = nil
		}
	}
	if w.headOnly {
		h["Content-Length"] = nil // net/http would add one
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.ResponseWriter.WriteHeader(code)
	if h.Get("Content-Length") == "" && code != http.StatusNoContent && code != http.StatusNotModified {
		w.Flush()
	}
}

func (w *responder) Write(p []byte) (int, error) {
	if w.gone {
		return len(p), nil
	}
	n, err := w.ResponseWriter.Write(p)
	w.Flush()
	return n, err
}

func (w *responder) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // an error shows at the next write
}

// ReadFrom copies a response without a new buffer for each.
func (w *responder) ReadFrom(r io.Reader) (int64, error) {
	buf, _ := w.p.buffers.Get().(*[copySize]byte)
	if buf == nil {
		buf = new([copySize]byte)
	}
	defer w.p.buffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buf[:])
}

// copySize is the most that is moved at once, in bytes.
const copySize = 32 << 10
