package egress

import (
	"encoding/binary"
	"net/http"
	"strings"

	"gatehouse/internal/detect"
)

// calls is a detect.Scanner for the body of a gRPC request: it knows where the
// messages end, each of which has five bytes before it that say how long it is.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
type calls struct {
	detect.Scanner

	head [5]byte
	have int    // bytes of head
	left uint64 // bytes of the present message that are still to come
}

// isGRPC reports whether h is the head of a gRPC request, or of one of gRPC-Web,
// which has the same messages.
func isGRPC(h http.Header) bool {
	t := strings.ToLower(h.Get("Content-Type"))
	return strings.HasPrefix(t, "application/grpc") && !strings.HasPrefix(t, "application/grpc-web-text")
}

func (c *calls) Write(p []byte) (int, *detect.Finding) {
	c.follow(p)
	return c.Scanner.Write(p)
}

// Uninspected is the scanner's within; see detect.Gapped.
func (c *calls) Uninspected() (reason string, bytes int) { return uninspected(c.Scanner) }

// ended reports whether what was written ends with a message.
func (c *calls) ended() bool { return c.left == 0 && c.have == 0 }

// follow counts p's messages.
func (c *calls) follow(p []byte) {
	for len(p) > 0 {
		if c.left > 0 {
			n := min(uint64(len(p)), c.left)
			c.left -= n
			p = p[n:]
			continue
		}
		n := copy(c.head[c.have:], p)
		c.have += n
		p = p[n:]
		if c.have == len(c.head) {
			c.have, c.left = 0, uint64(binary.BigEndian.Uint32(c.head[1:]))
		}
	}
}
