package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// box is a Sink in memory. take says how many of a batch it is done with; nil:
// all.
type box struct {
	take func(batch []telemetry.Item) (int, error)

	mu    sync.Mutex
	items []telemetry.Item
	busy  bool
}

func (b *box) Send(_ context.Context, batch []telemetry.Item) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy {
		panic("two Sends at once")
	}
	n, err := len(batch), error(nil)
	if b.take != nil {
		b.busy = true
		b.mu.Unlock()
		func() {
			defer func() { b.mu.Lock(); b.busy = false }()
			n, err = b.take(batch)
		}()
	}
	for _, it := range batch[:n] {
		if it.Rejected == "" {
			b.items = append(b.items, it)
		}
	}
	return n, err
}

func (b *box) kinds() (kinds []record.Kind) {
	for _, it := range b.items {
		kinds = append(kinds, it.Kind)
	}
	return kinds
}

func decode(t *testing.T, it telemetry.Item) record.Record {
	t.Helper()
	var r record.Record
	if err := json.Unmarshal(it.JSON, &r); err != nil {
		t.Fatalf("item %s is not a record: %v\n%s", it.ID, err, it.JSON)
	}
	return r
}

func line(s string) *record.Record { return &record.Record{Kind: record.Log, Message: s} }

func TestAddCompletesARecord(t *testing.T) {
	sink := &box{}
	p := &telemetry.Pipeline{Sink: sink, Stamp: func(r *record.Record) { r.FunctionName, r.Region = "orders", "eu-west-1" }}
	p.Add(line("one"))
	p.Add(&record.Record{Kind: record.Log, ID: "01J0000000000000000000000A", Message: "two"})
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(sink.items) != 2 {
		t.Fatalf("%d items arrived, want 2", len(sink.items))
	}
	one, two := decode(t, sink.items[0]), decode(t, sink.items[1])
	if one.Schema != 1 || len(one.ID) != 26 || one.VendorProduct != "Gatehouse" || one.Seq != 1 || one.FunctionName != "orders" || time.Since(one.Time) > time.Minute {
		t.Errorf("record is incomplete: %s", sink.items[0].JSON)
	}
	if two.ID != "01J0000000000000000000000A" || two.Seq != 2 {
		t.Errorf("id %q, seq %d of the second record, want the given id and 2", two.ID, two.Seq)
	}
	if it := sink.items[0]; it.Host != "orders" || it.Region != "eu-west-1" || it.ID != one.ID || !it.Time.Equal(one.Time) {
		t.Errorf("item %+v does not say what its record says", it)
	}
	if n, bytes := p.Pending(); n != 0 || bytes != 0 {
		t.Errorf("pending %d records, %d bytes after a flush", n, bytes)
	}
}

func TestFlushSendsFindingsFirstThenInOrder(t *testing.T) {
	sink := &box{}
	p := &telemetry.Pipeline{Sink: sink}
	for _, k := range []record.Kind{record.Log, record.Connection, record.Attack, record.Platform, record.Health, record.Leak, record.Log} {
		p.Add(&record.Record{Kind: k})
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []record.Kind{record.Attack, record.Health, record.Leak, record.Log, record.Connection, record.Platform, record.Log}
	if got := sink.kinds(); !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestWhatASinkDoesNotTakeStays(t *testing.T) {
	down := errors.New("down")
	limit := 2
	sink := &box{take: func(b []telemetry.Item) (int, error) { return min(limit, len(b)), down }}
	p := &telemetry.Pipeline{Sink: sink}
	for i := range 5 {
		p.Add(line(fmt.Sprint(i)))
	}
	if err := p.Flush(t.Context()); !errors.Is(err, down) {
		t.Fatalf("Flush = %v, want the sink's error", err)
	}
	if n, _ := p.Pending(); n != 3 {
		t.Fatalf("pending %d, want 3", n)
	}
	sink.take = nil
	p.Add(line("5"))
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, it := range sink.items {
		if r := decode(t, it); r.Message != fmt.Sprint(i) || r.Seq != uint64(i+1) {
			t.Errorf("item %d is %q, seq %d", i, r.Message, r.Seq)
		}
	}
}

func TestASinkThatTakesNothingEndsTheFlush(t *testing.T) {
	p := &telemetry.Pipeline{Sink: &box{take: func([]telemetry.Item) (int, error) { return 0, nil }}}
	p.Add(line("x"))
	if err := p.Flush(t.Context()); !errors.Is(err, telemetry.ErrStuck) {
		t.Errorf("Flush = %v, want ErrStuck", err)
	}
}

func TestASinkThatPanics(t *testing.T) {
	p := &telemetry.Pipeline{Sink: &box{take: func([]telemetry.Item) (int, error) { panic("bug") }}}
	p.Add(line("x"))
	if err := p.Flush(t.Context()); !errors.Is(err, telemetry.ErrPanic) {
		t.Errorf("Flush = %v, want ErrPanic", err)
	}
	if n, _ := p.Pending(); n != 1 {
		t.Errorf("pending %d, want the record back", n)
	}
}

// fill adds records of kind k until one is dropped, and returns how many are in.
func fill(t *testing.T, p *telemetry.Pipeline, k record.Kind) int {
	t.Helper()
	for range 10_000 {
		p.Add(&record.Record{Kind: k, Message: strings.Repeat("x", 500)})
		if p.Lost() != nil {
			n, _ := p.Pending()
			return n
		}
	}
	t.Fatal("the pipeline never fills")
	return 0
}

func TestAFullPipelineDropsLinesBeforeFindings(t *testing.T) {
	sink := &box{}
	p := &telemetry.Pipeline{Sink: sink, MaxBytes: 64 << 10}
	n := fill(t, p, record.Log)
	if _, bytes := p.Pending(); bytes > 64<<10 {
		t.Errorf("%d bytes wait, more than MaxBytes", bytes)
	}
	if lost := p.Lost(); len(lost) != 1 || lost["log"] != 1 {
		t.Errorf("lost %v, want one log", lost)
	}
	for range 3 {
		p.Add(&record.Record{Kind: record.Attack, Matched: strings.Repeat("y", 500)})
	}
	if lost := p.Lost(); lost["attack"] != 0 || lost["log"] < 3 {
		t.Errorf("lost %v, want logs only", lost)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := decode(t, sink.items[3])
	if got := sink.kinds()[:3]; !slices.Equal(got, []record.Kind{record.Attack, record.Attack, record.Attack}) || first.Seq == 1 {
		t.Errorf("kinds %v, then seq %d: want the three attacks, and the oldest lines gone (of %d)", got, first.Seq, n)
	}
}

func TestAFloodOfAttacksDoesNotHideALeak(t *testing.T) {
	sink := &box{}
	p := &telemetry.Pipeline{Sink: sink, MaxBytes: 64 << 10}
	fill(t, p, record.Attack)
	p.Add(&record.Record{Kind: record.Leak, Object: "DB_PASSWORD"})
	p.Add(&record.Record{Kind: record.Health})
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := sink.kinds(); !slices.Contains(got, record.Leak) || !slices.Contains(got, record.Health) {
		t.Errorf("lost %v, want attacks only", p.Lost())
	}
}

func TestAFindingThatDoesNotFitLosesItsEventOnly(t *testing.T) {
	sink := &box{}
	p := &telemetry.Pipeline{Sink: sink, MaxBytes: 64 << 10}
	p.Add(line("kept"))
	r := &record.Record{Kind: record.Attack, Matched: "' OR 1=1"}
	r.SetEvent([]byte(`{"q":"`+strings.Repeat("x", 100<<10)+`"}`), nil)
	p.Add(r)
	if p.Lost() != nil {
		t.Fatalf("lost %v", p.Lost())
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := decode(t, sink.items[0])
	if len(sink.items) != 2 || got.Event != nil || !got.EventTruncated || got.EventBytes != 100<<10+8 || got.Matched != "' OR 1=1" {
		t.Errorf("want the finding without its event, and the line: %s", sink.items[0].JSON)
	}
}

func TestALongRecordIsShortened(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, r := range map[string]*record.Record{
		"line":        line(strings.Repeat("\x01", 4<<20)),
		"JSON line":   {Kind: record.Log, MessageJSON: json.RawMessage(`{"a":"` + long + `"}`)},
		"platform":    {Kind: record.Platform, Platform: json.RawMessage(`["` + long + `"]`)},
		"anything":    {Kind: record.Connection, URL: long},
		"the unknown": {Kind: record.Connection, JA4: long},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &box{}
			p := &telemetry.Pipeline{Sink: sink}
			p.Add(r)
			if err := p.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := decode(t, sink.items[0]); len(sink.items[0].JSON) > 900<<10 || !got.Truncated {
				t.Errorf("%d bytes, truncated %v", len(sink.items[0].JSON), got.Truncated)
			}
		})
	}
}

func TestUrgent(t *testing.T) {
	p := &telemetry.Pipeline{UrgentBytes: 10_000}
	waits := func() bool {
		select {
		case <-p.Urgent():
			return true
		default:
			return false
		}
	}
	p.Add(line("x"))
	if waits() {
		t.Error("a line is urgent")
	}
	p.Add(&record.Record{Kind: record.Health})
	p.Add(&record.Record{Kind: record.Attack})
	if !waits() || waits() {
		t.Error("want one signal for the health record and the attack")
	}
	p.Add(line(strings.Repeat("x", 10_000)))
	if !waits() {
		t.Error("UrgentBytes are reached, and nobody says so")
	}
}

// TestFlushFull sends whole batches, and what is urgent.
func TestFlushFull(t *testing.T) {
	sink := &box{}
	p := &telemetry.Pipeline{Sink: sink, UrgentBytes: 10_000}
	flush := func(want int, heavy bool) {
		t.Helper()
		if err := p.FlushFull(t.Context()); err != nil || len(sink.items) != want || p.Heavy() != heavy {
			t.Errorf("FlushFull = %v: %d items are sent, want %d; heavy %v", err, len(sink.items), want, p.Heavy())
		}
	}
	p.Add(line("x"))
	flush(0, false)
	p.Add(&record.Record{Kind: record.Attack})
	flush(1, false)
	p.Add(line(strings.Repeat("x", 10_000)))
	flush(3, false)
	for range 30 {
		p.Add(line("x"))
	}
	sent := len(sink.items)
	if !p.Heavy() {
		t.Error("30 lines do not make a batch of 10 kB")
	}
	flush(sent+30, false) // a batch takes what there is, up to 1 MiB
	p.Add(line("x"))
	if err := p.Flush(t.Context()); err != nil || len(sink.items) != sent+31 {
		t.Errorf("Flush = %v: %d items are sent, want %d", err, len(sink.items), sent+31)
	}
}

func TestShutdown(t *testing.T) {
	down := errors.New("down")
	tests := []struct {
		name       string
		sink, last telemetry.Sink
		sent       uint64
		lost       map[string]uint64
	}{
		{"the sink takes all", &box{}, nil, 3, nil},
		{"findings go to the last resort", &box{take: func([]telemetry.Item) (int, error) { return 0, down }}, &box{}, 1, map[string]uint64{"log": 1, "health": 1}},
		{"no sink", nil, &box{}, 1, map[string]uint64{"log": 1, "health": 1}},
		{"nothing at all", nil, nil, 0, map[string]uint64{"log": 1, "health": 1, "leak": 1}},
		{"rejected one by one", &box{take: rejectAll}, &box{}, 1, map[string]uint64{"log": 1, "health": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &telemetry.Pipeline{Sink: tt.sink, Last: tt.last}
			p.Add(line("x"))
			p.Add(&record.Record{Kind: record.Leak})
			p.Add(&record.Record{Kind: record.Health})
			p.Shutdown(t.Context())
			if p.Sent() != tt.sent || fmt.Sprint(p.Lost()) != fmt.Sprint(tt.lost) {
				t.Errorf("sent %d, lost %v, want %d, %v", p.Sent(), p.Lost(), tt.sent, tt.lost)
			}
			if n, bytes := p.Pending(); n != 0 || bytes != 0 {
				t.Errorf("pending %d records, %d bytes", n, bytes)
			}
			p.Add(&record.Record{Kind: record.Runtime}) // too late for everything but Last
			if p.Made() != p.Sent()+sum(p.Lost()) {
				t.Errorf("made %d, sent %d, lost %v", p.Made(), p.Sent(), p.Lost())
			}
		})
	}
}

func rejectAll(batch []telemetry.Item) (int, error) {
	for i := range batch {
		batch[i].Rejected = "no"
	}
	return len(batch), nil
}

func sum(m map[string]uint64) (n uint64) {
	for _, v := range m {
		n += v
	}
	return n
}

func TestOneFlushAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &box{take: func(b []telemetry.Item) (int, error) { time.Sleep(time.Second); return len(b), nil }}
		p := &telemetry.Pipeline{Sink: sink}
		p.Add(line("x"))
		go func() { _ = p.Flush(context.Background()) }()
		synctest.Wait()
		p.Add(line("y"))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := p.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush = %v, want the deadline", err)
		}
		if n, _ := p.Pending(); n != 2 {
			t.Errorf("pending %d, want the one in flight and the one that waits", n)
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		if len(sink.items) != 2 {
			t.Errorf("%d items arrived, want 2", len(sink.items))
		}
	})
}

// A flush that is still at work when Shutdown ran out of time brings back what it
// could not send: that is not lost in silence.
func TestAFlushThatEndsAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := &box{}
		p := &telemetry.Pipeline{Last: last, Sink: &box{take: func([]telemetry.Item) (int, error) {
			time.Sleep(time.Second)
			return 0, errors.New("down")
		}}}
		p.Add(&record.Record{Kind: record.Leak})
		p.Add(line("x"))
		go func() { _ = p.Flush(context.Background()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		p.Shutdown(ctx)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(last.items) != 1 || p.Lost()["log"] != 1 {
			t.Errorf("last resort took %d items, lost %v", len(last.items), p.Lost())
		}
		if n, bytes := p.Pending(); n != 0 || bytes != 0 {
			t.Errorf("pending %d records, %d bytes", n, bytes)
		}
	})
}

// TestNothingIsLostInSilence runs writers against a sink that takes a part, takes
// nothing, or rejects, and a pipeline that is too small: in the end each id was
// delivered once or counted.
func TestNothingIsLostInSilence(t *testing.T) {
	var calls int
	sink := &box{take: func(b []telemetry.Item) (int, error) {
		calls++
		switch calls % 4 {
		case 0:
			return 0, errors.New("down")
		case 1:
			return len(b) / 2, errors.New("half")
		case 2:
			b[0].Rejected = "bad"
		}
		return len(b), nil
	}}
	last := &box{}
	p := &telemetry.Pipeline{Sink: sink, Last: last, MaxBytes: 100 << 10}
	kinds := []record.Kind{record.Log, record.Attack, record.Connection, record.Leak, record.Platform}
	var writers sync.WaitGroup
	const each = 500
	for w := range 4 {
		writers.Go(func() {
			for i := range each {
				p.Add(&record.Record{Kind: kinds[(w+i)%len(kinds)], Message: strings.Repeat("m", 200)})
			}
		})
	}
	finished := make(chan struct{})
	go func() { writers.Wait(); close(finished) }()
	for alive := true; alive; {
		select {
		case <-finished:
			alive = false
		default:
			_ = p.Flush(t.Context())
		}
	}
	p.Shutdown(t.Context())
	ids := make(map[string]bool)
	for _, it := range append(sink.items, last.items...) {
		if ids[it.ID] {
			t.Errorf("%s arrived twice", it.ID)
		}
		ids[it.ID] = true
	}
	if p.Made() != 4*each || p.Sent() != uint64(len(ids)) || p.Made() != p.Sent()+sum(p.Lost()) {
		t.Errorf("made %d, sent %d (%d arrived), lost %v", p.Made(), p.Sent(), len(ids), p.Lost())
	}
	if n, bytes := p.Pending(); n != 0 || bytes != 0 {
		t.Errorf("pending %d records, %d bytes", n, bytes)
	}
}

// TestRoom: whoever asks for room waits until less than half the memory is taken, or
// gives up.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &telemetry.Pipeline{Sink: &box{}, MaxBytes: 64 << 10}
		p.Room(t.Context()) // there is
		for range 40 {
			p.Add(&record.Record{Kind: record.Log, Message: strings.Repeat("x", 1<<10)})
		}
		var roomy atomic.Int32
		for range 3 {
			go func() {
				p.Room(t.Context())
				roomy.Add(1)
			}()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.Room(ctx)
		if synctest.Wait(); ctx.Err() == nil || roomy.Load() != 0 {
			t.Fatalf("%d found room, %v", roomy.Load(), ctx.Err())
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if synctest.Wait(); roomy.Load() != 3 {
			t.Errorf("%d of 3 found room", roomy.Load())
		}
	})
}
