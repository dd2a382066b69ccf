package proxy

import (
	"slices"
	"sync"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/record"
)

// Phase is where a sandbox is in its life.
type Phase string

// The phases.
const (
	Init          Phase = "init"           // before the first event
	Invoke        Phase = "invoke"         // an event is with the function
	AfterResponse Phase = "after_response" // answered, and not yet frozen
	Shutdown      Phase = "shutdown"
)

// Invocation is one event on its way through the function.
type Invocation struct {
	RequestID string
	ARN       string
	TraceID   string
	TenantID  string
	Deadline  time.Time
	Source    *detect.Source
	Started   time.Time
	Responded bool
	// Status is success, error, refused or timeout; "" while it is not known.
	Status   string
	Counters Counters
	Receipt  *record.Receipt
	BytesIn  int64
	BytesOut int64
	// Event is the event as it arrived, for the record of a leak; nil where it
	// was not kept: on managed instances, where each of many could be 6 MB.
	Event []byte
	// Exceptions are the policy's exceptions that applied, as rule@path.
	Exceptions []string

	answered time.Time // when Responded was first said
	marks    *marks    // of Event; made when first asked for
	// Withheld are the records of a batch that the function's answer must still
	// name, and WithheldAs how.
	Withheld   []detect.Part
	WithheldAs detect.Form
}

// Counters count an invocation's egress connections.
type Counters struct {
	Connections, Inspected, Tunnelled, Refused int
	// Released is how often bytes left that had been held back, because a message
	// ended or nothing followed.
	Released int
	// Uninspected is how many bytes left that could not be decoded.
	Uninspected int
}

// ended is what is kept of an invocation that is over: lines and reports of it come late.
type ended struct {
	id         string
	invocation Invocation // whose it was, and no more
	answered   time.Time
}

// endOf is inv as it is kept.
func endOf(inv *Invocation) ended {
	e := ended{id: inv.RequestID, answered: inv.answered, invocation: Invocation{ARN: inv.ARN, TraceID: inv.TraceID, TenantID: inv.TenantID, Source: inv.Source}}
	if e.answered.IsZero() {
		e.answered = time.Now()
	}
	return e
}

// Sandbox is what is known of the execution environment right now. The relay
// opens and closes invocations, the event loop adds INVOKE and SHUTDOWN, egress
// asks who is running. Everything is paired by request id, never by order.
type Sandbox struct {
	// Identity says who the sandbox is: 16 hex digits that stay over resets, and
	// how often it has started; see record.Record. It is asked for each record and
	// should find out once. nil: nobody.
	Identity func() (id string, generation int)
	// Concurrent is set on managed instances: several invocations run at once,
	// nothing freezes and nothing can be halted.
	Concurrent bool

	mu     sync.Mutex
	phase  Phase // "" counts as Init
	halted bool
	open   map[string]*Invocation // at most one, or the instance's concurrency: see Guard.FinishOverdue
	closed [16]ended              // the ones closed last: what is over does not open again by Open
	at     int                    // where the next one goes
	seen   bool                   // the runtime came to the relay, ever
	opened chan struct{}          // closed by the next Open; nil when nobody waits
}

// Phase returns where the sandbox is.
func (s *Sandbox) Phase() Phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phaseLocked()
}

func (s *Sandbox) phaseLocked() Phase {
	if s.phase == "" {
		return Init
	}
	return s.phase
}

// Begin adds an invocation whose event has just come, for whoever sees the event
// itself. An id that was closed opens again: Lambda retries an asynchronous
// invocation with the same one.
func (s *Sandbox) Begin(inv Invocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.closed {
		if s.closed[i].id == inv.RequestID {
			s.closed[i] = ended{}
		}
	}
	s.openLocked(inv)
}

// Open adds an invocation that somebody else may have seen begin, and end. It
// merges with what is already known of the same request id; one that was closed
// stays so, because the relay may be done with an event before the event loop
// hears of it.
func (s *Sandbox) Open(inv Invocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over(inv.RequestID) == nil {
		s.openLocked(inv)
	}
}

// over is what is kept of an invocation that is over; nil: it is not, or long ago.
func (s *Sandbox) over(requestID string) *ended {
	for i := range s.closed {
		if s.closed[i].id == requestID && requestID != "" {
			return &s.closed[i]
		}
	}
	return nil
}

func (s *Sandbox) openLocked(inv Invocation) {
	if s.open == nil {
		s.open = make(map[string]*Invocation)
	}
	if s.opened != nil {
		close(s.opened)
		s.opened = nil
	}
	if old := s.open[inv.RequestID]; old != nil {
		merge(old, &inv)
		return
	}
	s.open[inv.RequestID] = &inv
	s.phase = Invoke
}

// merge adds to old what only new knows.
func merge(old, new *Invocation) {
	if old.ARN == "" {
		old.ARN = new.ARN
	}
	if old.TraceID == "" {
		old.TraceID = new.TraceID
	}
	if old.TenantID == "" {
		old.TenantID = new.TenantID
	}
	if old.Deadline.IsZero() {
		old.Deadline = new.Deadline
	}
	if old.Source == nil {
		old.Source = new.Source
	}
	if old.Event == nil {
		old.Event = new.Event
	}
	if old.BytesIn == 0 {
		old.BytesIn = new.BytesIn
	}
	if old.Receipt == nil {
		old.Receipt = new.Receipt
	}
	if old.Started.IsZero() {
		old.Started = new.Started
	}
}

// Update calls f with the open invocation of that id, under the sandbox's lock.
// It reports whether there is one. f must be quick and must not call s.
func (s *Sandbox) Update(requestID string, f func(*Invocation)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	inv := s.open[requestID]
	if inv == nil {
		return false
	}
	f(inv)
	return true
}

// Count calls f with the counters of the one open invocation; with none or
// several open it does nothing, because it could not say whose they are.
func (s *Sandbox) Count(f func(*Counters)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) != 1 {
		return
	}
	for _, inv := range s.open {
		f(&inv.Counters)
	}
}

// Responded notes that the function's answer went out: what it does from now on
// is after the response.
func (s *Sandbox) Responded(requestID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if inv := s.open[requestID]; inv != nil {
		inv.Responded = true
		if inv.answered.IsZero() {
			inv.answered = time.Now()
		}
		if !s.Concurrent {
			s.phase = AfterResponse
		}
	}
}

// Close ends an invocation and returns what was known of it. What the function
// does from now on is after the response, whether or not anybody saw that.
func (s *Sandbox) Close(requestID string) (Invocation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	inv := s.open[requestID]
	if inv == nil {
		return Invocation{}, false
	}
	delete(s.open, requestID)
	s.closed[s.at%len(s.closed)] = endOf(inv)
	s.at++
	if s.phase == Invoke && !s.Concurrent {
		s.phase = AfterResponse
	}
	return *inv, true
}

// Opened returns a channel that is closed when an invocation is open: at once if
// one is.
func (s *Sandbox) Opened() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) > 0 {
		now := make(chan struct{})
		close(now)
		return now
	}
	if s.opened == nil {
		s.opened = make(chan struct{})
	}
	return s.opened
}

// At returns the invocations that are open now, and the phase.
func (s *Sandbox) At() (open []Invocation, phase Phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, inv := range s.open {
		open = append(open, *inv)
	}
	return open, s.phaseLocked()
}

// alone returns the open invocation, where there is one only, with room for its
// marks.
func (s *Sandbox) alone() (Invocation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) != 1 {
		return Invocation{}, false
	}
	for _, inv := range s.open {
		if inv.marks == nil {
			inv.marks = new(marks)
		}
		return *inv, true
	}
	return Invocation{}, false
}

// Stamp fills in whose record r is: phase, sandbox and, where it is certain, the
// invocation. A record is stamped once: what was true when it began stays.
func (s *Sandbox) Stamp(r *record.Record) {
	if r.SandboxID != "" {
		return
	}
	if s.Identity != nil {
		r.SandboxID, r.Generation = s.Identity()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[r.RequestID] == nil && s.late(r) {
		return
	}
	if r.Phase == "" {
		r.Phase = string(s.phaseLocked())
	}
	if r.RequestID != "" {
		fill(r, s.open[r.RequestID])
		return
	}
	if len(s.open) == 1 {
		for _, inv := range s.open {
			r.RequestID = inv.RequestID
			fill(r, inv)
		}
		return
	}
	for id := range s.open {
		r.RequestIDs = append(r.RequestIDs, id)
	}
	slices.Sort(r.RequestIDs)
}

// late fills a line or a report of an invocation that is over, and reports whether r is
// one: its phase is that of its own time, and not of now.
func (s *Sandbox) late(r *record.Record) bool {
	e := s.over(r.RequestID)
	if e == nil || r.Kind != record.Log && r.Kind != record.Platform {
		return false
	}
	fill(r, &e.invocation)
	if r.Phase == "" && !r.Time.IsZero() {
		r.Phase = string(AfterResponse)
		if s.Concurrent || !r.Time.After(e.answered) {
			r.Phase = string(Invoke)
		}
	}
	return r.Phase != ""
}

func fill(r *record.Record, inv *Invocation) {
	if inv == nil {
		return
	}
	if r.FunctionARN == "" {
		r.FunctionARN = inv.ARN
	}
	if r.TraceID == "" {
		r.TraceID = inv.TraceID
	}
	if r.TenantID == "" {
		r.TenantID = inv.TenantID
	}
	if r.EventSource == "" && inv.Source != nil && r.Kind != record.Log {
		r.EventSource = inv.Source.Name
	}
}

// Halt marks the sandbox as halted: from now on egress and relay refuse
// everything new. It reports whether this call did it.
func (s *Sandbox) Halt() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.halted
	s.halted = true
	return first
}

// Halted reports whether the sandbox was halted.
func (s *Sandbox) Halted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halted
}

// Shutdown notes that the sandbox is going away.
func (s *Sandbox) Shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = Shutdown
}

// SawRuntime notes that the runtime asked the relay for an event; Relayed
// reports whether it ever did, which proves that the wrapper attached it.
func (s *Sandbox) SawRuntime() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = true
}

// Relayed reports whether the runtime ever came to the relay.
func (s *Sandbox) Relayed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}
