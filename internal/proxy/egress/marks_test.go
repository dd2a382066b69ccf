package egress_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect/attack"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

const orderID = "ord-4711-2026-adalovelace"

// marking opens an invocation whose event names a host, and holds an order.
func marking(p *egress.Proxy) {
	p.Guard.Marks = attack.Marks
	p.Guard.Sandbox.Begin(proxy.Invocation{RequestID: "id", Event: []byte(
		`{"callback":"https://api.test/done","order":{"id":"` + orderID + `","to":"Ada Lovelace, 12 St James's Square"},"unused":"never leaves"}`)})
}

// The record of a connection, and of each request, names where in the event stands
// what was seen to leave.
func TestEventPathsInRecords(t *testing.T) {
	tests := []struct {
		name   string
		change func(*http.Request)
		want   []string // beside the host's
	}{
		{"nothing", func(*http.Request) {}, nil},
		{"path", func(r *http.Request) { r.URL.Path = "/orders/" + orderID }, []string{"order.id"}},
		{"query", func(r *http.Request) { r.URL.RawQuery = "to=" + url.QueryEscape("Ada Lovelace, 12 St James's Square") }, []string{"order.to"}},
		{"header", func(r *http.Request) { r.Header.Set("X-Order", orderID) }, []string{"order.id"}},
		{"body", func(r *http.Request) { setBody(r, `{"order":"`+orderID+`"}`, false) }, []string{"order.id"}},
		{"body in pieces", func(r *http.Request) { setBody(r, orderID, true) }, []string{"order.id"}},
		{"form", func(r *http.Request) {
			setBody(r, url.Values{"a": {orderID}, "b": {"Ada Lovelace, 12 St James's Square"}}.Encode()+strings.Repeat("&c=d", 100), false)
		}, []string{"order.id", "order.to"}},
		{"too far in a body", func(r *http.Request) { setBody(r, filler+orderID, false) }, nil},
	}
	for _, way := range ways {
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, marking)
				s := way.server(t, new(witness))
				c := way.client(g)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("api.test", "/"), nil)
				if err != nil {
					t.Fatal(err)
				}
				tt.change(r)
				resp, err := c.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				c.CloseIdleConnections()
				conn := g.connection()
				want := append([]string{"callback"}, tt.want...)
				slices.Sort(conn.EventPaths)
				if !slices.Equal(conn.EventPaths, want) {
					t.Errorf("event paths %q, want %q", conn.EventPaths, want)
				}
				got := conn.Requests[0].EventPaths
				slices.Sort(got)
				if !slices.Equal(got, tt.want) {
					t.Errorf("the request's event paths %q, want %q", got, tt.want)
				}
				found := g.await(record.Attack, 1)
				if f := found[0]; len(found) != 1 || f.SignatureID != "egress.host-from-event" || f.Path != "callback" || f.Action != "allowed" || f.WouldAction != "allowed" {
					t.Errorf("findings %+v", found)
				}
			})
		}
	}
}

// What the policy wants kept does not reach the server.
func TestEventDataIsRefused(t *testing.T) {
	tests := []struct {
		name, rule, policy string
		change             func(*http.Request)
	}{
		{"host", "egress.host-from-event", "{host: refuse}", func(*http.Request) {}},
		{"path", "egress.event-data", "{request: refuse}", func(r *http.Request) { r.URL.Path = "/orders/" + orderID }},
		{"body", "egress.event-data", "{request: refuse}", func(r *http.Request) { setBody(r, "x "+orderID+" y", true) }},
	}
	for _, way := range ways {
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				g := newGate(t, "mode: enforce\negress:"+hosts+inspecting+"\n  event_data: "+tt.policy, marking)
				w := new(witness)
				s := way.server(t, w)
				c := way.client(g)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("api.test", "/"), nil)
				if err != nil {
					t.Fatal(err)
				}
				tt.change(r)
				if resp, err := c.Do(r); err == nil {
					if resp.StatusCode != http.StatusForbidden {
						t.Errorf("status %s", resp.Status)
					}
					_ = resp.Body.Close()
				}
				c.CloseIdleConnections()
				conn := g.await(record.Connection, 1)[0]
				if conn.Action != "blocked" || !strings.HasPrefix(conn.Reason, tt.rule) {
					t.Errorf("connection %s, %s", conn.Action, conn.Reason)
				}
				if saw, _ := w.saw(); strings.Contains(saw+s.received(), orderID) {
					t.Errorf("the server saw it")
				}
				found := g.await(record.Attack, 1)
				if f := found[len(found)-1]; f.SignatureID != tt.rule || f.Action != "blocked" || f.RequestID != "id" {
					t.Errorf("finding %+v", f)
				}
			})
		}
	}
}
