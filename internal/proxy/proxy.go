// Package proxy decides what to do about what was seen. The Guard turns an
// Observation into a Verdict, with the policy and the detection engines it is
// given; the Sandbox knows the phase and which invocations are open. The traffic
// itself is moved by proxy/runtimeapi (events in, responses out) and
// proxy/egress (connections out).
package proxy

import (
	"gatehouse/internal/detect"
	"gatehouse/internal/record"
)

// Action is what is done about an observation.
type Action string

// The actions of a verdict. Quarantine takes records out of a batch: the function
// gets the rest.
const (
	Allow      Action = "allow"
	Refuse     Action = "refuse"
	Quarantine Action = "quarantine"
	Mask       Action = "mask"
	Cut        Action = "cut"
	Halt       Action = "halt"
)

// Blocks reports whether the traffic is stopped.
func (a Action) Blocks() bool { return a != Allow && a != Mask && a != "" }

// Verdict is what is done about one Observation.
type Verdict struct {
	Action Action
	// Would is the action that enforce mode takes; equal to Action there.
	Would Action
	// Rule is the id of the rule that decided: "sqli.tautology",
	// "egress.metadata-service"; "" when nothing did.
	Rule string
	// Incident is the id of the finding's record. For what goes out it is set
	// whenever Would blocks, and the connection's record takes it as its id
	// (a leak has a record of its own, which the guard has reported).
	Incident string
	// Reason is for people, and holds nothing that came from outside unquoted.
	Reason string
	// Unverifiable counts rules on method or path that held for nothing because the
	// request was not seen (connections only).
	Unverifiable int
	// Form is how the event's source takes a refusal (events only).
	Form detect.Form
	// Source is the event's source (events only).
	Source *detect.Source
	// Findings are what was seen, worst first; read only.
	Findings []detect.Finding
	// Taken are the records that are taken out of a batch, in its order (events
	// only; read only): some of them with Quarantine, all of them with Refuse.
	Taken []detect.Part
	// Event is what the function gets in the event's place (Quarantine only).
	Event []byte
	// Receipt says what of an event was inspected (events only).
	Receipt *record.Receipt
}

// Message is what the function, or the caller, reads of a refusal. It names the
// rule and the incident and never shows the payload.
func (v Verdict) Message() string {
	return "refused by gatehouse: " + v.Rule + " (incident " + v.Incident + ")"
}
