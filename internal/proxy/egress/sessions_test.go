package egress_test

import (
	"fmt"
	"net/http"
	"testing"

	"gatehouse/internal/record"
)

// TestResumed connects to one server again and again: it need not prove who it is each
// time, but for the first and after a restore, and every record has its certificate.
func TestResumed(t *testing.T) {
	g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS.DidResume) })
	c := g.trusting()
	c.Transport.(*http.Transport).DisableKeepAlives = true
	for i, want := range []string{"false", "true", "true", "false", "true"} {
		if i == 3 {
			g.Forget()
		}
		if got := get(t, c, s.url("api.test", "/"), 200); got != want {
			t.Errorf("connection %d: resumed %s, want %s", i, got, want)
		}
		r := g.await(record.Connection, i+1)[i]
		if r.SSLSubject == "" || r.SSLIssuer == "" || r.SSLEnd == "" {
			t.Errorf("connection %d: certificate of %q by %q until %q", i, r.SSLSubject, r.SSLIssuer, r.SSLEnd)
		}
	}
	if got := get(t, c, s.url("other.test", "/"), 200); got != "false" {
		t.Error("another host resumed the session of the first")
	}
}
