package telemetry

import (
	"context"
	"maps"
	"slices"

	"gatehouse/internal/record"
)

// settle counts the first n items of batch, which a sink is done with, and puts
// the rest back.
func (p *Pipeline) settle(batch []Item, n int) {
	n = max(0, min(n, len(batch)))
	for i := range batch[:n] {
		if !p.hold(&batch[i]) {
			p.done(&batch[i])
		}
	}
	p.mu.Lock()
	p.flying -= len(batch) - n
	closed := p.closed
	if !closed {
		p.putBack(batch[n:])
	} else {
		p.forget(batch[n:])
	}
	p.mu.Unlock()
	if closed { // nobody comes for them any more
		p.giveUp(batch[n:])
	}
}

// hold keeps it in flight until its receipt is settled, if it has one that
// somebody will still ask about.
func (p *Pipeline) hold(it *Item) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if it.Receipt == 0 || it.Rejected != "" || p.closed {
		return false
	}
	if p.held == nil {
		p.held = make(map[uint64][]Item)
	}
	p.held[it.Receipt] = append(p.held[it.Receipt], *it)
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
		p.settle(items, n)
	})
}

// release returns the items of a receipt, without it; they are still in flight.
func (p *Pipeline) release(receipt uint64) []Item {
	p.mu.Lock()
	defer p.mu.Unlock()
	items := p.held[receipt]
	delete(p.held, receipt)
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

// done takes it out of flight. A finding that the sink rejected has one more
// chance.
func (p *Pipeline) done(it *Item) {
	p.mu.Lock()
	p.flying--
	p.bytes -= it.size()
	if it.Rejected == "" {
		p.sent++
	}
	p.mu.Unlock()
	if it.Rejected != "" && !p.resort(it) {
		p.lose(it.Kind)
	}
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

// forget takes items out of the count of bytes.
func (p *Pipeline) forget(items []Item) {
	for i := range items {
		p.bytes -= items[i].size()
	}
}

// Shutdown flushes, gives the findings that could not go to Last and counts the
// rest as lost. What is added, or comes back from a flush, after that goes the
// same way.
func (p *Pipeline) Shutdown(ctx context.Context) {
	if s, ok := p.Sink.(interface{ TryNow() }); ok {
		s.TryNow()
	}
	// The error's items are taken care of below, and counted.
	_ = p.Flush(ctx)
	p.mu.Lock()
	p.closed = true
	var left []Item
	for c := classes - 1; c >= 0; c-- {
		for q := &p.queues[c]; q.len() > 0; {
			left = append(left, q.pop())
		}
	}
	p.forget(left)
	p.mu.Unlock()
	p.giveUp(left)
	p.settle(p.releaseAll(), 0)
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
	if p.Last == nil || !it.Kind.Finding() {
		return false
	}
	again := *it
	again.Rejected = ""
	p.lastMu.Lock()
	// Last writes to the function's log, which no deadline bounds.
	n, err := p.Last.Send(context.Background(), []Item{again})
	p.lastMu.Unlock()
	if err != nil || n != 1 {
		return false
	}
	p.mu.Lock()
	p.sent++
	p.mu.Unlock()
	return true
}

func (p *Pipeline) lose(k record.Kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.countLost(k)
}

func (p *Pipeline) countLost(k record.Kind) {
	if p.lost == nil {
		p.lost = make(map[string]uint64)
	}
	p.lost[string(k)]++
}

// Pending returns how many records wait or are being sent, and their bytes.
func (p *Pipeline) Pending() (records, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	records = p.flying
	for c := range p.queues {
		records += p.queues[c].len()
	}
	return records, p.bytes
}

// Lost returns how many records of each kind were lost. The map is the caller's;
// it is nil where nothing was.
func (p *Pipeline) Lost() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.lost)
}

// Made counts the records that Add was given.
func (p *Pipeline) Made() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

// Sent counts the records that a sink took, Last included.
func (p *Pipeline) Sent() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}
