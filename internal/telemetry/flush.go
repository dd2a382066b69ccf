package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrStuck is returned by Flush for a Sink that neither takes records nor says
// why.
var ErrStuck = errors.New("telemetry: the sink takes nothing")

// Flush offers what waits at the time of the call to the Sink: findings first, then
// the rest in order, and of both what is on disk last. What the sink does not take is kept on disk,
// or where that is not possible in memory. One flush runs at a time; a second one
// waits for its turn, or for the end of ctx.
func (p *Pipeline) Flush(ctx context.Context) error { return p.flush(ctx, everything) }

// FlushFull is a Flush that leaves what makes no whole batch for a later one.
func (p *Pipeline) FlushFull(ctx context.Context) error { return p.flush(ctx, full) }

// FlushUrgent is a Flush of findings and health records alone.
func (p *Pipeline) FlushUrgent(ctx context.Context) error { return p.flush(ctx, urgent) }

// scope is what a flush is about.
type scope int

const (
	urgent     scope = iota // findings and health
	full                    // and the rest in whole batches
	everything              // and what is left of it
)

func (p *Pipeline) flush(ctx context.Context, what scope) error {
	if p.Sink == nil {
		return nil
	}
	p.ready()
	p.begin()
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("waiting for another flush: %w", ctx.Err())
	}
	defer func() { <-p.turn }()
	defer p.confirm(ctx) // last: what waits is worth more of the time
	if what == everything {
		defer p.trim()
	}

	err := p.offer(ctx, what)
	if err == nil {
		return nil
	}
	if kerr := p.keep(ctx, what > urgent); kerr != nil {
		return fmt.Errorf("flushing: %w; records stay in memory: %w", err, kerr)
	}
	return fmt.Errorf("flushing: %w", err)
}

// trim gives back what a burst has taken.
func (p *Pipeline) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batch = nil
	for c := range p.queues {
		p.queues[c].trim()
	}
}

// offer gives the Sink batch after batch.
func (p *Pipeline) offer(ctx context.Context, what scope) error {
	p.mu.Lock()
	last := p.order
	switch what {
	case full:
		p.fresh = p.waiting(lines, attacks) % p.whole()
	case everything:
		p.fresh = 0
	}
	p.mu.Unlock()
	if r, ok := p.Sink.(interface{ Resting() error }); ok {
		if err := r.Resting(); err != nil && p.waits() {
			return err // before anything is read from the disk in vain
		}
	}
	for {
		seg, batch := p.pick(last, what)
		if len(batch) == 0 {
			return nil
		}
		n, err := p.send(ctx, batch)
		p.settle(seg, batch, n)
		clear(batch)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrStuck
		}
	}
}

// waits reports whether there is anything to offer.
func (p *Pipeline) waits() bool {
	n, _ := p.Pending()
	return n > 0 || p.Spooled() != nil
}

// pick returns the next batch, and the segment that it stands in; nil: it is in
// flight out of memory. Findings and health go first. What is new goes before what is
// on disk, which is not read in vain then while the sink is down.
func (p *Pipeline) pick(last uint64, what scope) (*segment, []Item) {
	if batch := p.take(attacks, classes, last); len(batch) > 0 {
		return nil, batch
	}
	spool := p.spooled()
	if spool != nil {
		if seg, batch := spool.oldest(true, nil); seg != nil {
			return seg, batch
		}
	}
	if what == urgent {
		return nil, nil
	}
	if what == everything || p.hasWhole() {
		if batch := p.take(lines, attacks, last); len(batch) > 0 {
			return nil, batch
		}
	}
	if spool == nil {
		return nil, nil
	}
	return spool.oldest(false, nil)
}

// hasWhole reports whether a whole batch waits of what is not urgent.
func (p *Pipeline) hasWhole() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting(lines, attacks) >= p.whole()
}

// whole is how many bytes a whole batch has, as they are counted in memory.
func (p *Pipeline) whole() int {
	if p.UrgentBytes == 0 {
		return batchBytes
	}
	return min(batchBytes, p.UrgentBytes)
}

// waiting is how many bytes wait of the classes from low up to below high.
func (p *Pipeline) waiting(low, high class) (bytes int) {
	for c := low; c < high; c++ {
		bytes += p.queues[c].bytes
	}
	return bytes
}

// ErrPanic is returned by Flush when the Sink panicked. Its records stay queued.
var ErrPanic = errors.New("telemetry: the sink panicked")

// send fails open on a panic: the event loop goes on, and the function with it.
func (p *Pipeline) send(ctx context.Context, batch []Item) (n int, err error) {
	defer func() {
		if recover() != nil {
			n, err = 0, ErrPanic
		}
	}()
	return p.Sink.Send(ctx, batch)
}

// take moves a batch of items of the classes from low up to below high, and up to the
// order number last, into flight.
func (p *Pipeline) take(low, high class, last uint64) []Item {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := p.takeFrom(p.batch, p.queues[low:high], last, batchBytes)
	if cap(batch) > 0 {
		p.batch = batch[:0]
	}
	p.flights += len(batch)
	p.count.flying = count(batch)
	p.count.flying.plus(&p.holds)
	p.mirror()
	return batch
}

// takeFrom takes items from queues into room, by their order, up to limit bytes of them
// and at least one.
func (p *Pipeline) takeFrom(room []Item, queues []queue, last uint64, limit int) []Item {
	waiting := 0
	for i := range queues {
		waiting += queues[i].len()
	}
	if waiting == 0 {
		return nil
	}
	batch := slices.Grow(room[:0], min(waiting, batchItems))
	for size := 0; len(batch) < batchItems; {
		var next *queue
		for i := range queues {
			q := &queues[i]
			if q.len() > 0 && q.front().order <= last && (next == nil || q.front().order < next.front().order) {
				next = q
			}
		}
		if next == nil {
			break
		}
		size += next.front().size()
		if size > limit && len(batch) > 0 {
			break
		}
		batch = append(batch, next.pop())
	}
	return batch
}
