package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/bits"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// collector is an HEC that knows which lines it got.
type collector struct {
	addr   string
	server *http.Server
	delay  time.Duration
	busy   atomic.Int64 // answers that are still to be 503

	mu   sync.Mutex
	seen []uint64 // one bit for each line
	err  error    // the first thing that it could not read
}

// lineMark stands before the number of a line, of lineDigits digits.
const (
	lineMark   = "line-"
	lineDigits = 6
)

// newCollector listens on a free port of loopback. The caller closes it.
func newCollector(lines, busy int, delay time.Duration) (*collector, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	c := &collector{addr: l.Addr().String(), delay: delay, seen: make([]uint64, (lines+63)/64)}
	c.busy.Store(int64(busy))
	c.server = &http.Server{Handler: c}
	go func() { _ = c.server.Serve(l) }() // ends with close
	return c, nil
}

func (c *collector) close() { _ = c.server.Close() }

// ServeHTTP takes a batch, or is busy.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := read(r)
	time.Sleep(c.delay)
	if c.busy.Add(-1) >= 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"text":"Server is busy","code":9}`)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.err = err
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"text":"Invalid data format","code":6}`)
		return
	}
	c.note(text)
	fmt.Fprint(w, `{"text":"Success","code":0}`)
}

func read(r *http.Request) ([]byte, error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("a batch: %w", err)
		}
		body = z
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("a batch: %w", err)
	}
	return text, nil
}

// note notes the lines in text.
func (c *collector) note(text []byte) {
	for {
		i := bytes.Index(text, []byte(lineMark))
		if i < 0 || len(text) < i+len(lineMark)+lineDigits {
			return
		}
		text = text[i+len(lineMark):]
		if n, err := strconv.Atoi(string(text[:lineDigits])); err == nil && n/64 < len(c.seen) {
			c.seen[n/64] |= 1 << (n % 64)
		}
	}
}

// got is how many different lines have arrived.
func (c *collector) got() (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.seen {
		n += bits.OnesCount64(w)
	}
	return n, c.err
}
