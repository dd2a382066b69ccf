package hec

import (
	"errors"
	"sync"
	"time"
)

// Pauses after a Send that failed, so that a dead HEC does not cost every
// invocation its retries.
const (
	firstRest  = 500 * time.Millisecond
	maxRest    = 10 * time.Second
	configRest = time.Minute // and the longest that a Retry-After is kept to
)

// busy is an error of a HEC that said how long to leave it alone.
type busy struct {
	error
	after time.Duration
}

func (b *busy) Unwrap() error { return b.error }

// circuit remembers how the last Sends went. It waits for nothing: a Send within
// the pause fails at once with the last error.
type circuit struct {
	mu     sync.Mutex
	until  time.Time
	last   error
	failed int  // Sends in a row
	broken bool // somebody must change a setting, and was told so
}

// resting returns the last error while it is too early for another try.
func (c *circuit) resting(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && now.Before(c.until) {
		return c.last
	}
	return nil
}

// outcome notes how a Send ended and returns what must be said about it, once
// when a permanent error begins and once when it ends.
func (c *circuit) outcome(err error, now time.Time) (say string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = err
	if err == nil {
		if c.broken {
			say = "hec: records are accepted again"
		}
		c.failed, c.broken = 0, false
		return say
	}
	if errors.Is(err, ErrConfig) {
		if !c.broken {
			say = err.Error() + "; records are kept as long as there is room"
		}
		c.broken, c.until = true, now.Add(configRest)
		return say
	}
	rest := min(firstRest<<min(c.failed, 8), maxRest)
	if b := (*busy)(nil); errors.As(err, &b) {
		rest = max(rest, min(b.after, configRest))
	}
	c.until = now.Add(rest)
	c.failed++
	return ""
}

// tryNow ends a pause.
func (c *circuit) tryNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Time{}
}
