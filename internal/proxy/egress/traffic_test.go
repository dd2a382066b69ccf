package egress_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/record"
)

// TestTunnelsGoOn: a connection that stays open from one invocation to the next is on
// record after each in which it did something, with what it did there.
func TestTunnelsGoOn(t *testing.T) {
	const size = 100_000
	for name, policy := range map[string]string{"tunnel": "", "inspected": inspecting} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
			g := newGate(t, "mode: enforce\negress:"+hosts+policy, nil)
			c := g.trusting()
			if name == "tunnel" {
				c = g.client(authority.pool())
			}
			ask := func() {
				t.Helper()
				resp, err := c.Post(s.url("api.test", "/"), "text/plain", strings.NewReader(strings.Repeat("x", size)))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
					t.Fatalf("%d bytes, %v", n, err)
				}
			}
			ask()
			g.CloseIdle("first")
			g.CloseIdle("idle") // nothing happened in it
			first := g.connection()
			ask()
			g.CloseIdle("second")
			second := g.await(record.Connection, 2)[1]
			if name == "tunnel" && second.RequestID != "second" {
				t.Errorf("the second record belongs to %q", second.RequestID)
			}
			for i, r := range []*record.Record{first, second} {
				if r.Dest != "api.test" || r.BytesIn < size || r.BytesIn > size*5/4 || r.BytesOut < size || r.BytesOut > size*5/4 {
					t.Errorf("record %d: %s, %d bytes in, %d out", i, r.Dest, r.BytesIn, r.BytesOut)
				}
			}
			c.CloseIdleConnections()
			for g.Active() > 0 { // go test bounds it
				g.CloseIdle("")
			}
			var in, out int64
			for _, r := range g.await(record.Connection, 2) {
				in, out = in+r.BytesIn, out+r.BytesOut
			}
			if in > 2*size*5/4 || out > 2*size*5/4 {
				t.Errorf("%d bytes in, %d out in all", in, out)
			}
		})
	}
}

// TestUnverifiableIsOnRecord: a deny of a path that nobody can see holds for nothing, and
// that is said.
func TestUnverifiableIsOnRecord(t *testing.T) {
	s := newServer(t, hello)
	g := newGate(t, "mode: enforce\negress:"+hosts+"\n  rules: [{deny: api.test, paths: /admin/*}]", nil)
	c := g.client(authority.pool())
	get(t, c, s.url("api.test", "/admin/x"), 200)
	c.CloseIdleConnections()
	if r := g.connection(); r.Unverifiable != 1 || r.Action != "allowed" {
		t.Errorf("%d unverifiable, %s", r.Unverifiable, r.Action)
	}
}
