package egress

import (
	"errors"
	"io"
	"net"
	"os"
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
	f.splicing(upstream)
	if interrupted(down) {
		down = f.startDown(c, upstream)
	}
	n, err := upstream.Write(head)
	total := int64(n)
	if err == nil {
		var more int64
		more, err = io.Copy(upstream, c)
		total += more
	}
	f.tunnelled(outward, total)
	f.finish(down, c, upstream, err)
}

// readable is tunnel where the client does not speak TLS: what it says is there to
// be read, so s clears it first.
func (f *flow) readable(down *downward, c, upstream net.Conn, head []byte, s detect.Scanner) {
	f.splicing(upstream)
	if interrupted(down) {
		down = f.startDown(c, upstream)
	}
	x := &exchange{p: f.p, f: f, target: f.learn(func(*detect.Target) {})}
	n, err := io.Copy(upstream, &guarded{src: &early{Conn: c, read: head}, s: s, x: x})
	f.tunnelled(outward, n)
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

// The directions of a tunnel.
const (
	inward = iota
	outward
)

// splice is a connection to a server whose bytes go past us, so that we learn how many
// there were only when a direction has ended. Until then the kernel knows.
type splice struct {
	c     *net.TCPConn
	begun [2]int64 // bytes, by direction, that were none of the tunnel's
	told  [2]int64 // bytes that have been counted
	over  [2]bool  // all have
}

// splicing notes that from now on bytes go past us to and from upstream, until close.
func (f *flow) splicing(upstream net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.raw = true
	if c, ok := upstream.(*net.TCPConn); ok && !f.visible {
		f.spliced = &splice{c: c}
		if f.through != nil { // another proxy was talked to on it
			f.spliced.begun = trafficOf(c)
		}
	}
}

// tunnelled counts the n bytes that the kernel moved in a direction, which has ended. A
// decrypted connection counts its own.
func (f *flow) tunnelled(direction int, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.visible {
		return
	}
	if s := f.spliced; s != nil && !s.over[direction] {
		n -= s.told[direction]
		s.over[direction] = n > 0 || s.told[direction] > 0
	}
	f.moved(direction, n)
}

// soFarLocked counts what the kernel has moved since it was asked last.
func (f *flow) soFarLocked() {
	s := f.spliced
	if s == nil {
		return
	}
	now := trafficOf(s.c)
	for d := range now {
		if n := now[d] - s.begun[d] - s.told[d]; n > 0 && !s.over[d] {
			s.told[d] += n
			f.moved(d, n)
		}
	}
}

func (f *flow) moved(direction int, n int64) {
	if direction == inward {
		f.in.Add(max(0, n))
	} else {
		f.out.Add(max(0, n))
	}
}
