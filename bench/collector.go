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

// collector is an HEC that knows which lines it got. It reads bodies only when it is asked:
// Splunk's work is not the forwarder's, on whose CPUs it runs here.
type collector struct {
	addr   string
	server *http.Server
	delay  time.Duration
	busy   atomic.Int64 // answers that are still to be 503

	mu     sync.Mutex
	bodies []posted // not read yet
	seen   []uint64 // one bit for each line
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

// posted is a body as it came.
type posted struct {
	text   []byte
	zipped bool
}

// ServeHTTP takes a batch, or is busy.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	time.Sleep(c.delay)
	if c.busy.Add(-1) >= 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"text":"Server is busy","code":9}`)
		return
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"text":"Invalid data format","code":6}`)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies = append(c.bodies, posted{text, r.Header.Get("Content-Encoding") == "gzip"})
	fmt.Fprint(w, `{"text":"Success","code":0}`)
}

func (p posted) read() ([]byte, error) {
	if !p.zipped {
		return p.text, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(p.text))
	if err != nil {
		return nil, fmt.Errorf("a batch: %w", err)
	}
	text, err := io.ReadAll(z)
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

// got is how many different lines have arrived. The error is of a body that no HEC could
// read.
func (c *collector) got() (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.bodies {
		text, err := p.read()
		if err != nil {
			return 0, err
		}
		c.note(text)
	}
	c.bodies = nil
	for _, w := range c.seen {
		n += bits.OnesCount64(w)
	}
	return n, nil
}
