package console

import (
	"errors"
	"net/http"
	"time"
)

// Bounds of one transaction; whichever comes first ends it.
const (
	batchRows  = 500
	batchBytes = 4 << 20
)

// errStore marks a failure of ours, which no sender can help.
var errStore = errors.New("storing records")

// batch stores a request's events in transactions of bounded size, in order, so
// that whatever goes wrong, what came before it is stored.
type batch struct {
	collector    *collector
	request      *http.Request
	rows         []row
	bytes        int64
	seen, stored int // events read without fault; events in the store
}

func (c *collector) batch(r *http.Request) *batch { return &batch{collector: c, request: r} }

func (b *batch) aborted() bool { return b.request.Context().Err() != nil }

// fill takes events from next until it returns an error, stores them and returns
// that error; io.EOF is the regular end.
func (b *batch) fill(next func() (envelope, error)) error {
	for {
		e, err := next()
		if errors.Is(err, errSkip) {
			b.seen++
			continue
		}
		if err != nil {
			if e := b.commit(); e != nil {
				return e
			}
			return err
		}
		b.seen++
		b.rows = append(b.rows, newRow(e, time.Now()))
		b.bytes += int64(len(e.event) + len(e.fields))
		if len(b.rows) >= batchRows || b.bytes >= batchBytes {
			if err := b.commit(); err != nil {
				return err
			}
		}
	}
}

func (b *batch) commit() error {
	if len(b.rows) == 0 {
		return nil
	}
	if err := b.collector.store.add(b.request.Context(), b.rows); err != nil {
		return errors.Join(errStore, err)
	}
	b.stored += len(b.rows)
	b.rows, b.bytes = b.rows[:0], 0
	b.collector.changed.fire()
	return nil
}
