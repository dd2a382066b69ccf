package main

import "sync"

// identity is which sandbox this is: see proxy.Sandbox.Identity.
type identity struct {
	mu         sync.Mutex
	id         string // "" while nobody has asked
	generation int
}

// identity finds out which sandbox this is when the first record wants to know:
// before register it would delay the function.
func (x *extension) identity() (id string, generation int) {
	x.who.mu.Lock()
	defer x.who.mu.Unlock()
	if x.who.id == "" {
		var err error
		x.who.id, x.who.generation, err = x.folder.sandbox()
		x.degradeBy("sandbox", err)
	}
	return x.who.id, x.who.generation
}

// restored makes another sandbox of this one, once: it came out of a snapshot, and
// others may have come out of the same. The CA stays, since the function's clients
// have read it.
func (x *extension) restored() {
	x.renewed.Do(func() {
		x.who.mu.Lock()
		_ = x.folder.clear("sandbox") // else its next start would have the snapshot's id
		x.who.id = ""
		x.who.mu.Unlock()
		x.awake.Store(true)
		x.pipeline.Attach(x.spool())
		if x.hec != nil {
			x.hec.Renew()
		}
		if x.policy.inspectsTLS() {
			if ca, err := x.egress.CA(); err == nil {
				ca.Forget()
			}
		}
		x.egress.Forget()
		x.egress.CloseIdle("")
	})
}
