package telemetry

import (
	"context"
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
