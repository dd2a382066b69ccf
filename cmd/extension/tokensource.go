package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/telemetry/hec"
)

const (
	// fetchTime bounds one fetch of the token from AWS.
	fetchTime = 5 * time.Second
	// tokenPatience is how long, from the start of the first fetch, others wait for it:
	// a function's first connection may be among them.
	tokenPatience = 500 * time.Millisecond
)

// tokenSource has the token for Splunk, wherever it is kept. What is fetched from AWS is
// fetched beside the runtime's start, and again when Splunk does not take it.
type tokenSource struct {
	cfg   *config
	fetch func(context.Context) (string, error) // from AWS; nil: the environment or a file has it

	mu    sync.Mutex
	run   *tokenFetch // the last one; nil: none was begun
	first time.Time   // when the first was begun
	last  string      // what AWS said last
}

// tokenFetch is one fetch.
type tokenFetch struct {
	done  chan struct{} // closed when the rest is set
	token string
	err   error
	taken bool // Splunk was asked with it
}

// begin starts to fetch where that is needed and nobody has.
func (h *tokenSource) begin() {
	if h.fetch != nil {
		h.current(false)
	}
}

// current is the fetch that runs, or that ended and was not taken yet, or a new one.
func (h *tokenSource) current(take bool) *tokenFetch {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run == nil || take && h.run.taken {
		h.run = &tokenFetch{done: make(chan struct{})}
		if h.first.IsZero() {
			h.first = time.Now()
		}
		go h.get(h.run) // ends within fetchTime
	}
	h.run.taken = h.run.taken || take
	return h.run
}

// get fetches for f. Whoever waits may give up before: the next finds what came.
func (h *tokenSource) get(f *tokenFetch) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	f.token, f.err = h.fetch(ctx)
	if f.err == nil {
		h.mu.Lock()
		h.last = f.token
		h.mu.Unlock()
	}
	close(f.done)
}

// ask is hec.Client.Token: asked once, and again when Splunk did not take the answer.
func (h *tokenSource) ask(ctx context.Context) (string, error) {
	if h.fetch == nil {
		return h.cfg.token()
	}
	f := h.current(true)
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		h.giveBack(f)
		return "", fmt.Errorf("waiting for AWS: %w", ctx.Err())
	}
}

// giveBack lets the next who asks have f's answer.
func (h *tokenSource) giveBack(f *tokenFetch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.taken = false
}

// errNoToken is what known says until AWS has answered.
var errNoToken = errors.New("the HEC token is not known yet")

// known is the token for what is derived from it. It waits for AWS no longer than
// tokenPatience from the first fetch on.
func (h *tokenSource) known() (string, error) {
	if h.fetch == nil {
		return h.cfg.token()
	}
	f := h.current(false)
	h.mu.Lock()
	last, wait := h.last, tokenPatience-time.Since(h.first)
	h.mu.Unlock()
	if last != "" {
		return last, nil
	}
	t := time.NewTimer(max(0, wait))
	defer t.Stop()
	select {
	case <-f.done:
		return f.token, f.err
	case <-t.C:
		return "", errNoToken
	}
}

// token returns the HEC token of the environment or a file. The file is read anew each
// time: it may be rotated.
func (c *config) token() (string, error) {
	if c.HECTokenFile == "" {
		return c.HECToken, nil
	}
	text, err := os.ReadFile(c.HECTokenFile)
	if err != nil {
		return "", fmt.Errorf("GATEHOUSE_HEC_TOKEN_FILE: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// errTokenARN wraps what only a change of a setting or of a role ends.
func errTokenARN(err error) error {
	return fmt.Errorf("GATEHOUSE_HEC_TOKEN_ARN: %w: %w", hec.ErrConfig, err)
}
