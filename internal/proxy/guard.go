package proxy

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

// Guard turns observations into verdicts. It is the one place where policy and
// detection meet, for events and for egress alike. Its fields are set once,
// before use; its methods are safe for concurrent use.
type Guard struct {
	Sandbox *Sandbox
	// Engine judges events; nil inspects nothing.
	Engine detect.Engine
	// Detect judges them where the policy's profile is detect; nil: Engine does.
	Detect detect.Engine
	// Policy returns the policy that holds now. The first call may block until it
	// is loaded. Never nil.
	Policy func() *policy.Policy
	// Scanner makes a scanner for one outlet. Nil, or a nil answer: nothing to look
	// for.
	Scanner func(detect.Outlet) detect.Scanner
	// Quiet reports whether a scanner would find nothing in text, all that leaves
	// through an outlet, so that none needs to be made. Nil never knows.
	Quiet func(o detect.Outlet, text []byte) bool
	// Follow notes that value leaves for host at a spot, and returns what went there
	// before with value behind it; nil where there is nothing to look at. Nil: each
	// request is looked at by itself. See leak.Trail.
	Follow func(host string, at detect.Spot, value string) []byte
	// Trim notes that something was found in what went to host at a spot; set with
	// Follow.
	Trim func(host string, at detect.Spot)
	// Packages are the names of the packages in the function's code, to tell hosts that
	// look like theirs; asked once for a policy, at the first connection that no rule of
	// it names. Nil: none.
	Packages func() []string
	// Answers returns what to show the decrypted answers of host to, whole and decoded,
	// before the function has their end; nil, or a nil answer: nothing.
	Answers func(host string) func(body []byte)
	// Sweep makes a sweep for one response; traces looks for stack traces, too.
	// Nil, or a nil answer: nothing to look for.
	Sweep func(traces bool) detect.Sweep
	// Value reads the string at a path of an event, to say who sent it; nil: nobody
	// says.
	Value func(event []byte, path string) (string, bool)
	// Marks calls yield with the path and the value of each string of an event that
	// its sender chose. It is asked when the first connection of an invocation goes
	// out. Nil: nobody knows what of an event leaves.
	Marks func(event []byte, source *detect.Source, yield func(path string, value []byte) bool)
	// Report takes a record. It never blocks.
	Report func(*record.Record)
	// Halted is called once, in a goroutine of its own, when a leak has the sandbox
	// ended. It need not return. See Hold.
	Halted func(Verdict)
	// Own are addresses that must never be dialled: our own listeners.
	// "127.0.0.1:18790".
	Own []string
	// FailClosed refuses, in enforce mode, what could not be inspected because
	// the inspection itself broke (GATEHOUSE_ON_ERROR=closed).
	FailClosed bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	seen      seen // strings of earlier events
	told      told // findings about hosts
	looks     atomic.Pointer[compiled]
	compiling sync.Mutex // held while looks are made
	recovered atomic.Int64
	over      atomic.Pointer[chan struct{}] // closed when a halt is over; nil: nothing to wait for
}

// Recovered counts the panics that were recovered while judging.
func (g *Guard) Recovered() int { return int(g.recovered.Load()) }

// Recover is deferred by HTTP handlers: it counts a panic, which would take the
// function down with us, and cuts the one connection. An answer that is half
// done must not look whole: to a runtime, nothing is an event.
func (g *Guard) Recover() {
	if r := recover(); r != nil {
		if r != http.ErrAbortHandler { //nolint:errorlint // panics carry the very value
			g.recovered.Add(1)
		}
		panic(http.ErrAbortHandler)
	}
}

// Decide judges o, reports what it found and says what to do about it. It does
// no I/O but what Packages does, once; see Prepare. A panic while judging is recovered and counted: it fails open, unless
// FailClosed.
func (g *Guard) Decide(o *detect.Observation) (v Verdict) {
	defer func() {
		if r := recover(); r != nil {
			g.recovered.Add(1)
			v = g.broken(o)
		}
	}()
	if o.Kind == detect.KindEvent {
		return g.event(o)
	}
	if o.Kind == detect.KindResponse {
		return g.response(o)
	}
	if g.Sandbox.Halted() {
		return g.outcome(Refuse, "egress.halted", "the sandbox was halted after a leak", true)
	}
	switch o.Kind {
	case detect.KindConnect, detect.KindRequest:
		return g.host(o.Target)
	case detect.KindAddress:
		return g.address(o.Target)
	case detect.KindClientHello:
		return g.clientHello(o.Target)
	case detect.KindLeak:
		return g.leak(o)
	}
	return Verdict{Action: Allow, Would: Allow}
}

// broken is the verdict where judging panicked.
func (g *Guard) broken(o *detect.Observation) Verdict {
	v := Verdict{Action: Allow, Would: Allow}
	if g.FailClosed { // fail-closed, asked for
		v = g.outcome(Refuse, "gatehouse.broken", "the inspection itself failed", false)
		if o.Kind == detect.KindEvent {
			v = g.profiled(v)
		}
	}
	if o.Kind == detect.KindEvent {
		v.Receipt = gap(len(o.Event), "panic")
		g.tell(o, v)
	}
	return v
}

// tell reports the verdict on an event whose inspection panicked. Reporting may
// be what panics.
func (g *Guard) tell(o *detect.Observation, v Verdict) {
	defer func() {
		if recover() != nil {
			g.recovered.Add(1)
		}
	}()
	g.remember(o, v, nil)
	g.reportEvent(o, v, nil)
}

// outcome turns what enforce mode would do into what is done. always applies it
// in monitor mode too: for what would harm the function or us.
func (g *Guard) outcome(would Action, rule, reason string, always bool) Verdict {
	v := Verdict{Action: would, Would: would, Rule: rule, Reason: reason}
	if would.Blocks() {
		v.Incident = record.NewID()
	}
	if !always && g.Policy().Mode != policy.Enforce {
		v.Action = Allow // fail-open: monitor mode refuses nothing
	}
	return v
}

func (g *Guard) now() time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Now()
}

// done is the CIM word for an action. What is masked does not leave.
func done(a Action) string {
	if a.Blocks() || a == Mask {
		return "blocked"
	}
	return "allowed"
}
