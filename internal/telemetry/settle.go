package telemetry

import (
	"context"
	"maps"
	"slices"
	"time"

	"gatehouse/internal/record"
)

// settle counts the first n items of batch, which a sink is done with, and puts
// the rest back to where they were: in seg, or in memory.
func (p *Pipeline) settle(seg *segment, batch []Item, n int) {
	n = max(0, min(n, len(batch)))
	if seg != nil {
		p.board(batch[:n])
		p.spooled().done(seg, batch, n)
		p.done(batch[:n])
		return
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.flights -= len(batch) - n
		p.putBack(batch[n:])
	} else {
		p.land(batch[n:])
	}
	p.mu.Unlock()
	p.done(batch[:n])
	if closed { // nobody comes for them any more
		p.late(batch[n:])
		p.print()
	}
}

// board takes items that stood on disk into flight. Should a kill come before they are
// counted, the next start knows that they may have arrived.
func (p *Pipeline) board(items []Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flights += len(items)
	p.forget(items, -1)
	p.count.flying = count(items)
	p.count.flying.plus(&p.holds)
	p.mirror()
}

// land takes items out of flight and out of memory.
func (p *Pipeline) land(items []Item) {
	p.flights -= len(items)
	p.forget(items, 1)
}

// done counts items that a sink is done with, and holds those with a receipt. A
// finding that it rejected has one more chance.
func (p *Pipeline) done(items []Item) {
	rejected := false
	p.mu.Lock()
	for i := range items {
		it := &items[i]
		if p.hold(it) {
			continue
		}
		p.land(items[i : i+1])
		if it.Rejected == "" {
			p.count.sent.add(it.Kind)
		}
		rejected = rejected || it.Rejected != ""
	}
	p.mu.Unlock()
	for i := range items {
		if it := &items[i]; rejected && it.Rejected != "" && !p.resort(it) {
			p.lose(it.Kind)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.flying = p.holds
	p.mirror()
}

// hold keeps it in flight until its receipt is settled, if it has one that
// somebody will still ask about. It is called with mu held.
func (p *Pipeline) hold(it *Item) bool {
	if it.Receipt == 0 || it.Rejected != "" || p.closed {
		return false
	}
	if p.held == nil {
		p.held = make(map[uint64][]Item)
	}
	p.held[it.Receipt] = append(p.held[it.Receipt], *it)
	p.holds.add(it.Kind)
	return true
}

// confirm asks the sink about what it holds a receipt for. Its panic fails open,
// as that of Send.
func (p *Pipeline) confirm(ctx context.Context) {
	c, ok := p.Sink.(Confirmer)
	if !ok {
		return
	}
	defer func() { _ = recover() }() // what is held stays
	c.Confirm(ctx, func(receipt uint64, arrived bool) {
		items := p.release(receipt)
		n := 0
		if arrived {
			n = len(items)
		}
		p.settle(nil, items, n)
	})
}

// release returns the items of a receipt, without it; they are still in flight.
func (p *Pipeline) release(receipt uint64) []Item {
	p.mu.Lock()
	defer p.mu.Unlock()
	items := p.held[receipt]
	delete(p.held, receipt)
	n := count(items)
	p.holds.minus(&n)
	for i := range items {
		items[i].Receipt = 0
	}
	return items
}

// releaseAll is release for every receipt.
func (p *Pipeline) releaseAll() (items []Item) {
	p.mu.Lock()
	receipts := slices.Sorted(maps.Keys(p.held))
	p.mu.Unlock()
	for _, r := range receipts {
		items = append(items, p.release(r)...)
	}
	return items
}

// add changes what is counted.
func (p *Pipeline) add(f func(*tally)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.count)
	p.mirror()
}

// putBack returns items to the front of their queues.
func (p *Pipeline) putBack(items []Item) {
	var by [classes][]Item
	for _, it := range items {
		c := classOf(it.Kind)
		by[c] = append(by[c], it)
	}
	for c := range by {
		p.queues[c].unpop(by[c])
	}
}

// forget takes items out of the count of bytes; a sign of -1 puts them in.
func (p *Pipeline) forget(items []Item, sign int) {
	for i := range items {
		p.bytes -= sign * items[i].size()
	}
	if sign > 0 && p.freed != nil {
		signal(p.freed)
	}
}

// grace is what Shutdown takes beyond its context where Grace is 0.
const grace = 100 * time.Millisecond

// Shutdown flushes, keeps on disk what could not go, for the next start of this
// sandbox, gives the findings among that to Last, because there may be none, and
// counts as lost what nothing takes. What is added, or comes back from a flush, after
// that goes the same way.
func (p *Pipeline) Shutdown(ctx context.Context) {
	if s, ok := p.Sink.(interface{ TryNow() }); ok {
		s.TryNow()
	}
	// The error's items are taken care of below, and counted.
	_ = p.Flush(ctx)
	p.mu.Lock()
	p.closed = true
	urgent, rest := p.empty(attacks, classes), p.empty(lines, attacks)
	p.mu.Unlock()

	p.late(urgent)
	p.settle(nil, p.releaseAll(), 0)
	p.print()
	late := p.Grace
	if late == 0 {
		late = grace
	}
	for end, ok := ctx.Deadline(); len(rest) > 0; {
		n := frameOf(rest)
		if ok && time.Until(end) < -late {
			n = len(rest)
			p.loseItems(rest)
		} else {
			p.late(rest[:n])
		}
		rest = rest[n:]
	}
}

// empty takes everything out of the queues from low up to below high.
func (p *Pipeline) empty(low, high class) (items []Item) {
	for c := high - 1; c >= low; c-- {
		for q := &p.queues[c]; q.len() > 0; {
			items = append(items, q.pop())
		}
	}
	p.forget(items, 1)
	return items
}

// late finds a place for items for which there is no flush any more: the disk, else
// Last.
func (p *Pipeline) late(items []Item) {
	for len(items) > 0 {
		n := frameOf(items)
		urgent := classOf(items[0].Kind) >= attacks
		if s := p.spooled(); s == nil || s.append(items[:n], urgent) != nil {
			p.giveUp(items[:n])
		}
		items = items[n:]
	}
}

// frameOf returns how many of items make the next frame.
func frameOf(items []Item) (n int) {
	urgent := classOf(items[0].Kind) >= attacks
	for size := 0; n < len(items) && classOf(items[n].Kind) >= attacks == urgent; n++ {
		if size += items[n].size(); n > 0 && size > frameBytes {
			break
		}
	}
	return n
}

// print gives Last the findings that are on disk and were not printed before: the
// sandbox may not come back.
func (p *Pipeline) print() {
	s := p.spooled()
	if s == nil || p.Last == nil {
		return
	}
	p.printMu.Lock()
	defer p.printMu.Unlock()
	for {
		seg, items := s.oldest(true, func(seg *segment) bool { return !seg.printed })
		if seg == nil {
			return
		}
		for i := range items {
			if items[i].Kind.Finding() {
				p.last(&items[i])
			}
		}
		s.print(seg)
	}
}

// giveUp resorts to Last for each of items, and counts those as lost that it did
// not take.
func (p *Pipeline) giveUp(items []Item) {
	for i := range items {
		if !p.resort(&items[i]) {
			p.lose(items[i].Kind)
		}
	}
}

// resort gives a finding to Last and counts it as sent. It reports whether Last
// took it.
func (p *Pipeline) resort(it *Item) bool {
	if p.Last == nil || !it.Kind.Finding() || !p.last(it) {
		return false
	}
	p.add(func(t *tally) { t.sent.add(it.Kind) })
	return true
}

func (p *Pipeline) last(it *Item) bool {
	again := *it
	again.Rejected = ""
	p.lastMu.Lock()
	defer p.lastMu.Unlock()
	// Last writes to the function's log, which no deadline bounds.
	n, err := p.Last.Send(context.Background(), []Item{again})
	return err == nil && n == 1
}

func (p *Pipeline) lose(k record.Kind) { p.add(func(t *tally) { t.lost.add(k) }) }

func (p *Pipeline) loseItems(items []Item) {
	n := count(items)
	p.add(func(t *tally) { t.lost.plus(&n) })
}

// Pending returns how many records wait in memory or are being sent, and their bytes.
func (p *Pipeline) Pending() (records, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	records = p.flights
	for c := range p.queues {
		records += p.queues[c].len()
	}
	return records, p.bytes
}

// Lost returns how many records of each kind were lost, over all starts of the
// sandbox. The map is the caller's; it is nil where nothing was.
func (p *Pipeline) Lost() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count.lost.byName()
}

// Count is what became of the records of a kind, over all starts of the sandbox. What
// the other three do not account for is in memory.
type Count struct{ Made, Sent, Lost, Spooled uint64 }

// Counts returns what became of each kind of record that there was.
func (p *Pipeline) Counts() map[record.Kind]Count {
	var kept perKind
	if s := p.spooled(); s != nil {
		kept = s.kept()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m := make(map[record.Kind]Count)
	for i, k := range kinds {
		if c := (Count{p.count.made[i], p.count.sent[i], p.count.lost[i], kept[i]}); c != (Count{}) {
			m[k] = c
		}
	}
	return m
}

// Made counts the records that Add was given, over all starts of the sandbox.
func (p *Pipeline) Made() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count.made.sum()
}

// Sent counts the records that a sink took, Last included, over all starts of the
// sandbox.
func (p *Pipeline) Sent() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count.sent.sum()
}
