package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/record"
)

// collector is a HEC on loopback that fails as a test wants, and knows what it took.
type collector struct {
	*httptest.Server

	mu    sync.Mutex
	fault func(w http.ResponseWriter, r *http.Request, c *collector) // nil: none
	took  map[string]record.Kind                                     // by id
	times map[string]time.Time
	twice int // ids that came again
	posts int
	conns map[net.Conn]http.ConnState
}

const hecToken = "00000000-1111-2222-3333-444444444444"

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{took: make(map[string]record.Kind), times: make(map[string]time.Time), conns: make(map[net.Conn]http.ConnState)}
	c.Server = httptest.NewUnstartedServer(c)
	c.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns[conn] = state
	}
	c.Start()
	t.Cleanup(func() { c.CloseClientConnections(); c.Close() })
	return c
}

func (c *collector) env() map[string]string {
	return map[string]string{"GATEHOUSE_HEC_URL": c.URL, "GATEHOUSE_HEC_TOKEN": hecToken}
}

// fail has all further requests answered by f; nil: taken.
func (c *collector) fail(f func(http.ResponseWriter, *http.Request, *collector)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	fault := c.fault
	c.posts++
	c.mu.Unlock()
	if fault != nil {
		fault(w, r, c)
		return
	}
	c.take(r)
	answer(w, 200, `{"text":"Success","code":0}`)
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
	for i := range list {
		if _, ok := c.took[list[i].ID]; ok {
			c.twice++
		}
		c.took[list[i].ID] = list[i].Kind
		c.times[list[i].ID] = time.Now()
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

// count is how many requests there were.
func (c *collector) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.posts
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
