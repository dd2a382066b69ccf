package console

import (
	"fmt"
	"net/http"
	"time"
)

// coalesce is how long a stream waits for more before it tells the page to look
// again.
const coalesce = 250 * time.Millisecond

// stream tells a page, as server-sent events, that there is something new. It
// says only that: the page asks for itself again, with its own filter.
func (p *pages) stream(w http.ResponseWriter, r *http.Request) {
	select {
	case p.live <- struct{}{}:
		defer func() { <-p.live }()
	default:
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	changed := p.changed.wait()
	if _, err := fmt.Fprint(w, "retry: 1000\n\n"); err != nil {
		return
	}
	for out.Flush() == nil {
		select {
		case <-changed:
		case <-p.done:
			return
		case <-r.Context().Done():
			return
		}
		select {
		case <-time.After(coalesce):
		case <-p.done:
			return
		case <-r.Context().Done():
			return
		}
		changed = p.changed.wait()
		if _, err := fmt.Fprintf(w, "data: %d\n\n", p.store.received().Records); err != nil {
			return
		}
	}
}
