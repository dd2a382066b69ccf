package egress

import (
	"encoding/binary"

	"gatehouse/internal/detect"
)

// frames is a detect.Scanner for what a WebSocket client sends: it unmasks the
// payloads (RFC 6455, 5.3) for the scanner within, to which the frames are one
// stream, and counts in bytes of the wire. Extensions are not offered to servers where
// somebody looks; a payload that one changed all the same is not read, and counted.
type frames struct {
	inner detect.Scanner

	head []byte // of the present frame, at most 14 bytes, while it is read
	left uint64 // payload of the present frame that is still to come
	key  [4]byte
	at   int // place in key

	pending []span // in order; the first is not cleared
	heads   int    // their bytes that are no payload
	unread  int    // payload bytes that left in a form nobody looked into
	reason  string // of the first
	cleared int    // payload bytes that inner cleared and no span has used yet
	owed    int    // payload bytes that left before inner cleared them
}

// span is a run of bytes of one sort.
type span struct {
	n       int
	payload bool
}

// maxWaiting bounds the headers that wait behind what inner holds, in bytes: more let it
// pass, as it is, and what follows it is still judged. Payload is bounded by what inner
// holds.
const maxWaiting = 64 << 10

func (w *frames) Write(p []byte) (int, *detect.Finding) {
	for len(p) > 0 {
		if w.left == 0 {
			n := w.header(p)
			w.add(span{n: n})
			p = p[n:]
			continue
		}
		n := int(min(uint64(len(p)), w.left))
		if f := w.payload(p[:n]); f != nil {
			return 0, f
		}
		p = p[n:]
	}
	return w.release(), nil
}

func (w *frames) Flush() (int, *detect.Finding) {
	cleared, f := w.inner.Flush()
	if f != nil {
		return 0, f
	}
	w.clear(cleared)
	return w.release(), nil
}

func (w *frames) Close() *detect.Finding { return w.inner.Close() }

// Uninspected is inner's and w's; see detect.Gapped.
func (w *frames) Uninspected() (reason string, bytes int) {
	reason, bytes = uninspected(w.inner)
	if reason == "" {
		reason = w.reason
	}
	return reason, bytes + w.unread
}

// gap counts n bytes of payload that nobody looks into.
func (w *frames) gap(reason string, n uint64) {
	if n > 0 && w.reason == "" {
		w.reason = reason
	}
	w.unread += int(min(n, 1<<40))
}

// ended reports whether what was written ends with a frame.
func (w *frames) ended() bool { return w.left == 0 && len(w.head) == 0 }

// header takes up to the rest of a frame's header from p, and returns how much.
func (w *frames) header(p []byte) int {
	for i, c := range p {
		w.head = append(w.head, c)
		if len(w.head) < 2 || len(w.head) < headerLen(w.head[1]) {
			continue
		}
		w.begin()
		return i + 1
	}
	return len(p)
}

// headerLen returns the length of a header by its second byte.
func headerLen(second byte) int {
	n := 2
	switch second & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if second&0x80 != 0 {
		n += 4
	}
	return n
}

// begin reads the header that is complete.
func (w *frames) begin() {
	const extended = 0x70 // the bits that are left to extensions
	rest := w.head[2:]
	switch n := w.head[1] & 0x7f; n {
	case 126:
		w.left, rest = uint64(binary.BigEndian.Uint16(rest)), rest[2:]
	case 127:
		w.left, rest = binary.BigEndian.Uint64(rest), rest[8:]
	default:
		w.left = uint64(n)
	}
	if w.head[0]&extended != 0 {
		w.gap("encoding", w.left)
	}
	w.key, w.at = [4]byte{}, 0
	copy(w.key[:], rest) // stays zero, which changes nothing, where there is no mask
	w.head = w.head[:0]
}

func (w *frames) payload(p []byte) *detect.Finding {
	plain := make([]byte, len(p))
	for i, c := range p {
		plain[i] = c ^ w.key[(w.at+i)&3]
	}
	w.at = (w.at + len(p)) & 3
	w.left -= uint64(len(p))
	w.add(span{n: len(p), payload: true})
	cleared, f := w.inner.Write(plain)
	w.clear(cleared)
	return f
}

// clear notes that inner cleared n bytes more.
func (w *frames) clear(n int) {
	paid := min(w.owed, n)
	w.owed -= paid
	w.cleared += n - paid
}

func (w *frames) add(s span) {
	if !s.payload {
		w.heads += s.n
	}
	if n := len(w.pending); n > 0 && w.pending[n-1].payload == s.payload {
		w.pending[n-1].n += s.n
		return
	}
	w.pending = append(w.pending, s)
}

// release returns how many bytes of the wire may leave.
func (w *frames) release() (n int) {
	full := w.heads > maxWaiting
	for len(w.pending) > 0 {
		s := &w.pending[0]
		use := s.n
		if s.payload {
			if full && s.n > w.cleared {
				w.gap("budget", uint64(s.n-w.cleared))
				w.owed += s.n - w.cleared
				w.cleared = s.n
			}
			use = min(s.n, w.cleared)
			w.cleared -= use
		} else {
			w.heads -= use
		}
		n += use
		if s.n -= use; s.n > 0 {
			return n
		}
		w.pending = w.pending[1:]
	}
	return n
}
