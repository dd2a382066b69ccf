// Package telemetry gets the word out: the Pipeline takes records and never
// blocks, and hands them to a Sink in batches when the event loop says so. It
// starts no goroutine and no timer, because the sandbox may be frozen at any time.
// telemetry/receiver takes in what Lambda tells, telemetry/hec is the Sink for
// Splunk's HTTP Event Collector.
package telemetry

import (
	"context"
	"time"

	"gatehouse/internal/record"
)

// Item is an encoded record on its way to a sink.
type Item struct {
	ID     string
	Kind   record.Kind
	Time   time.Time
	Host   string // the function's name
	Region string
	JSON   []byte // the whole record, own secrets replaced; never modified
	// Rejected is set by a Sink that took the item and knows that it will never be
	// delivered: why, for people.
	Rejected string
	// Receipt is set by a Sink that handed the item over and is told only later
	// whether it arrived: what a Confirmer calls it by. 0: no such thing.
	Receipt uint64

	order uint64 // place in the pipeline
}

// itemSize is what an Item costs beside its JSON, in bytes: itself, its strings.
const itemSize = 256

func (it *Item) size() int { return len(it.JSON) + itemSize }

// Sink carries items out. One that pauses after a failure has two methods more:
// Resting returns the failure during the pause, when Send would return it at once, and
// TryNow ends the pause: Shutdown calls it, because then there is no later.
type Sink interface {
	// Send delivers items from the front of batch and returns how many it is done
	// with: delivered, or marked as Rejected. The rest is offered again with the
	// next flush. err says why n is less than len(batch). Send is never called
	// twice at once, returns soon after ctx is done, and keeps nothing of batch.
	Send(ctx context.Context, batch []Item) (n int, err error)
}

// Confirmer is a Sink that puts a Receipt on items. The Pipeline keeps those, and
// does not send them again, until it knows what became of them.
type Confirmer interface {
	// Confirm asks what became of receipts, and ends soon after ctx. It calls
	// settle for each that it knows the end of: arrived, or to be sent again.
	Confirm(ctx context.Context, settle func(receipt uint64, arrived bool))
}
