package egress

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

var (
	past  = time.Unix(1, 0)
	never time.Time
)

// tunnel sends head, then copies from c to upstream until either end is through.
// Both ends are bare TCP connections, so that the kernel moves the bytes.
func (f *flow) tunnel(down *downward, c, upstream net.Conn, head []byte) {
	if interrupted(down) {
		down = f.startDown(c, upstream)
	}
	n, err := upstream.Write(head)
	f.tunnelled(&f.out, int64(n))
	if err == nil {
		var more int64
		more, err = io.Copy(upstream, c)
		f.tunnelled(&f.out, more)
	}
	f.finish(down, c, upstream, err)
}

// readable is tunnel where the client does not speak TLS: what it says is there to
// be read, so s clears it first.
func (f *flow) readable(down *downward, c, upstream net.Conn, head []byte, s detect.Scanner) {
	if interrupted(down) {
		down = f.startDown(c, upstream)
	}
	x := &exchange{p: f.p, f: f, target: f.learn(func(*detect.Target) {})}
	n, err := io.Copy(upstream, &guarded{src: &early{Conn: c, read: head}, s: s, x: x})
	f.tunnelled(&f.out, n)
	if x.blocked.Load() != nil {
		f.count(func(c *proxy.Counters) { c.Refused++ })
	}
	f.finish(down, c, upstream, err)
}

// interrupted reports whether down was stopped by us, with more to come.
func interrupted(down *downward) bool {
	select {
	case <-down.done:
		return errors.Is(down.err, os.ErrDeadlineExceeded)
	default:
		return false
	}
}

// finish ends a tunnel whose client has ended with err: cleanly, and the server
// may go on; or not, and it may not.
func (f *flow) finish(down *downward, c, upstream net.Conn, err error) {
	if err == nil || errors.Is(err, io.EOF) {
		err = closeWrite(upstream)
	}
	if err != nil {
		f.cut()
	}
	<-down.done
}

// tunnelled counts n bytes that the kernel moved. A decrypted connection counts
// its own.
func (f *flow) tunnelled(sum *atomic.Int64, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.visible {
		sum.Add(n)
	}
}
