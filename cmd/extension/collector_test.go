package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/record"
)

// collector is a HEC on loopback that fails as a test wants, and knows what it took.
type collector struct {
	addr   string
	useACK bool // as a token may say

	mu     sync.Mutex
	server *http.Server // nil: nobody listens
	fault  fault        // nil: none
	took   map[string]record.Kind
	batch  map[string]int // by id: the store that it came with
	stores int
	again  map[int]bool // stores of which something came again
	posts  int          // since the fault began
	total  int
	acks   map[int]bool
	conns  map[net.Conn]http.ConnState
}

// fault answers a request in place of the collector. n counts them from 1.
type fault func(w http.ResponseWriter, r *http.Request, c *collector, n int)

const hecToken = "00000000-1111-2222-3333-444444444444"

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{addr: freeAddr(t), took: make(map[string]record.Kind), batch: make(map[string]int), again: make(map[int]bool), acks: make(map[int]bool), conns: make(map[net.Conn]http.ConnState)}
	c.open(t)
	t.Cleanup(c.shut)
	return c
}

// open listens.
func (c *collector) open(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: c, ConnState: func(conn net.Conn, state http.ConnState) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.conns[conn] = state; state == http.StateClosed {
			delete(c.conns, conn)
		}
	}}
	c.mu.Lock()
	c.server = s
	c.mu.Unlock()
	go func() { _ = s.Serve(l) }() // ends with shut
}

// shut refuses every connection.
func (c *collector) shut() {
	c.mu.Lock()
	s := c.server
	c.server = nil
	c.mu.Unlock()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.Shutdown(ctx) // what was taken is answered, or it would come twice
	_ = s.Close()       // its other connections, too
}

func (c *collector) env() map[string]string {
	return map[string]string{"GATEHOUSE_HEC_URL": "http://" + c.addr, "GATEHOUSE_HEC_TOKEN": hecToken}
}

// fail has all further requests answered by f; nil: taken.
func (c *collector) fail(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault, c.posts = f, 0
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	f := c.fault
	c.posts++
	c.total++
	n := c.posts
	c.mu.Unlock()
	switch {
	case f != nil:
		f(w, r, c, n)
	case strings.HasSuffix(r.URL.Path, "/ack"):
		c.confirm(w, r, true)
	default:
		c.take(r)
		answer(w, 200, c.success())
	}
}

// success is the answer to what was taken, with an id where acknowledgements are on.
func (c *collector) success() string {
	if !c.useACK {
		return `{"text":"Success","code":0}`
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks[len(c.acks)] = true
	return fmt.Sprintf(`{"text":"Success","code":0,"ackId":%d}`, len(c.acks)-1)
}

// confirm answers whether what was taken is indexed.
func (c *collector) confirm(w http.ResponseWriter, r *http.Request, indexed bool) {
	var ask struct {
		Acks []int `json:"acks"`
	}
	_ = json.NewDecoder(r.Body).Decode(&ask) // none: nothing is confirmed
	answers := make(map[int]bool)
	for _, id := range ask.Acks {
		answers[id] = indexed
	}
	text, err := json.Marshal(map[string]any{"acks": answers})
	if err != nil {
		panic(err) // a map of bools always encodes
	}
	answer(w, 200, string(text))
}

func answer(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// objects reads a request's records.
func objects(r *http.Request) (list []record.Record) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil
		}
		body = z
	}
	for d := json.NewDecoder(body); ; {
		var e struct {
			Event record.Record `json:"event"`
		}
		if d.Decode(&e) != nil {
			return list
		}
		list = append(list, e.Event)
	}
}

func (c *collector) take(r *http.Request) { c.store(objects(r)) }

func (c *collector) store(list []record.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stores++
	for i := range list {
		id := list[i].ID
		if n := c.batch[id]; n > 0 {
			c.again[n] = true
			continue
		}
		c.took[id], c.batch[id] = list[i].Kind, c.stores
	}
}

// ids are those of the records that it took.
func (c *collector) ids() map[string]record.Kind {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.took)
}

func (c *collector) kind(k record.Kind) (n int) {
	for _, have := range c.ids() {
		if have == k {
			n++
		}
	}
	return n
}

// twice is of how many batches something came again.
func (c *collector) twice() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.again)
}

// count is how many requests there were.
func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// closeIdle closes what nobody uses, as a load balancer does.
func (c *collector) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, state := range c.conns {
		if state == http.StateIdle {
			_ = conn.Close()
		}
	}
}

// printed are the findings in a log.
func printed(log string) map[string]record.Kind {
	ids := make(map[string]record.Kind)
	for line := range strings.Lines(log) {
		var r record.Record
		if json.Unmarshal(bytes.TrimSpace([]byte(line)), &r) == nil && r.Kind.Finding() {
			ids[r.ID] = r.Kind
		}
	}
	return ids
}
