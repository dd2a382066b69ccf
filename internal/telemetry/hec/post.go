package hec

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"
)

// Retries.
const (
	maxAttempts = 3
	firstWait   = 100 * time.Millisecond
	maxReply    = 64 << 10
	// attemptTime bounds one attempt; staleTime one on a connection that was used
	// before, which may be dead since a thaw.
	attemptTime = 10 * time.Second
	staleTime   = 2 * time.Second
)

// post sends body until it is answered for good, attempts or ctx run out. The
// reply is never Busy or Ambiguous without an error.
func (d *delivery) post(ctx context.Context, body []byte) (Reply, error) {
	sent, encoding := d.compress(body)
	fresh := false // a stale connection was already excused
	for attempt := 1; ; attempt++ {
		a := d.try(ctx, sent, encoding)
		if a.err != nil && a.reused && !fresh {
			fresh = true
			attempt--
			d.CloseIdle()
			continue
		}
		if a.err == nil && a.reply.Class != Busy && a.reply.Class != Ambiguous {
			return a.reply, nil
		}
		if attempt == maxAttempts {
			return Reply{}, d.failure(a)
		}
		if !pause(ctx, waitFor(attempt, a.after)) {
			return Reply{}, d.failure(a)
		}
	}
}

// failure is the error of a request that got no answer for good.
func (d *delivery) failure(a attempt) error {
	if a.err != nil {
		return fmt.Errorf("hec: posting to %s: %w", d.url.Host, a.err)
	}
	return fmt.Errorf("hec: %s", d.clean(a.reply))
}

// attempt is the outcome of one request.
type attempt struct {
	reply  Reply
	after  time.Duration // Retry-After
	reused bool          // on a connection that was used before
	err    error
}

// try sends one request.
func (d *delivery) try(ctx context.Context, body []byte, encoding string) (a attempt) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	var stale *time.Timer
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if stale != nil {
			stale.Stop()
		}
		if a.reused = i.Reused; a.reused {
			stale = time.AfterFunc(staleTime, cancel)
		}
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url.String(), bytes.NewReader(body))
	if err != nil {
		return attempt{err: err}
	}
	req.Header = d.header(encoding)
	// Not a http.Client, which follows redirects and quotes URLs in its errors.
	resp, err := d.rt.RoundTrip(req)
	if stale != nil {
		stale.Stop()
	}
	if err != nil {
		a.err = err
		return a
	}
	defer resp.Body.Close()
	// A reply that breaks off is judged by its status.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	a.reply, a.after = ParseReply(resp.StatusCode, text), retryAfter(resp.Header)
	return a
}

// retryAfter reads Retry-After in seconds, the form that HEC uses; 0: none.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 || n > 3600 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// waitFor returns how long to wait after the given attempt, counted from 1: what
// the server says, else doubling with jitter.
func waitFor(attempt int, after time.Duration) time.Duration {
	if after > 0 {
		return after
	}
	d := firstWait << (attempt - 1)
	return d/2 + rand.N(d/2)
}

// pause waits for d and reports whether there is time left. It does not even
// begin to wait past ctx's deadline: in a sandbox every millisecond is billed.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
