package egress

import (
	"net/http"
	"slices"

	"gatehouse/internal/proxy"
)

const (
	// maxEventPaths bounds the paths of the event that one record lists, and
	// maxHopPaths those of each of its requests.
	maxEventPaths = 16
	maxHopPaths   = 4
	// maxMarkedBody is how much of a body is looked through for values of the event,
	// in bytes.
	maxMarkedBody = 64 << 10
	// markOverlap is how much of a piece is looked at again with the next, in bytes:
	// a value may lie across both.
	markOverlap = 255
)

// markHost notes in the record which value of the event names f's host, or stands
// in it.
func (f *flow) markHost() {
	if f.quiet {
		return
	}
	f.marked(f.p.Guard.HostPaths(f.target.host))
}

// marked adds paths of the event to the record.
func (f *flow) marked(paths []string) {
	if len(paths) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rec != nil {
		f.rec.EventPaths = union(f.rec.EventPaths, paths, maxEventPaths)
	}
}

// union adds what list has not of more, up to limit in all.
func union(list, more []string, limit int) []string {
	for _, path := range more {
		if len(list) < limit && !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	return list
}

// mark notes in the records which values of the event r's head carries, and says
// what the policy wants done about that.
func (x *exchange) mark(r *http.Request) proxy.Verdict {
	if x.f.quiet || !x.f.p.Guard.HasMarks() {
		return proxy.Verdict{}
	}
	x.f.markHost()
	places := headPlaces(r)
	texts := make([][]byte, len(places))
	for i := range places {
		texts[i] = []byte(places[i].text)
	}
	return x.carries(texts...)
}

// carries is mark for any part of the request.
func (x *exchange) carries(texts ...[]byte) proxy.Verdict {
	paths := x.p.Guard.EventPaths(texts...)
	if len(paths) == 0 {
		return proxy.Verdict{}
	}
	x.f.marked(paths)
	x.f.mu.Lock()
	if x.rec != nil && x.rec == x.f.rec {
		hop := &x.rec.Requests[x.hop]
		hop.EventPaths = union(hop.EventPaths, paths, maxHopPaths)
	}
	x.f.mu.Unlock()
	v := x.p.Guard.EventData(x.target, paths)
	x.f.note(v)
	return v
}

// mark looks at a piece of a body that is about to leave.
func (g *guarded) mark(chunk []byte) proxy.Verdict {
	if g.marked >= maxMarkedBody || g.x.f.quiet {
		return proxy.Verdict{}
	}
	chunk = chunk[:min(len(chunk), maxMarkedBody-g.marked)]
	g.marked += len(chunk)
	text := append(g.before, chunk...)
	v := g.x.carries(text)
	g.before = append(g.before[:0], text[max(0, len(text)-markOverlap):]...)
	return v
}
