package emulator

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

// Why records were dropped, in AWS's words.
const (
	droppedSlow   = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."
	droppedFailed = "Some records were dropped because the destination did not accept them."
)

// maxAttempts is how often one batch is sent before it is dropped.
const maxAttempts = 5

// subscriber buffers the events of one subscription and sends them in batches.
type subscriber struct {
	name      string
	types     []string
	schema    string
	logFormat string
	buffering buffering
	send      func(ctx context.Context, batch []json.RawMessage) error
	release   func() // lets go of send's connections
	gate      *gate

	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // holds one token after add and flush

	mu      sync.Mutex
	queue   []json.RawMessage
	bytes   int       // of queue
	since   time.Time // when the first of queue came
	urgent  bool      // send now
	dropped logsDroppedRecord
}

// start sends batches until stop.
func (s *subscriber) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done, s.wake = cancel, make(chan struct{}), make(chan struct{}, 1)
	go s.run(ctx)
}

// stop ends the subscription and waits for its goroutine.
func (s *subscriber) stop() {
	s.cancel()
	<-s.done
}

// add buffers e if its type is wanted. A full buffer drops it and counts it:
// full is a batch on its way and two more behind.
func (s *subscriber) add(e event) {
	kind, _, _ := strings.Cut(e.kind, ".")
	if !slices.Contains(s.types, kind) {
		return
	}
	record := e.render(s.schema, s.logFormat)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= 2*s.buffering.MaxItems || s.bytes >= 2*s.buffering.MaxBytes {
		s.drop(droppedSlow, record)
		return
	}
	s.push(record)
	s.signal()
}

func (s *subscriber) push(record json.RawMessage) {
	if len(s.queue) == 0 {
		s.since = time.Now()
	}
	s.queue = append(s.queue, record)
	s.bytes += len(record)
}

func (s *subscriber) drop(reason string, records ...json.RawMessage) {
	s.dropped.Reason = reason
	for _, r := range records {
		s.dropped.DroppedRecords++
		s.dropped.DroppedBytes += len(r)
	}
}

func (s *subscriber) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.urgent = true
	s.signal()
}

func (s *subscriber) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

func (s *subscriber) run(ctx context.Context) {
	defer close(s.done)
	defer s.release()
	for {
		wait := s.due()
		if wait > 0 {
			select {
			case <-s.wake:
				continue
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		if !s.gate.pass(ctx) {
			return
		}
		s.deliver(ctx, s.take())
	}
}

// due is how long the queue may still wait; an empty one waits for an hour.
func (s *subscriber) due() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return time.Hour
	}
	if s.urgent || len(s.queue) >= s.buffering.MaxItems || s.bytes >= s.buffering.MaxBytes {
		return 0
	}
	return max(0, time.Until(s.since.Add(time.Duration(s.buffering.TimeoutMs)*time.Millisecond)))
}

// take removes one batch, and tells in it what was dropped before.
func (s *subscriber) take() []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped.DroppedRecords > 0 && slices.Contains(s.types, "platform") {
		e := event{time: time.Now(), kind: "platform.logsDropped", record: s.dropped}
		s.push(e.render(s.schema, s.logFormat))
		s.dropped = logsDroppedRecord{}
	}
	n, size := 0, 0
	for n < len(s.queue) && n < s.buffering.MaxItems && size < s.buffering.MaxBytes {
		size += len(s.queue[n])
		n++
	}
	batch := slices.Clone(s.queue[:n])
	s.queue = slices.Delete(s.queue, 0, n)
	s.bytes -= size
	s.since = time.Now()
	s.urgent = s.urgent && len(s.queue) > 0
	return batch
}

// deliver sends batch, again and again with growing pauses until it is
// accepted, dropped, or the subscription ends.
func (s *subscriber) deliver(ctx context.Context, batch []json.RawMessage) {
	if len(batch) == 0 {
		return
	}
	pause := 100 * time.Millisecond
	for range maxAttempts {
		if !s.gate.pass(ctx) {
			return
		}
		if err := s.send(ctx, batch); err == nil {
			return
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(droppedFailed, batch...)
}
