package egress

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
)

// Windows of HTTP/2: what we take of a stream that its receiver does not read, in bytes.
// net/http would take 4 MiB of each response, and of a request as much as of all of a
// connection's, so that one upload that its server does not read stops all others.
const (
	streamDown   = 256 << 10
	streamUp     = 64 << 10
	connectionUp = 4<<20 - 1
)

// maxHeaderList is the largest head that net/http reads in HTTP/2, in bytes: what is
// larger ends the connection, and all streams on it. What is larger than MaxHeader is
// refused by us, and costs nobody else anything.
const maxHeaderList = 4 * MaxHeader

// newH2Server makes the server for decrypted connections that speak HTTP/2. For net/http
// they are not encrypted: it would want a *tls.Conn, and tell nobody what it refuses.
func (p *Proxy) newH2Server() *http.Server {
	s := p.newServer(http.HandlerFunc(p.serveDecrypted))
	s.MaxHeaderBytes = maxHeaderList
	s.Protocols = new(http.Protocols)
	s.Protocols.SetUnencryptedHTTP2(true)
	s.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: streamUp, MaxReceiveBufferPerConnection: connectionUp}
	return s
}

// headSize is the size of r's head as HTTP/2 counts it (RFC 9113, 10.5.1).
func headSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + 32
		}
	}
	return n
}

// unservable answers what r asks for in vain, if it does.
func (c *client) unservable(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case headSize(r) > MaxHeader:
		c.inspected.refused(malformedRequest("431 Request Header Fields Too Large"))
		http.Error(w, "gatehouse: the head is larger than 64 KiB", http.StatusRequestHeaderFieldsTooLarge)
	case r.Method == http.MethodConnect:
		const no = "no CONNECT inside an inspected connection; bypass this host"
		c.inspected.begin()
		c.inspected.failed(no)
		http.Error(w, "gatehouse: "+no, http.StatusNotImplemented)
	default:
		return false
	}
	return true
}

// frameHead is how long the head of a frame is, in bytes (RFC 9113, 4.1).
const frameHead = 9

// Frames with which net/http says that a request is none.
const (
	frameReset  = 3 // a code
	frameGoAway = 7 // a stream, a code
)

// framed is a decrypted connection that speaks HTTP/2. It watches what net/http answers:
// whether it refuses a request by itself.
type framed struct {
	net.Conn
	f *flow

	head [frameHead + 8]byte // of the frame under way: its head, and what comes first behind it
	have int                 // bytes of that
	left int                 // bytes of the frame that are still to come and that nobody needs
	told int                 // records of what was refused
}

// Write sends b. net/http writes from one goroutine at a time.
func (c *framed) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		rest = rest[c.follow(rest):]
	}
	return c.Conn.Write(b)
}

// follow takes a piece of the frame under way from b, and returns how much.
func (c *framed) follow(b []byte) (n int) {
	if c.left > 0 {
		n = min(c.left, len(b))
		c.left -= n
		return n
	}
	want := frameHead
	if c.have >= frameHead {
		want += c.telling()
	}
	n = copy(c.head[c.have:want], b)
	c.have += n
	if c.have == frameHead {
		want += c.telling()
	}
	if c.have == want {
		c.whole(want - frameHead)
	}
	return n
}

// telling is how much of the frame's payload says why something is refused.
func (c *framed) telling() int {
	switch c.head[3] {
	case frameReset:
		return 4
	case frameGoAway:
		return 8
	}
	return 0
}

// whole has all that is needed of a frame.
func (c *framed) whole(payload int) {
	length := int(c.head[0])<<16 | int(c.head[1])<<8 | int(c.head[2])
	c.left, c.have = max(0, length-payload), 0
	if payload == 0 {
		return
	}
	code := binary.BigEndian.Uint32(c.head[frameHead+payload-4:])
	if !blames(code) {
		return
	}
	if c.told++; c.told <= MaxRequests {
		c.f.refused(malformedRequest(fmt.Sprintf("HTTP/2 error %d", code)))
	} else {
		c.f.refusedAgain()
	}
}

// blames reports whether code says that the peer did what it may not (RFC 9113, 7). A
// stream that is closed already is nobody's fault.
func blames(code uint32) bool {
	switch code {
	case 1, 3, 6, 9, 11: // protocol, flow control, frame size, compression, calm
		return true
	}
	return false
}

func (c *framed) CloseWrite() error { return closeWrite(c.Conn) }
