package egress

import (
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/proxy"
)

// silence is how long bytes wait for what may make a secret of them. Only what
// begins like one waits at all.
const silence = 100 * time.Millisecond

// messages is a scanner that knows where the messages end of which its stream is
// made: what waits there has to be decided, because the peer may answer before
// anything follows.
type messages interface {
	detect.Scanner
	// ended reports whether what was written ends with a message, or a part of one
	// that has a length of its own.
	ended() bool
}

// chunk is what a read brought.
type chunk struct {
	data []byte
	err  error
}

// waiting is how many bytes the scanner holds back.
func (g *guarded) waiting() int { return len(g.buf) - g.cleared }

// await waits for more of the source, and no longer than silence while something
// can still be decided.
func (g *guarded) await(size int) {
	if g.ahead == nil {
		g.readAhead(size)
	}
	if p, ok := g.next(); ok {
		g.ahead = nil
		chunk := g.room(len(p.data))
		copy(chunk, p.data)
		g.take(chunk, p.err)
		return
	}
	g.flush()
}

// next is the chunk that is read ahead, unless it does not come in time.
func (g *guarded) next() (chunk, bool) {
	if g.flushed || len(g.buf) == 0 {
		return <-g.ahead, true
	}
	timer := time.NewTimer(silence)
	defer timer.Stop()
	select {
	case p := <-g.ahead:
		return p, true
	case <-timer.C:
		return chunk{}, false
	}
}

// readAhead starts to read beside us. Owner: g; the read ends with what the
// source is part of, and leaves what it brought to whoever reads next.
func (g *guarded) readAhead(size int) {
	if len(g.spare) < size {
		g.spare = make([]byte, size)
	}
	room, ahead := g.spare[:size], make(chan chunk, 1)
	g.ahead = ahead
	g.reading.Store(true)
	go func() {
		p := chunk{err: errEnded} // what is left of a panic
		defer func() {
			g.reading.Store(false)
			ahead <- p
		}()
		defer g.x.p.recover(func() {})
		n, err := g.src.Read(room)
		p = chunk{room[:n], err}
	}()
}

// flush decides about what waits.
func (g *guarded) flush() {
	g.flushed = true
	if g.s == nil {
		return
	}
	cleared, finding := g.s.Flush()
	if finding != nil {
		g.found(finding, "body")
		return
	}
	if g.unseen() {
		return
	}
	g.cleared += cleared
	if cleared > 0 {
		g.x.f.released.Add(1)
		g.x.f.count(func(c *proxy.Counters) { c.Released++ })
	}
}
