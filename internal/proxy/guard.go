package proxy

import (
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
	// Policy returns the policy that holds now. The first call may block until it
	// is loaded. Never nil.
	Policy func() *policy.Policy
	// Scanner makes a scanner for one place ("host", "sni", "url", "header:<name>",
	// "body") of a connection to host. Nil, or a nil answer: nothing to look for.
	Scanner func(host, place string) detect.Scanner
	// Report takes a record. It never blocks.
	Report func(*record.Record)
	// Halted is called once, in a goroutine of its own, after a verdict of Halt.
	Halted func(Verdict)
	// Own are addresses that must never be dialled: our own listeners, the
	// Runtime API's excepted. "127.0.0.1:18790".
	Own []string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Decide judges o, reports what it found and says what to do. It never blocks
// on I/O and never panics outwards.
func (g *Guard) Decide(o *detect.Observation) Verdict { return Verdict{Action: Allow, Would: Allow} }
