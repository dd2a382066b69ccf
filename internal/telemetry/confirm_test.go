package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// indexer is a Sink that says only when it is asked what became of a batch.
type indexer struct {
	box
	next   uint64
	answer func(receipt uint64) (known, arrived bool)
	asked  int
}

func (x *indexer) Send(ctx context.Context, batch []telemetry.Item) (int, error) {
	x.next++
	for i := range batch {
		batch[i].Receipt = x.next
	}
	return x.box.Send(ctx, batch)
}

func (x *indexer) Confirm(_ context.Context, settle func(uint64, bool)) {
	x.asked++
	for r := uint64(1); r <= x.next; r++ {
		if known, arrived := x.answer(r); known {
			settle(r, arrived)
		}
	}
}

func nothingYet(uint64) (known, arrived bool) { return false, false }
func all(uint64) (known, arrived bool)        { return true, true }

func TestItemsWaitForTheirReceipts(t *testing.T) {
	sink := &indexer{answer: nothingYet}
	p := &telemetry.Pipeline{Sink: sink}
	for i := range 3 {
		p.Add(line(fmt.Sprint(i)))
	}
	expect := func(when string, sent uint64, pending, offered int) {
		t.Helper()
		n, bytes := p.Pending()
		if p.Sent() != sent || n != pending || (bytes == 0) != (n == 0) || len(sink.items) != offered {
			t.Errorf("%s: sent %d, %d (%d bytes) pending, %d offered; want %d, %d, %d", when, p.Sent(), n, bytes, len(sink.items), sent, pending, offered)
		}
	}
	for range 2 { // they are not sent again
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect("nothing is known", 0, 3, 3)
	}
	sink.answer = func(uint64) (bool, bool) { return true, false }
	_ = p.Flush(t.Context())
	expect("they did not arrive", 0, 3, 3)
	sink.answer = func(r uint64) (bool, bool) { return r > 1, true }
	_ = p.Flush(t.Context())
	expect("they were sent again", 3, 0, 6)
	for i, it := range sink.items {
		if r := decode(t, it); r.Message != fmt.Sprint(i%3) {
			t.Errorf("item %d is %q", i, r.Message)
		}
	}
}

func TestReceiptsAreAskedForAlthoughASendFails(t *testing.T) {
	sink := &indexer{answer: nothingYet}
	p := &telemetry.Pipeline{Sink: sink}
	p.Add(line("x"))
	_ = p.Flush(t.Context())
	sink.answer = all
	sink.take = func([]telemetry.Item) (int, error) { return 0, errors.New("down") }
	p.Add(line("y"))
	if err := p.Flush(t.Context()); err == nil || p.Sent() != 1 {
		t.Errorf("Flush = %v, sent %d, want an error and the first record confirmed", err, p.Sent())
	}
}

func TestShutdownGivesUpWhatNobodyConfirmed(t *testing.T) {
	last := &box{}
	sink := &indexer{answer: nothingYet}
	p := &telemetry.Pipeline{Sink: sink, Last: last}
	p.Add(line("x"))
	p.Add(&record.Record{Kind: record.Leak})
	p.Shutdown(t.Context())
	if n, bytes := p.Pending(); n != 0 || bytes != 0 || p.Sent() != 1 || p.Lost()["log"] != 1 || len(last.items) != 1 || last.items[0].Receipt != 0 {
		t.Errorf("%d pending (%d bytes), sent %d, lost %v, last %d", n, bytes, p.Sent(), p.Lost(), len(last.items))
	}
}

func TestAPanicWhileConfirming(t *testing.T) {
	sink := &indexer{answer: func(uint64) (bool, bool) { panic("bug") }}
	p := &telemetry.Pipeline{Sink: sink}
	p.Add(line("x"))
	if err := p.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	sink.answer = all
	if err := p.Flush(t.Context()); err != nil || p.Sent() != 1 {
		t.Errorf("Flush = %v, sent %d, want the record confirmed after all", err, p.Sent())
	}
}
