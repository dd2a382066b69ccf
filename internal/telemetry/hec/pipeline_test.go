package hec_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
)

// TestFromARecordToSplunk runs a pipeline and a client against a server that is
// busy, breaks off, hangs up and finds fault: each record arrives, once where the
// server's answer came through, or is counted.
func TestFromARecordToSplunk(t *testing.T) {
	// A request whose deadline passed is still being answered when the next arrives.
	var mu sync.Mutex
	arrived := make(map[string]int)
	ambiguous := make(map[string]bool)
	s := newServer(t, func(n int, r request) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		switch n % 7 {
		case 1:
			return 503, body(9, 0)
		case 3: // indexed, and the answer is lost
			for _, id := range r.ids {
				arrived[id]++
				ambiguous[id] = true
			}
			return 0, ""
		case 5:
			for _, id := range r.ids[:len(r.ids)/2] {
				arrived[id]++
			}
			return 400, body(6, len(r.ids)/2)
		}
		for _, id := range r.ids {
			arrived[id]++
		}
		return 200, success
	})
	client := client(s.URL)
	p := &telemetry.Pipeline{Sink: client, MaxBytes: 200 << 10}
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := range 300 {
				kind := record.Log
				if i%10 == 0 {
					kind = record.Attack
				}
				p.Add(&record.Record{Kind: kind, Message: fmt.Sprint(w, i, strings.Repeat(" text", 50))})
			}
		})
	}
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_ = p.Flush(ctx) // what fails stays
		client.TryNow()
		client.CloseIdle()
		cancel()
	}
	writers.Wait()
	p.Shutdown(t.Context())

	mu.Lock()
	defer mu.Unlock()
	var lost uint64
	for n := range maps.Values(p.Lost()) {
		lost += n
	}
	if p.Made() != 900 || p.Made() != p.Sent()+lost || uint64(len(arrived)) < p.Sent() {
		t.Errorf("made %d, sent %d, lost %d, arrived %d", p.Made(), p.Sent(), lost, len(arrived))
	}
	for id, n := range arrived {
		if n > 1 && !ambiguous[id] {
			t.Errorf("%s arrived %d times, although each answer came through", id, n)
		}
	}
}

// TestFindingsArriveBeforeTheDeadline has more lines waiting than the deadline
// lets through.
func TestFindingsArriveBeforeTheDeadline(t *testing.T) {
	var first []string
	s := newServer(t, func(n int, r request) (int, string) {
		if n == 1 {
			first = r.ids
		} else {
			<-t.Context().Done() // it hangs
		}
		return 200, success
	})
	p := &telemetry.Pipeline{Sink: client(s.URL)}
	for range 20 {
		p.Add(&record.Record{Kind: record.Log, Message: strings.Repeat("x", 200<<10)})
	}
	leak := &record.Record{Kind: record.Leak}
	p.Add(leak)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err := p.Flush(ctx)
	if !slices.Equal(first, []string{leak.ID}) {
		t.Errorf("the first request held %v, want the leak alone", first)
	}
	if n, _ := p.Pending(); n == 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d records wait, Flush = %v: the deadline was meant to cut the lines off", n, err)
	}
}

// TestShutdownDoesNotWaitOutAPause has a HEC that comes back just in time.
func TestShutdownDoesNotWaitOutAPause(t *testing.T) {
	s := newServer(t, func(n int, _ request) (int, string) {
		if n <= 3 {
			return 503, body(9, 0)
		}
		return 200, success
	})
	p := &telemetry.Pipeline{Sink: client(s.URL)}
	p.Add(&record.Record{Kind: record.Leak})
	if err := p.Flush(t.Context()); err == nil {
		t.Fatal("Flush succeeds")
	}
	p.Shutdown(t.Context())
	if p.Sent() != 1 {
		t.Errorf("sent %d, lost %v, want the leak delivered", p.Sent(), p.Lost())
	}
}
