package hec

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/telemetry"
)

// cloudCap is the body size above which Splunk Cloud answers code 6 with object
// 0 instead of 413, in bytes.
const cloudCap = 5_242_880

// delivery is one Send on its way.
type delivery struct {
	*Client
	items   int // items of the next request; 0: as many as fit
	event   int // bytes of an event
	rejects int
	fetched bool   // the token is as fresh as it can be
	refused []bool // targets that want a change of the configuration first
	slow    bool   // HEC took the last request and is nearly full
}

// authorize fetches the token where there is none.
func (d *delivery) authorize(ctx context.Context) error {
	if d.token != "" {
		return nil
	}
	if d.Token == nil {
		return fmt.Errorf("hec: %w: there is no token", ErrConfig)
	}
	token, err := d.Token(ctx)
	if err != nil {
		return fmt.Errorf("hec: fetching the token: %w", err)
	}
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("hec: %w: the token is empty or holds a character that no token has", ErrConfig)
	}
	d.token, d.fetched = token, true
	return nil
}

// reauthorize fetches the token anew, once in a Send, after HEC did not take it. It
// reports whether there is another one.
func (d *delivery) reauthorize(ctx context.Context) bool {
	old := d.token
	if d.fetched {
		return false
	}
	d.token, d.fetched = "", true
	if d.authorize(ctx) != nil { // what HEC said counts
		d.token = old
	}
	return d.token != old
}

// slowDown is how long a HEC that is nearly full is left alone between requests.
const slowDown = 100 * time.Millisecond

// next sends one request from the front of batch and returns how many items are
// done with.
func (d *delivery) next(ctx context.Context, batch []telemetry.Item) (int, error) {
	if d.slow {
		pause(ctx, slowDown) // without the time for it, at once
	}
	index := d.Index
	if d.noIndex {
		index = ""
	}
	body, n := d.writer.write(batch, index, d.size, d.event, d.items)
	reply, err := d.post(ctx, body)
	if err != nil {
		return 0, err
	}
	d.slow = reply.Full()
	switch reply.Class {
	case Accepted:
		d.receipt(batch[:n], body.size, reply)
		d.items, d.event = 0, maxEvent
		return n, nil
	case TooLarge:
		return d.shrink(batch, n, body.size, reply)
	case Partial:
		return d.partial(batch, n, body.size, reply)
	}
	return d.index(batch, n, body.size, reply)
}

// minSize is the smallest body that is worth asking for, in bytes.
const minSize = 4 << 10

// shrink halves what later requests hold, of this Send and of those that follow.
// A single item is shortened, and rejected where that does not help.
func (d *delivery) shrink(batch []telemetry.Item, n, size int, reply Reply) (int, error) {
	half := size / 2
	switch {
	case half < minSize:
		return d.reject(batch, 0, reply)
	case n > 1:
		d.size = half
	default:
		d.event = half
	}
	return 0, nil
}

// partial follows HEC's rule: everything before the object that it names is in,
// nothing from there on is. Where it names none, halving finds it.
func (d *delivery) partial(batch []telemetry.Item, n, size int, reply Reply) (int, error) {
	if reply.Invalid == 0 && size > cloudCap {
		return d.shrink(batch, n, size, reply)
	}
	if n > 1 && (reply.Invalid < 0 || reply.Invalid >= n) {
		d.items = n / 2
		return 0, nil
	}
	bad := max(0, min(reply.Invalid, n-1))
	d.receipt(batch[:bad], size*bad/n, reply)
	return d.reject(batch, bad, reply)
}

// reject marks batch[i]; what stands before it is in.
func (d *delivery) reject(batch []telemetry.Item, i int, reply Reply) (int, error) {
	batch[i].Rejected = reply.String()
	d.rejects++
	d.items = 0
	if d.rejects == maxRejects {
		return i + 1, fmt.Errorf("hec: %d records of one flush were rejected, the last one: %s", d.rejects, reply)
	}
	d.event = maxEvent
	return i + 1, nil
}

// index goes on without the index that HEC refused: the token's default is
// better than a loss. Here HEC names the object after the one that it refused, and
// what stands before that is in.
func (d *delivery) index(batch []telemetry.Item, n, size int, reply Reply) (int, error) {
	done := max(0, min(reply.Invalid, n)-1)
	d.receipt(batch[:done], size*done/n, reply)
	if d.Index == "" || d.noIndex {
		return done, fmt.Errorf("hec: %w: %s", ErrConfig, reply)
	}
	d.noIndex = true
	d.say(fmt.Sprintf("hec: the token may not write to index %q; records go to the token's default index", d.Index))
	return done, nil
}

// header is what every request carries.
func (c *Client) header(channel, encoding string) http.Header {
	agent := c.Agent
	if agent == "" {
		agent = "gatehouse"
	}
	h := http.Header{
		"Authorization":            {"Splunk " + c.token},
		"Content-Type":             {"application/json"},
		"User-Agent":               {agent},
		"X-Splunk-Request-Channel": {channel},
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	return h
}
