package egress

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

var (
	// errLeak ends the sending of a body that holds a secret.
	errLeak = errors.New("stopped by gatehouse")
	// errEnded is what is left of a request whose response is complete.
	errEnded = errors.New("the exchange is over")
)

// guarded is a body on its way out: it gives only what its scanner has cleared.
// What the scanner holds back waits for what follows it, and is decided when a
// message ends or nothing has followed for a while: see silence. After a finding
// that does not block, it gives everything.
type guarded struct {
	src io.ReadCloser
	s   detect.Scanner // nil looks at nothing, but see make
	x   *exchange

	// make makes s with the first bytes: a body of length bytes that is there at once
	// and quiet needs none. nil: s is what there is.
	make   func() detect.Scanner
	outlet detect.Outlet
	length int64

	// trailer is looked at after the last byte, before the end is told.
	trailer *http.Header
	host    string

	mu      sync.Mutex // held while reading
	buf     []byte     // at most a read and what the scanner holds back
	store   []byte     // what buf lies in
	cleared int        // leading bytes of buf that may leave
	err     error
	flushed bool // what waits was decided about, and nothing has followed

	ahead   chan chunk // the read under way beside us; nil: none
	spare   []byte     // what it reads into
	reading atomic.Bool

	gaps int  // bytes that could not be decoded
	open bool // there was a finding that stops nothing

	marked int    // bytes that were looked through for values of the event
	before []byte // the last of them
}

// Close closes the source, but not under a read beside us, which would wait for
// the client: what the source is part of ends that one, see exchange.endBody.
func (g *guarded) Close() error {
	if g.reading.Load() {
		return nil
	}
	return g.src.Close()
}

// drain waits for a read under way, lets no more through, and throws away what
// the client still sends. It reports whether that was at most limit bytes.
func (g *guarded) drain(limit int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if errors.Is(g.err, io.EOF) {
		return true
	}
	if g.err == nil {
		g.abandon()
		g.buf, g.cleared, g.err = nil, 0, errEnded
	}
	if g.ahead != nil {
		p := <-g.ahead
		g.ahead = nil
		if p.err != nil {
			return errors.Is(p.err, io.EOF)
		}
	}
	_, err := io.CopyN(io.Discard, g.src, limit)
	return errors.Is(err, io.EOF)
}

func (g *guarded) Read(p []byte) (n int, err error) {
	defer g.x.p.recover(func() { n, err = 0, errLeak })
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.cleared == 0 && g.err == nil {
		g.fill(len(p))
	}
	n = copy(p, g.buf[:g.cleared])
	g.buf, g.cleared = g.buf[n:], g.cleared-n
	if n > 0 {
		return n, nil
	}
	return 0, g.err
}

// maxPreload is the longest body that is judged before the head leaves, in bytes.
const maxPreload = 4 << 10

// preload reads a short body that comes with its head, and returns all of it; nil where
// it does not, is being waited for (see header), or may not leave.
func (g *guarded) preload(header http.Header) (whole []byte) {
	if g.length <= 0 || g.length > maxPreload || header.Get("Expect") != "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	defer g.x.p.recover(func() { whole, g.buf, g.cleared, g.err = nil, nil, 0, errLeak })
	g.fill(int(g.length))
	for g.err == nil && !g.flushed { // the rest, or the end by itself, for as long as it comes
		g.fill(max(1, int(g.length)-len(g.buf)))
	}
	if g.x.blocked.Load() != nil {
		var j joint
		j.body(header.Get("Content-Type"), g.store[:min(int(g.length), cap(g.store))])
		g.x.follow(j.spread) // the rest of it may follow
		g.x.trim(j.spread)
		return nil
	}
	if !errors.Is(g.err, io.EOF) || int64(g.cleared) != g.length {
		return nil
	}
	whole = g.buf[:g.cleared]
	if v, found := g.x.scanPlaces(g.host, nowhere, func(j *joint) { j.body(header.Get("Content-Type"), whole) }); found {
		g.err = nil
		g.stop(v)
		return nil
	}
	g.buf, g.cleared = nil, 0
	return whole
}

// ended reports whether the source has been read to its end.
func (g *guarded) ended() bool {
	if !g.mu.TryLock() {
		return false // being read
	}
	defer g.mu.Unlock()
	return errors.Is(g.err, io.EOF)
}

// fill reads up to size bytes and lets the scanner judge them. While bytes wait it
// does so with patience: see await.
func (g *guarded) fill(size int) {
	whole := g.x.proto == 1 && g.length > 0 && int64(len(g.buf)) == g.length // its end is not waited for
	if g.ahead != nil || len(g.buf) > 0 && !whole {
		g.await(size)
		return
	}
	chunk := g.room(size)
	n, err := g.src.Read(chunk)
	g.take(chunk[:n], err)
}

// room makes room for size bytes behind buf.
func (g *guarded) room(size int) []byte {
	g.buf = append(g.store[:0], g.buf...) // to the front: it is seldom more than nothing
	g.buf = slices.Grow(g.buf, size)
	g.store = g.buf
	return g.buf[len(g.buf) : len(g.buf)+size]
}

// take judges chunk, which lies in the room behind buf, and then err.
func (g *guarded) take(chunk []byte, err error) {
	g.buf = g.buf[:len(g.buf)+len(chunk)]
	g.judge(chunk)
	if err == nil || g.err != nil {
		return
	}
	if errors.Is(err, io.EOF) {
		g.finish()
		return
	}
	g.abandon()
	g.err = err
	g.x.badBody.Store(g.x.proto == 1 && brokenBody(err))
}

// brokenBody reports whether err says that a body is not what its head promised,
// rather than that the client left.
func brokenBody(err error) bool {
	var lost net.Error
	return !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &lost)
}

func (g *guarded) judge(chunk []byte) {
	if g.make != nil && len(chunk) > 0 {
		if int64(len(chunk)) != g.length || !g.x.f.isQuiet(g.outlet, chunk) {
			g.s = g.make()
		} else if v := g.mark(chunk); v.Action.Blocks() {
			g.stop(v)
			return
		}
		g.make = nil
	}
	if g.s == nil {
		g.cleared = len(g.buf)
		g.passed(len(chunk))
		return
	}
	if len(chunk) == 0 {
		return
	}
	g.flushed = false
	cleared, finding := g.s.Write(chunk)
	if finding != nil {
		g.found(finding, "body")
		return
	}
	if v := g.mark(chunk); v.Action.Blocks() {
		g.stop(v)
		return
	}
	if g.unseen() {
		return
	}
	g.cleared += cleared
	if m, ok := g.s.(messages); ok && g.waiting() > 0 && m.ended() {
		g.flush()
	}
}

// finish judges what still waits, and the trailers.
func (g *guarded) finish() {
	if g.s != nil {
		if finding := g.s.Close(); finding != nil {
			g.found(finding, "body")
		} else {
			g.unseen()
		}
	}
	if g.err == nil && g.trailer != nil {
		g.scanTrailer(*g.trailer)
	}
	if g.err == nil {
		g.cleared, g.err = len(g.buf), io.EOF
	}
}

func (g *guarded) scanTrailer(h http.Header) {
	if v, found := g.x.scanPlaces(g.host, func() []place { return fieldPlaces("trailer", h) }, func(j *joint) { j.trailer(h) }); found {
		g.stop(v)
	}
}

func (g *guarded) found(finding *detect.Finding, place string) {
	v := g.x.f.leaked(g.x.target, finding, place)
	if v.Action.Blocks() {
		g.stop(v)
		return
	}
	g.abandon()
	g.cleared, g.open = len(g.buf), true // fail-open: the finding is recorded, the rest passes unread
}

// passed counts n bytes that pass unread behind a finding.
func (g *guarded) passed(n int) {
	if g.open && n > 0 {
		gap := detect.Gap{Path: "body", Reason: "found", Bytes: n}
		g.x.f.count(func(c *proxy.Counters) { c.Uninspected += n })
		g.x.f.unseen(gap)
	}
}

func (g *guarded) stop(v proxy.Verdict) {
	g.abandon()
	g.x.blocked.Store(&v)
	g.buf, g.cleared, g.err = nil, 0, errLeak
}

// abandon ends the scanner, whatever it would still say.
func (g *guarded) abandon() {
	if g.s != nil {
		_ = g.s.Close() // it gives back its memory
		g.s = nil
	}
}

// unseen notes what the scanner could not look into, before any of it leaves, and
// reports whether it may not leave.
func (g *guarded) unseen() bool {
	reason, n := uninspected(g.s)
	if n <= g.gaps {
		return false
	}
	v := g.x.f.uninspected(g.x.target, detect.Gap{Path: "body", Reason: reason, Bytes: n - g.gaps}, g.gaps == 0)
	g.gaps = n
	if v.Action.Blocks() {
		g.stop(v)
		return true
	}
	return false
}
