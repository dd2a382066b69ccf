// Package receiver is the endpoint of Lambda's Telemetry API: it turns what the
// platform posts into records and says when an invocation is over. The function
// can reach its port and forge all of it, so everything is bounded and nothing
// is believed beyond a log line's worth. It logs nothing: with the extension's own
// lines subscribed, each would come back as the next batch.
package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/record"
)

// Limits.
const (
	// maxBody bounds a batch, in bytes. Lambda sends at most twice the 1 MiB that
	// a subscription can ask for, and metadata.
	maxBody = 4 << 20
	// maxEvents bounds the events of a batch; a subscription can ask for 10,000.
	maxEvents = 20_000
	// maxBatches bounds the batches that are read at once. Lambda sends one after
	// the other.
	maxBatches = 4
	// roomTime bounds the wait for room before a batch.
	roomTime = time.Second
	// readTime bounds the reading of one batch.
	readTime = 5 * time.Second
)

// Receiver answers the Telemetry API's POSTs, on any path. Its fields are set
// before use; it is safe for concurrent use.
type Receiver struct {
	// Add takes a record and never blocks. The record, and what of it is raw JSON, holds
	// only until Add returns.
	Add func(*record.Record)
	// Room waits until there is room for more records, or its context ends, before a batch
	// is read: Lambda keeps meanwhile what comes, and says what it had to drop. nil: there
	// always is.
	Room func(context.Context)
	// Done is told that the runtime is done with an invocation
	// (platform.runtimeDone) with status success, failure, error or timeout, after
	// the records of the same batch were added; nil: nobody.
	Done func(requestID, status string)
	// Platform is told of every other platform event, in the same way. raw is the
	// event's record and must not be changed; nil: nobody.
	Platform func(typ string, raw json.RawMessage)
	// Current names the invocation that a line of text belongs to where the stream
	// has not said so; nil, or "": none.
	Current func() string
	// Concurrent is set on managed instances, where lines of several invocations
	// mix and only those that name their invocation belong to one.
	Concurrent bool

	once    sync.Once
	slots   chan struct{} // tokens: batches being read
	batches atomic.Uint64 // numbers them

	mu    sync.Mutex
	seen  seen
	open  string // the invocation of the stream, between start and report
	stats Stats
}

// Stats counts what a Receiver was sent.
type Stats struct {
	Batches    uint64 // POSTs
	Records    uint64 // records made
	Duplicates uint64 // dropped: delivered before
	Unreadable uint64 // batches that are, from some point on, no JSON array of events
	TooLarge   uint64 // batches above 4 MiB: their rest was not read
	Broken     uint64 // batches whose connection broke: Lambda sends them again
	Panics     uint64 // recovered
	// Dropped is what Lambda says that it dropped (platform.logsDropped), records.
	Dropped uint64
}

// Stats returns the counts so far.
func (rc *Receiver) Stats() Stats {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return rc.stats
}

// ServeHTTP takes one batch. It answers 200 to whatever it could read, sense or
// not, because Lambda sends everything else again, for ever.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	rc.once.Do(func() { rc.slots = make(chan struct{}, maxBatches) })
	select {
	case rc.slots <- struct{}{}:
		defer func() { <-rc.slots }()
	case <-req.Context().Done():
		return
	}
	rc.room(req.Context())
	// A server that cannot set a deadline has its own.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTime))
	w.WriteHeader(rc.take(req.Body))
}

// room waits for it, no longer than Lambda has patience.
func (rc *Receiver) room(ctx context.Context) {
	if rc.Room == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, roomTime)
	defer cancel()
	rc.Room(ctx)
}

// take reads a batch and returns the answer's status.
func (rc *Receiver) take(body io.Reader) (status int) {
	b := batch{Receiver: rc, number: rc.batches.Add(1)}
	defer func() {
		if recover() != nil { // fails open: telemetry never takes the function down
			b.stats.Panics++
			b.count()
			status = http.StatusOK
		}
	}()
	wire := &watched{Reader: body}
	limited := &io.LimitedReader{R: wire, N: maxBody}
	err := b.read(limited)
	b.stats.Batches++
	status = http.StatusOK
	switch {
	case err == nil:
	case wire.err != nil:
		b.stats.Broken++
		status = http.StatusInternalServerError
	case limited.N <= 0:
		b.stats.TooLarge++
	default:
		b.stats.Unreadable++
	}
	b.count() // before somebody is told
	b.signal()
	return status
}

// count adds what b counted.
func (b *batch) count() {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum, s := &b.Receiver.stats, &b.stats
	sum.Batches += s.Batches
	sum.Records += s.Records
	sum.Duplicates += s.Duplicates
	sum.Unreadable += s.Unreadable
	sum.TooLarge += s.TooLarge
	sum.Broken += s.Broken
	sum.Panics += s.Panics
	sum.Dropped += s.Dropped
	*s = Stats{}
}

// watched keeps the error of a connection, which a JSON decoder would confuse
// with JSON that is cut off.
type watched struct {
	io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
