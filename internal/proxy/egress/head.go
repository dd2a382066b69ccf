package egress

import "bytes"

// headScan reads a request's head along with net/http, for what net/http does not tell:
// both Content-Length and Transfer-Encoding, on which two readers disagree where the
// request ends (RFC 9112, 6.3), and the order of the headers. It sees heads that
// begin with a read, so all but those of pipelined requests; what leaves is
// written anew by us in either case.
type headScan struct {
	armed    bool
	begun    bool   // the request line was seen
	line     []byte // the present line, at most maxLine bytes of it
	length   bool
	encoding bool
	names    []byte // of the headers, as sent, a line each
}

// maxLine is as much of a header line as its name needs, where that matters.
const maxLine = 64

// again is h for the next head.
func (h *headScan) again() headScan {
	return headScan{armed: true, line: h.line[:0], names: h.names[:0]}
}

func (h *headScan) scan(p []byte) {
	for h.armed && len(p) > 0 {
		text, rest, whole := bytes.Cut(p, []byte("\n"))
		h.line = append(h.line, text[:min(len(text), max(0, maxLine-len(h.line)))]...)
		if !whole {
			return
		}
		h.take(bytes.TrimSuffix(h.line, []byte("\r")))
		h.line, p = h.line[:0], rest
	}
}

func (h *headScan) take(line []byte) {
	switch {
	case !h.begun:
		h.begun = true
		h.armed = bytes.IndexByte(line, ' ') > 0 // else no request line: the rest of another head
	case len(line) == 0:
		h.armed = false
	default:
		name, _, _ := bytes.Cut(line, []byte(":"))
		name = bytes.TrimSpace(name)
		h.names = append(append(h.names, name...), '\n')
		h.length = h.length || bytes.EqualFold(name, []byte("Content-Length"))
		h.encoding = h.encoding || bytes.EqualFold(name, []byte("Transfer-Encoding"))
	}
}

// ambiguous reports whether the head had both.
func (h *headScan) ambiguous() bool { return h.length && h.encoding }
