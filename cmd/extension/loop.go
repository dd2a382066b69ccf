package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"gatehouse/cmd/extension/coldstart"
	"gatehouse/internal/lambdaapi"
	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

const (
	// margin is what is left of an invocation's time when we let go of it, at
	// most: a tenth where that is less.
	margin = 200 * time.Millisecond
	// maxFlush is what a flush takes at most: while we flush, the next invocation
	// waits. A collector that does not answer is left alone for a while (see hec).
	maxFlush = time.Second
	// interval and the pipeline's urgent bytes rule managed instances, which do not
	// freeze and tell us of no invocation.
	interval = time.Second
)

// next is one answer of /event/next.
type next struct {
	event *lambdaapi.Event
	err   error
}

// loop owns /event/next: asking for an event says that we are done with the last
// one, and lets Lambda freeze us. It returns after SHUTDOWN.
func (x *extension) loop(ctx context.Context) error {
	answers := make(chan next, 1)
	ask := func() {
		go func() { // ends with its one answer
			e, err := x.next(ctx)
			if err == nil && isShutdown(e) {
				x.hurry()
			}
			answers <- next{e, err}
		}()
	}
	ask()
	var ticks <-chan time.Time
	if !x.invoked {
		coldstart.Over() // no event of ours will say so
		t := time.NewTicker(interval)
		defer t.Stop()
		ticks = t.C
	}
	for {
		select {
		case <-x.pipeline.Urgent():
			x.wake()
			x.flush(ctx, time.Now().Add(maxFlush), x.load(false))
			if x.invoked { // we may be frozen at any time
				x.closeIdleSink()
			}
		case now := <-ticks:
			x.tick(ctx, now)
		case a := <-answers:
			if a.err != nil {
				return a.err
			}
			if isShutdown(a.event) {
				x.shutdown(ctx, a.event)
				return nil
			}
			x.invoke(ctx, a.event)
			x.startIsOver() // the first answer is out
			ask()
		}
	}
}

func isShutdown(e *lambdaapi.Event) bool { return strings.EqualFold(e.Type, lambdaapi.Shutdown) }

// startTime is how long a start takes at most, be the first invocation over or not.
const startTime = time.Second

// startIsOver gives us all processors.
func (x *extension) startIsOver() { x.started.Do(coldstart.Over) }

// hurry ends a flush that runs, and lets none begin: SHUTDOWN, which may leave us
// little time, flushes itself.
func (x *extension) hurry() {
	x.ending.Store(true)
	if cut := x.cut.Load(); cut != nil {
		(*cut)()
	}
}

// tick is a managed instance's share of the loop: nothing tells us of invocations
// there, and nothing freezes.
func (x *extension) tick(ctx context.Context, now time.Time) {
	x.guard.FinishOverdue(now)
	if x.sandbox.Relayed() || x.running.Load() {
		x.tellExpired(now)
		x.health()
	}
	x.flush(ctx, now.Add(maxFlush), x.load(x.pace.ticks(now)))
}

// maxAsks is how often one event is asked for when the connection to Lambda
// breaks. What Lambda answers, it answers once.
const maxAsks = 5

// next asks for the next event. An error would end the process, and the sandbox
// with it, so a connection that breaks is made again.
func (x *extension) next(ctx context.Context) (*lambdaapi.Event, error) {
	for tries := 1; ; tries++ {
		e, err := x.api.Next(ctx)
		var status *lambdaapi.StatusError
		if err == nil || tries == maxAsks || errors.As(err, &status) || ctx.Err() != nil {
			return e, err
		}
		time.Sleep(time.Duration(tries) * 10 * time.Millisecond)
	}
}

// invoke accompanies one invocation to its end, and flushes.
func (x *extension) invoke(ctx context.Context, e *lambdaapi.Event) {
	x.wake()
	deadline := e.Deadline()
	now := time.Now()
	x.watching.Do(func() {
		time.AfterFunc(startTime, x.startIsOver)
		go x.readSecrets()
	}) // beside the function: its first answer waits for them; owned by the process
	x.finishEarlier(e.RequestID)
	x.open(proxy.Invocation{
		RequestID: e.RequestID, ARN: e.InvokedFunctionARN, TraceID: e.Tracing.Value,
		Deadline: deadline, Started: now,
	})
	x.tellExpired(now)
	x.health()
	left := min(margin, deadline.Sub(now)/10)
	end := deadline.Add(-left)
	if x.sandbox.Relayed() || x.telemetry.Load() {
		if !x.await(ctx, e.RequestID, end) {
			end = deadline.Add(-left / 4) // it is not going to be over: what is left is for the flush
		}
	}
	if over, _ := x.endings.over(e.RequestID); over && !x.sandbox.Relayed() {
		x.guard.Finish(e.RequestID, "success") // without the relay nobody else closes it
	}
	x.flush(ctx, end, x.load(x.pace.due(time.Now())))
	x.flushLate(ctx, end)
	x.egress.CloseIdle(e.RequestID)
	x.rest()
}

// open notes the invocation. Where the relay sees events, it knows better whether
// this one is new or over already.
func (x *extension) open(inv proxy.Invocation) {
	if x.sandbox.Relayed() {
		x.sandbox.Open(inv)
	} else {
		x.sandbox.Begin(inv)
	}
}

// finishEarlier closes invocations whose end nobody told us: they were over when
// this one came.
func (x *extension) finishEarlier(requestID string) {
	open, _ := x.sandbox.At()
	for _, inv := range open {
		if inv.RequestID != requestID {
			x.guard.Finish(inv.RequestID, "unknown")
		}
	}
}

// await returns when the invocation is over, at the latest at end, and reports
// whether it is. Findings do not wait for it.
func (x *extension) await(ctx context.Context, requestID string, end time.Time) bool {
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	for {
		over, changed := x.endings.over(requestID)
		if over {
			return true
		}
		select {
		case <-changed:
		case <-x.pipeline.Urgent():
			x.flush(ctx, end, x.load(false))
		case <-timer.C:
			return false
		}
	}
}

// health says once how the function is attached and what does not work, as soon
// as it is known: when the first event is there.
func (x *extension) health() {
	if x.healthSaid {
		return
	}
	x.healthSaid = true
	x.before()
	r := x.healthRecord()
	if r.Rung != "wrapper" {
		x.degradeBy("events", errNotRelayed)
	}
	x.mu.Lock()
	r.Degraded = slices.Clone(x.degraded)
	x.mu.Unlock()
	r.Recovered = x.guard.Recovered()
	x.pipeline.Add(r)
}

// errSecrets leaves out what panicked: it may show a secret.
var errSecrets = errors.New("reading the function's secrets panicked: none is watched")

// gcPercent is how much garbage there may be beside what is in use, once the function
// runs. Its memory is what the customer pays for, and there are 5 MB to look through: at
// 100, 8 clients' tunnels take 3 MB more, at 25 a new connection takes a tenth more CPU.
// GOGC in the environment is meant for the function.
const gcPercent = 40

// A sandbox that has made bulkRecords has a function that logs much: each line leaves
// 700 bytes of garbage, and at gcPercent a fifth of our CPU goes into that. 3 MB buy most of
// it back.
const bulkRecords, bulkGCPercent = 5000, 150

// readSecrets reads the function's secrets before somebody waits for them. A panic
// must not take the function down (fail-open): nothing is watched then.
func (x *extension) readSecrets() {
	debug.SetGCPercent(gcPercent)
	defer func() {
		if recover() != nil {
			x.degradeBy("secrets", errSecrets)
		}
	}()
	x.secrets.get()
	x.guard.Prepare()
}

// tellExpired says of each exception of the policy, once, that it is over: in the
// health record, or in one of its own where that is out already.
func (x *extension) tellExpired(now time.Time) {
	var over []record.Degradation
	for _, name := range x.policy.get().Expired(x.expiredTold, now) {
		err := fmt.Errorf("the exception %s has expired: what it covered counts again", name)
		x.degradeBy("policy", err)
		over = append(over, record.Degradation{What: "policy", Reason: err.Error()})
	}
	x.expiredTold = now
	if len(over) > 0 && x.healthSaid {
		x.pipeline.Add(&record.Record{Kind: record.Health, Time: now.UTC(), Rung: x.rung(), Degraded: over})
	}
}

// errForgotten is the reason in the health record where more was learned of AWS's
// answers than is kept.
var errForgotten = errors.New("AWS answered more secrets than are watched: of those, the oldest leave unseen")

// tellForgotten says so, whenever it happens.
func (x *extension) tellForgotten() {
	x.degradeBy("secrets", errForgotten)
	over := []record.Degradation{{What: "secrets", Reason: errForgotten.Error()}}
	x.pipeline.Add(&record.Record{Kind: record.Health, Time: time.Now().UTC(), Rung: x.rung(), Degraded: over})
}

// rung says how the function is attached, from what was seen.
func (x *extension) rung() string {
	switch {
	case x.sandbox.Relayed():
		return "wrapper"
	case x.cfg.Proxied:
		return "proxy"
	}
	return "none"
}
