package hec_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
	"gatehouse/internal/telemetry/hec"
)

// indexer is a HEC whose token has acknowledgements, as Splunk's documentation
// describes them: ids count from 0 per channel, true is said once.
type indexer struct {
	after  time.Duration // until a request is acknowledged
	answer func(ack bool) (status int, body string)
	cookie string

	mu      sync.Mutex
	next    map[string]int64
	taken   map[string]map[int64]time.Time
	posts   []string // the ids of each
	asks    int
	largest int // ids in one question
	cookies []string
}

func (x *indexer) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	channel := req.Header.Get("X-Splunk-Request-Channel")
	ack := strings.HasSuffix(req.URL.Path, "/services/collector/ack")
	if req.Header.Get("Authorization") != "Splunk "+token || channel == "" {
		http.Error(w, body(10, -1), http.StatusBadRequest)
		return
	}
	x.cookies = append(x.cookies, req.Header.Get("Cookie"))
	if x.cookie != "" {
		w.Header().Add("Set-Cookie", x.cookie)
	}
	if x.answer != nil {
		if status, text := x.answer(ack); status != 0 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return
		}
	}
	if ack {
		x.say(w, channel, req.Body)
		return
	}
	x.posts = append(x.posts, strings.Join(read(req).ids, ""))
	_, _ = fmt.Fprintf(w, `{"text":"Success","code":0,"ackId":%d}`, x.take(channel))
}

// take gives a request its id.
func (x *indexer) take(channel string) int64 {
	if x.next == nil {
		x.next, x.taken = map[string]int64{}, map[string]map[int64]time.Time{}
	}
	if x.taken[channel] == nil {
		x.taken[channel] = map[int64]time.Time{}
	}
	id := x.next[channel]
	x.next[channel]++
	x.taken[channel][id] = time.Now()
	return id
}

// say answers a question.
func (x *indexer) say(w io.Writer, channel string, question io.Reader) {
	var q struct {
		Acks []int64 `json:"acks"`
	}
	if json.NewDecoder(question).Decode(&q) != nil {
		return
	}
	x.asks++
	x.largest = max(x.largest, len(q.Acks))
	answer := map[string]bool{}
	for _, id := range q.Acks {
		at, ok := x.taken[channel][id]
		known := ok && time.Since(at) >= x.after
		answer[strconv.FormatInt(id, 10)] = known
		if known {
			delete(x.taken[channel], id)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"acks": answer})
}

// forget is a restart.
func (x *indexer) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.next, x.taken = nil, nil
}

func (x *indexer) events() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.posts, " ")
}

// sandbox is a pipeline with a client in a bubble, and what it says.
type sandbox struct {
	telemetry.Pipeline
	client *hec.Client
	said   []string
}

func newSandbox(t *testing.T, handler http.Handler, ack hec.Ack) *sandbox {
	t.Helper()
	s := &sandbox{client: bubble(t, handler)}
	s.client.Ack = ack
	s.client.Say = func(line string) { s.said = append(s.said, line) }
	s.Sink = s.client
	return s
}

// add makes a record whose id is one letter.
func (s *sandbox) add(ids string) {
	for _, id := range ids {
		s.Add(&record.Record{ID: string(id), Kind: record.Log, Message: "m"})
	}
}

// invoke is one flush of a second, as after an invocation.
func (s *sandbox) invoke(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_ = s.Flush(ctx) // what fails stays, and is seen there
	s.client.CloseIdle()
	return time.Since(start)
}

func (s *sandbox) want(t *testing.T, sent uint64, pending int) {
	t.Helper()
	if n, _ := s.Pending(); s.Sent() != sent || n != pending {
		t.Errorf("sent %d, pending %d, want %d and %d", s.Sent(), n, sent, pending)
	}
}
