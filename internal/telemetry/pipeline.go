package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/record"
)

// Limits of a Pipeline, in bytes and items.
const (
	defaultMaxBytes = 8 << 20
	// maxItemBytes bounds one encoded record; a longer one is shortened.
	maxItemBytes = 900 << 10
	// A batch is what a sink is offered at once: findings that come in meanwhile
	// wait no longer than that takes.
	batchBytes = 1 << 20
	batchItems = 2000
)

// Pipeline keeps records until a Sink has them, in bounded memory and without a
// goroutine of its own: Add runs on the goroutine that saw something, Flush on
// the event loop's. Its fields are set before use; its methods are safe for
// concurrent use. Every record that Add took is sent, lost or pending.
type Pipeline struct {
	// Sink takes the records; nil: they wait for Shutdown, where findings go to
	// Last and the rest is lost.
	Sink Sink
	// Last takes the findings that Sink did not, one by one: the function's log as
	// a last resort. nil: they are lost.
	Last Sink
	// Stamp fills what all records have in common; nil: nothing. It must not call
	// the Pipeline.
	Stamp func(*record.Record)
	// Mask replaces own secrets in s; nil: nothing is masked. It sees every string
	// of every record, on several goroutines at once, and must leave alone what it
	// made.
	Mask func(s string) string
	// Fields says once, when the first record is there, what is hidden in records beside
	// own secrets; nil, or one that returns nil: nothing.
	Fields func() Fields
	// MaxBytes bounds the memory of waiting records; 0: 8 MiB.
	MaxBytes int
	// UrgentBytes is how many bytes of records are urgent, findings or not, that no
	// Flush has seen; 0: none.
	UrgentBytes int
	// Grace is what Shutdown may take beyond its context for what has no other place to
	// be than the disk; 0: 100 ms.
	Grace time.Duration
	// Spool says where records are kept that Sink did not take, once, when the first
	// is there; nil, or one that returns nil: in memory alone.
	Spool func() *Spool

	once   sync.Once
	first  sync.Once
	hiding sync.Once
	fields Fields        // nil: nothing
	room   arena         // of encoded lines
	urgent chan struct{} // a token: something urgent waits
	freed  chan struct{} // a token: there is room again
	turn   chan struct{} // a token: held by the one flush
	batch  []Item        // room for what a flush offers

	mu       sync.Mutex
	queues   [classes]queue
	bytes    int               // waiting and in flight
	fresh    int               // added since the last Flush
	flights  int               // items in flight
	held     map[uint64][]Item // of those, what a Confirmer is still to be asked about, by receipt
	holds    perKind           // what held has
	order    uint64
	count    tally
	closed   bool
	spool    *Spool
	spoolErr error
	ended    Ended

	printMu sync.Mutex // held while print works
	lastMu  sync.Mutex // held while Last sends
}

// Fields hides fields of records. It leaves alone what it made, and what stands in the
// place of own secrets.
type Fields interface {
	// Text returns s, or what is left of it.
	Text(s string) string
	// Record returns text, or what is left of it, which is r encoded.
	Record(r *record.Record, text []byte) []byte
}

func (p *Pipeline) ready() {
	p.once.Do(func() {
		p.urgent = make(chan struct{}, 1)
		p.freed = make(chan struct{}, 1)
		p.turn = make(chan struct{}, 1)
	})
}

// Add stamps, masks and queues r, and sets its ID, Seq and Time where they are
// empty. It never blocks: where there is no room, less important records are
// dropped for it, oldest first, a finding is kept without its event, and what
// still does not fit is dropped; each is counted. r must not change meanwhile
// and is not kept.
func (p *Pipeline) Add(r *record.Record) {
	p.ready()
	p.begin()
	if p.Stamp != nil {
		p.Stamp(r)
	}
	p.mu.Lock()
	p.count.made.add(r.Kind)
	r.Seq = p.count.made.sum()
	p.mirrorMade(r.Kind)
	p.mu.Unlock()
	complete(r)

	if p.enqueue(p.item(r)) {
		return
	}
	if r.Kind.Finding() {
		r.DropEvent()
		if p.enqueue(p.item(r)) {
			return
		}
	}
	p.lose(r.Kind)
}

// complete fills what every record must have.
func complete(r *record.Record) {
	r.Schema, r.VendorProduct = record.Schema, record.VendorProduct
	if r.ID == "" {
		r.ID = record.NewID()
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
}

// item encodes r. An Item without JSON could not be encoded.
func (p *Pipeline) item(r *record.Record) Item {
	it := Item{ID: r.ID, Kind: r.Kind, Time: r.Time, Host: r.FunctionName, Region: r.Region}
	if len(r.Message) > maxItemBytes {
		r = p.cutMessage(r)
	}
	if text, err := encode(&p.room, r, p.Mask); err == nil {
		if f := p.hides(); f != nil {
			text = f.Record(r, text)
		}
		it.JSON = record.Shorten(text, maxItemBytes)
	}
	return it
}

// hides is what Fields says.
func (p *Pipeline) hides() Fields {
	p.hiding.Do(func() {
		if p.Fields != nil {
			p.fields = p.Fields()
		}
	})
	return p.fields
}

// cutMessage returns r with a line that no Lambda would send cut to a size that
// is worth encoding. It is masked before the cut could halve a secret.
func (p *Pipeline) cutMessage(r *record.Record) *record.Record {
	c := *r
	if p.Mask != nil {
		c.Message = p.Mask(c.Message)
	}
	if f := p.hides(); f != nil {
		c.Message = f.Text(c.Message)
	}
	c.Message, c.Truncated = strings.ToValidUTF8(c.Message[:min(len(c.Message), maxItemBytes/8)], "")+"…", true
	return &c
}

// enqueue reports whether it is taken care of.
func (p *Pipeline) enqueue(it Item) bool {
	if it.JSON == nil {
		return false
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.late([]Item{it})
		p.print()
		return true
	}
	defer p.mu.Unlock()
	c := classOf(it.Kind)
	if !p.makeRoom(it.size(), c) {
		return false
	}
	p.order++
	it.order = p.order
	p.queues[c].push(it)
	p.bytes += it.size()
	p.fresh += it.size()
	if c >= attacks || p.heavy() {
		signal(p.urgent)
	}
	return true
}

// Heavy reports whether UrgentBytes are reached.
func (p *Pipeline) Heavy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heavy()
}

func (p *Pipeline) heavy() bool { return p.UrgentBytes > 0 && p.fresh >= p.UrgentBytes }

// makeRoom drops the oldest items of classes below c until size more bytes fit.
// It drops nothing where that would not be enough.
func (p *Pipeline) makeRoom(size int, c class) bool {
	limit := p.limit()
	if p.bytes-p.waiting(lines, c)+size > limit {
		return false
	}
	for low := range c {
		for q := &p.queues[low]; q.len() > 0 && p.bytes+size > limit; {
			it := q.pop()
			p.bytes -= it.size()
			p.count.lost.add(it.Kind)
		}
	}
	p.mirror()
	return true
}

// Room waits until no more than half of the memory for records is taken, or ctx ends. Who
// can have its source wait asks for it before Add, which never does.
func (p *Pipeline) Room(ctx context.Context) {
	p.ready()
	for {
		p.mu.Lock()
		full := !p.closed && p.bytes > p.limit()/2
		p.mu.Unlock()
		if !full {
			signal(p.freed) // for whoever waits beside us
			return
		}
		select {
		case <-p.freed:
		case <-ctx.Done():
			return
		}
	}
}

// limit is how many bytes may wait.
func (p *Pipeline) limit() int {
	if p.MaxBytes == 0 {
		return defaultMaxBytes
	}
	return p.MaxBytes
}

// Urgent receives when a finding or a health record waits, or UrgentBytes are
// reached. One receive may stand for several records.
func (p *Pipeline) Urgent() <-chan struct{} {
	p.ready()
	return p.urgent
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is already known
	}
}

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
