package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/remote"
	"gatehouse/internal/console"
	"gatehouse/internal/record"
)

// ratesMessage makes the function fetch a rate from remote.Name: a benign HTTPS
// request to the very host that the poison writes to.
const ratesMessage = `{"rates":true}`

// poison arms the dependency, without the layer and with it.
func (d *demo) poison(ctx context.Context) error {
	d.out.step("a poisoned dependency sends the environment to https://%s", remote.Name)
	plain, err := d.poisoned(ctx, sandbox{name: "poisoned", poison: "handler"})
	if err != nil {
		return err
	}
	d.score.plainLeak = plain
	d.out.note("without the layer: the invocation succeeds, %d bytes of secrets arrive at the remote host", plain.leaked)

	if d.score.rates, err = d.fetchRates(ctx); err != nil {
		return err
	}
	gated, err := d.poisoned(ctx, sandbox{name: "poisoned-gated", layer: true, poison: "handler"})
	if err != nil {
		return err
	}
	d.score.gatedLeak = gated
	d.out.note("with the layer: %d bytes arrive, and the caller reads", gated.leaked)
	d.out.excerpt([]string{gated.answer.message()}, 1)
	return d.awaitLeak(ctx)
}

// theft is what a poisoned run led to.
type theft struct {
	answer   reply
	requests int
	leaked   int // bytes of secrets that the remote host received
}

func (d *demo) poisoned(ctx context.Context, s sandbox) (theft, error) {
	f, err := d.start(ctx, s)
	if err != nil {
		return theft{}, err
	}
	defer f.stop()
	d.remote.Received()
	a, err := f.send(ctx, "poison-0", `{"customer":"ada"}`)
	if err != nil {
		return theft{}, err
	}
	f.stop() // nothing more can arrive once the sandbox is gone
	got := d.remote.Received()
	return theft{answer: a, requests: len(got), leaked: leakedBytes(got)}, nil
}

// fetchRates has the function make a benign HTTPS request through the gate, and
// reports whether it arrived and was answered.
func (d *demo) fetchRates(ctx context.Context) (bool, error) {
	f, err := d.start(ctx, sandbox{name: "rates", layer: true})
	if err != nil {
		return false, err
	}
	defer f.stop()
	d.remote.Received()
	a, err := f.send(ctx, "rates-0", ratesMessage)
	if err != nil {
		return false, err
	}
	return a.err == "" && len(d.remote.Received()) == 1 && strings.Contains(a.payload, "1.08"), nil
}

// leakedBytes counts the bytes of secrets in what the remote host received, in
// any of the forms that a URL can carry them in.
func leakedBytes(requests []string) (n int) {
	for _, r := range requests {
		for _, value := range secrets {
			for _, form := range []string{value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value))} {
				if strings.Contains(r, form) {
					n += len(value)
					break
				}
			}
		}
	}
	return n
}

// collect waits until the console has a detection for every refused event.
func (d *demo) collect(ctx context.Context) error {
	want := d.score.refused()
	return d.await(ctx, func() (bool, error) {
		list, err := d.detections(ctx, record.Attack)
		d.score.detections = list
		blocked := 0
		for i := range list { // a suspicion is a record, too
			if list[i].Action == "blocked" {
				blocked++
			}
		}
		return blocked >= want, err
	})
}

// awaitLeak waits until the console has the record of the leak.
func (d *demo) awaitLeak(ctx context.Context) error {
	return d.await(ctx, func() (bool, error) {
		list, err := d.detections(ctx, record.Leak)
		d.score.leaks = list
		return len(list) > 0, err
	})
}

// await polls for at most five seconds. Time running out is no error: the score
// shows what is missing.
func (d *demo) await(ctx context.Context, done func() (bool, error)) error {
	end := time.Now().Add(5 * time.Second)
	for {
		ok, err := done()
		if ok || err != nil || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// detections returns all that the console has of a kind, newest first.
func (d *demo) detections(ctx context.Context, kind record.Kind) (all []console.Detection, err error) {
	const page = 10_000 // the console's most
	f := console.Filter{Kind: kind, Limit: page}
	for {
		list, err := d.console.Detections(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("asking the console: %w", err)
		}
		if all = append(all, list...); len(list) < page {
			return all, nil
		}
		f.Before = list[len(list)-1].Cursor()
	}
}

// messageIn returns the SNS message in a detection's event.
func messageIn(raw json.RawMessage) string {
	var r struct {
		Event struct {
			Records []struct{ Sns struct{ Message string } }
		} `json:"event"`
	}
	if json.Unmarshal(raw, &r) != nil || len(r.Event.Records) == 0 {
		return ""
	}
	return r.Event.Records[0].Sns.Message
}
