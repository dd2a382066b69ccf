package hec

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"gatehouse/internal/telemetry"
)

// Ack says what an accepted record is, where the token has acknowledgements
// (useACK): HEC then answers 200 before it is indexed, and says later that it is.
// https://help.splunk.com/en/splunk-enterprise/get-started/get-data-in/10.0/get-data-with-http-event-collector/about-http-event-collector-indexer-acknowledgment
type Ack int

// The modes.
const (
	// AckAuto asks about a record with flushes after its own, at most each second, and
	// waits for nothing. At the end of the sandbox, and beyond maxHeld, a 200 is delivered.
	AckAuto Ack = iota
	// AckOn asks within the flush itself until its time is over, and later again. A
	// record is delivered when it is acknowledged.
	AckOn
	// AckOff takes a 200 for delivered.
	AckOff
)

const (
	// ackPatience is how long an acknowledgement may take before the records are sent
	// again; Splunk names 5 minutes for it.
	ackPatience = 5 * time.Minute
	// firstPoll is the pause before HEC is asked again, which doubles up to maxPoll:
	// indexing takes about a second.
	firstPoll = 100 * time.Millisecond
	maxPoll   = time.Second
	// askEvery is the pause between questions that nobody waits for.
	askEvery = time.Second
	// maxHeld bounds the records that wait for an acknowledgement, in bytes.
	maxHeld = 2 << 20
	// maxAsked bounds the ids in one question.
	maxAsked = 1000
	// maxMixups is how often HEC may forget a channel before it is plain that there
	// are several behind one URL, which take turns.
	maxMixups = 3
)

// acks is what a Client knows about acknowledgements.
type acks struct {
	open    map[uint64]*request // by receipt
	held    int                 // bytes of them
	last    uint64              // receipt
	round   int                 // Confirms
	asked   time.Time           // without waiting
	off     bool                // HEC has none, whatever Ack says
	ever    bool                // one came
	missing bool                // it was said that the token has none
	mixups  int
}

// request is one that HEC took and has not acknowledged.
type request struct {
	target  *target
	channel string
	id      int64
	bytes   int
	at      time.Time
	round   int
	lost    bool // nobody can say any more what became of it
}

// errHeld is what Send says while too much waits for acknowledgements.
var errHeld = fmt.Errorf("hec: more than %d KiB wait for an acknowledgement", maxHeld>>10)

// receipt notes that HEC took items and what their acknowledgement will be called.
func (d *delivery) receipt(items []telemetry.Item, size int, r Reply) {
	if d.Ack == AckOff || d.acks.off || len(items) == 0 {
		return
	}
	if r.AckID < 0 {
		if d.Ack == AckOn && r.Class == Accepted && r.Code >= 0 && !d.acks.missing {
			d.acks.missing = true
			d.say(fmt.Sprintf("hec: %s gives no acknowledgements for this token (useACK): its 200 counts", d.targets[d.using]))
		}
		return
	}
	t := d.targets[d.using]
	d.order(t, r.AckID)
	if d.acks.off || d.Ack == AckAuto && d.acks.held+size > maxHeld {
		return
	}
	if d.acks.open == nil {
		d.acks.open = make(map[uint64]*request)
	}
	d.acks.last++
	d.acks.open[d.acks.last] = &request{target: t, channel: d.channel, id: r.AckID, bytes: size, at: time.Now(), round: d.acks.round}
	d.acks.held += size
	for i := range items {
		items[i].Receipt = d.acks.last
	}
}

// order notices a HEC that begins to count anew: it was restarted, or is another
// one behind the same address. What it said before means nothing to it.
func (d *delivery) order(t *target, id int64) {
	restarted := t.counted && id <= t.lastID
	t.counted, t.lastID = true, id
	if !restarted {
		return
	}
	for _, r := range d.acks.open {
		r.lost = r.lost || r.target == t && r.channel == d.channel
	}
	if d.acks.mixups++; d.acks.mixups == maxMixups {
		d.acks.off = true
		d.say(fmt.Sprintf("hec: the acknowledgements of %s are of several indexers, as from a load balancer without sticky sessions: its 200 counts", t))
	}
}

// full reports whether batch has to wait until HEC acknowledged more. Findings do
// not: they are few.
func (c *Client) full(batch []telemetry.Item) bool {
	return c.Ack == AckOn && c.acks.held > maxHeld && len(batch) > 0 && !batch[0].Kind.Finding()
}

// Confirm implements telemetry.Confirmer.
func (c *Client) Confirm(ctx context.Context, settle func(receipt uint64, arrived bool)) {
	final := c.final.Swap(false)
	if len(c.acks.open) == 0 {
		return
	}
	c.acks.round++
	q := question{Client: c, settle: settle, wait: c.Ack == AckOn}
	for receipt, r := range c.acks.open {
		if over := final && !q.wait; r.lost || over {
			q.end(receipt, !r.lost)
		}
	}
	if now := time.Now(); q.wait || now.Sub(c.acks.asked) >= askEvery {
		c.acks.asked = now
		q.askAll(ctx)
	}
	q.expire()
}

// question is one Confirm on its way.
type question struct {
	*Client
	settle func(receipt uint64, arrived bool)
	wait   bool // for all of them, within the time that there is
}

// end settles a receipt.
func (q *question) end(receipt uint64, arrived bool) {
	q.acks.held -= q.acks.open[receipt].bytes
	delete(q.acks.open, receipt)
	q.settle(receipt, arrived)
}

// line is what one question may be about.
type line struct {
	target  *target
	channel string
}

// askAll asks, and where that is wanted again until all is known.
func (q *question) askAll(ctx context.Context) {
	for wait := firstPoll; q.ask(ctx) && q.wait && pause(ctx, wait); {
		wait = min(2*wait, maxPoll)
	}
}

// ask asks once about everything that may be known by now, and reports whether
// something is left to ask.
func (q *question) ask(ctx context.Context) bool {
	lines := make(map[line][]uint64)
	for _, receipt := range slices.Sorted(maps.Keys(q.acks.open)) {
		r := q.acks.open[receipt]
		if young := r.round == q.acks.round-1; young && !q.wait {
			continue
		}
		l := line{r.target, r.channel}
		lines[l] = append(lines[l], receipt)
	}
	for l, receipts := range lines {
		if l.target.asking.resting(time.Now()) == nil {
			err := q.askOne(ctx, l, receipts[:min(len(receipts), maxAsked)])
			l.target.asking.outcome(err, time.Now())
		}
	}
	return len(q.acks.open) > 0
}

// askOne asks one HEC about receipts. An error passes.
func (q *question) askOne(ctx context.Context, l line, receipts []uint64) error {
	a := q.try(ctx, call{target: l.target, url: l.target.acks, channel: l.channel, body: payload{bytes: q.body(receipts)}, share: 1})
	switch {
	case a.err != nil:
		return fmt.Errorf("hec: asking %s for acknowledgements: %w", l.target, a.err)
	case a.reply.Code == 14, a.reply.Class == Config && !a.reply.token():
		q.turnOff(l.target, a.reply)
		return nil
	case a.reply.Status != http.StatusOK || a.acks == nil:
		return fmt.Errorf("hec: asking %s for acknowledgements: %s", l.target, a.reply)
	}
	for _, receipt := range receipts {
		if a.acks[q.acks.open[receipt].id] {
			q.acks.ever = true
			q.end(receipt, true)
		}
	}
	return nil
}

// body is the question about receipts.
func (q *question) body(receipts []uint64) []byte {
	out := []byte(`{"acks":[`)
	for i, receipt := range receipts {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, q.acks.open[receipt].id, 10)
	}
	return append(out, "]}"...)
}

// turnOff takes the 200s that there were, and those to come, for delivered.
func (q *question) turnOff(t *target, r Reply) {
	q.acks.off = true
	if r.Code != 14 || q.Ack == AckOn { // that code says that the token has none
		q.say(fmt.Sprintf("hec: %s cannot be asked for acknowledgements: its 200 counts: %s", t, r))
	}
	for receipt := range q.acks.open {
		q.end(receipt, true)
	}
}

// expire has sent again what was not acknowledged in time. A HEC that has never
// acknowledged anything will not do so for that either.
func (q *question) expire() {
	for receipt, r := range q.acks.open {
		if time.Since(r.at) < ackPatience {
			continue
		}
		if !q.acks.ever && q.Ack == AckAuto && !q.acks.off {
			q.acks.off = true
			q.say(fmt.Sprintf("hec: %s acknowledges nothing: its 200 counts", r.target))
		}
		q.end(receipt, false)
	}
}

// ParseAcks reads the answer to a question about acknowledgements; nil: it is none.
func ParseAcks(body []byte) map[int64]bool {
	var b struct {
		Acks map[int64]bool `json:"acks"`
	}
	if json.Unmarshal(body, &b) != nil {
		return nil
	}
	return b.Acks
}
