package detect

// Sweep looks through a stream that goes on after a finding: the function's
// response. It is shown one window after the other. A window begins with the last
// Keep bytes of the one before, as they are now; from fresh on it is new. last
// says that nothing follows. It is not safe for concurrent use.
type Sweep func(window []byte, fresh int, last bool) Swept

// Swept is what one window showed.
type Swept struct {
	// Hits are the places that were found with this window, in order. They may
	// begin before fresh.
	Hits []Hit
	// Keep is how many bytes at the window's end the next one begins with.
	Keep int
	// Held is how many of them may be the beginning of a secret: who wants none to
	// leave waits with those that have not left. 0 with the last window.
	Held int
}

// Hit is a place in a window: bytes Start to End.
type Hit struct {
	// Finding is what was found there; nil where it is more of what an earlier hit
	// began, or another place of the same.
	Finding    *Finding
	RuleID     string
	Start, End int
	// Fill, repeated, is what to write there instead: it has no effect on what
	// stands round it. "" for what is not to be masked.
	Fill string
}

// Mask writes Fill over h's place in window.
func (h Hit) Mask(window []byte) {
	if h.Fill == "" {
		return
	}
	for i := h.Start; i < h.End; i++ {
		window[i] = h.Fill[(i-h.Start)%len(h.Fill)]
	}
}
