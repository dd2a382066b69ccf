package hec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"
)

// Retries.
const (
	maxAttempts = 3 // of each target
	firstWait   = 100 * time.Millisecond
	maxReply    = 64 << 10
	// attemptTime bounds one attempt; staleTime one on a connection that was idle for
	// idleTime, which may be dead since a thaw.
	attemptTime = 10 * time.Second
	staleTime   = 2 * time.Second
	idleTime    = 500 * time.Millisecond
)

// post sends b until it is answered for good, attempts or ctx run out: to the
// current target, and where that fails to the next. The reply asks for something to
// be done about the batch; what asks for patience or a change is an error.
func (d *delivery) post(ctx context.Context, b payload) (Reply, error) {
	fresh := false // a stale connection was already excused
	for n := 1; ; n++ {
		t := d.targets[d.current]
		a := d.try(ctx, call{target: t, url: t.events, channel: d.channel, body: b, share: d.share(n)})
		if a.err != nil && a.reused && !fresh {
			fresh = true
			n--
			d.CloseIdle()
			continue
		}
		t.note(a)
		if a.final() {
			d.announce()
			return a.reply, nil
		}
		if a.reply.token() && d.reauthorize(ctx) {
			n--
			continue
		}
		err := d.failure(t, a)
		d.why = err
		if !d.turn(errors.Is(err, ErrConfig)) {
			return Reply{}, err
		}
		// Every target had its turn: wait.
		if n == maxAttempts*len(d.targets) || n%len(d.targets) == 0 && !pause(ctx, waitFor(n/len(d.targets), a.after)) {
			return Reply{}, err
		}
	}
}

// turn goes on to the next target that may be of use. It reports whether there is
// one, which may be the same.
func (d *delivery) turn(refused bool) bool {
	d.refused[d.current] = refused
	for range d.targets {
		d.current = (d.current + 1) % len(d.targets)
		if !d.refused[d.current] {
			return true
		}
	}
	return false
}

// announceEvery is how often a change of the target is said at most.
const announceEvery = time.Minute

// announce says where records go to, if that changed.
func (d *delivery) announce() {
	if d.using == d.current {
		return
	}
	d.using = d.current
	if now := time.Now(); d.said.IsZero() || now.Sub(d.said) >= announceEvery {
		d.said = now
		d.say(fmt.Sprintf("hec: records go to %s from now on; before: %v", d.targets[d.current], d.why))
	}
}

// share is by what the time that is left is divided for the nth attempt: a target
// that does not answer must leave some for the next.
func (d *delivery) share(n int) int { return len(d.targets) - (n-1)%len(d.targets) }

// missingTime is how long a 404 is taken for a HEC that restarts.
const missingTime = 30 * time.Second

// failure is the error of a request to t that got no answer for good.
func (d *delivery) failure(t *target, a attempt) error {
	switch {
	case a.err != nil && misconfigured(a.err):
		return fmt.Errorf("hec: %w: connecting to %s: %w", ErrConfig, t, a.err)
	case a.err != nil:
		return fmt.Errorf("hec: posting to %s: %w", t, a.err)
	case a.reply.token():
		return fmt.Errorf("hec: %w: %s does not take the token: %s", ErrConfig, t, a.reply)
	case a.reply.Status >= 300 && a.reply.Status < 400:
		return fmt.Errorf("hec: %w: %s redirects, which is not followed because the token would go along: %s", ErrConfig, t, a.reply)
	case a.reply.Class == Config:
		return fmt.Errorf("hec: %w: %s: %s", ErrConfig, t, a.reply)
	case t.gone():
		return fmt.Errorf("hec: %w: %s has no collector at %s: %s", ErrConfig, t, t.events.Path, a.reply)
	}
	return &busy{fmt.Errorf("hec: %s: %s", t, a.reply), a.after}
}

// note remembers since when t's answer is 404.
func (t *target) note(a attempt) {
	switch {
	case a.err != nil: // says nothing
	case a.reply.Status != http.StatusNotFound:
		t.missing = time.Time{}
	case t.missing.IsZero():
		t.missing = time.Now()
	}
}

// gone reports whether t's 404 lasts too long for a restart.
func (t *target) gone() bool { return !t.missing.IsZero() && time.Since(t.missing) >= missingTime }

// attempt is the outcome of one request.
type attempt struct {
	reply  Reply
	after  time.Duration // Retry-After
	acks   map[int64]bool
	reused bool // on a connection that was used before
	err    error
}

// final reports whether the same request makes no sense again.
func (a *attempt) final() bool {
	return a.err == nil && a.reply.Class != Busy && a.reply.Class != Ambiguous && a.reply.Class != Config
}

// call is one request.
type call struct {
	target  *target
	url     *url.URL
	channel string
	body    payload
	share   int // of the time that is left it may take one of so many parts
}

// try makes one call.
func (c *Client) try(ctx context.Context, to call) (a attempt) {
	ctx, cancel := context.WithTimeout(ctx, within(ctx, attemptTime, to.share))
	defer cancel()
	var stale *time.Timer
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if stale != nil {
			stale.Stop()
		}
		if a.reused = i.Reused; a.reused && i.IdleTime >= idleTime {
			stale = time.AfterFunc(within(ctx, staleTime, 2), cancel)
		}
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url.String(), bytes.NewReader(to.body.bytes))
	if err != nil {
		return attempt{err: err}
	}
	req.Header = c.header(to.channel, to.body.encoding)
	to.target.jar.give(req, time.Now())
	// Not a http.Client, which follows redirects and quotes URLs in its errors.
	resp, err := c.rt.RoundTrip(req)
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
	a.reply, a.after = parseReply(resp.StatusCode, text, c.token), retryAfter(resp.Header)
	if to.url == to.target.acks {
		a.acks = ParseAcks(text)
	}
	to.target.jar.take(resp, time.Now())
	return a
}

// within is the given part of the time that ctx leaves, at most d.
func within(ctx context.Context, d time.Duration, share int) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(deadline)/time.Duration(share))
	}
	return d
}

// retryAfter reads Retry-After: seconds, or a date
// (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after); 0: none.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(0, min(n, 3600))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, min(time.Until(at), time.Hour))
}

// waitFor returns how long to wait after the given round, counted from 1: what
// the server says, else doubling with jitter.
func waitFor(round int, after time.Duration) time.Duration {
	if after > 0 {
		return after
	}
	d := firstWait << (round - 1)
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
