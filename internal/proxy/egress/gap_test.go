package egress_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

// TestGaps sends what cannot be decoded: it leaves, and the record says what of it was
// not seen; with secrets.on_budget closed it does not leave.
func TestGaps(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, "harmless") // to memory
	_ = z.Close()
	damaged := string(zipped.Bytes()[:10]) + strings.Repeat("\xff", 100)
	bodies := []struct {
		name, encoding, body, reason string
		atMost                       int // bytes of it that arrive when closed
	}{
		{"whole", "gzip", zipped.String(), "", 0},
		{"damaged", "gzip", damaged, "malformed", 0},
		{"cut", "gzip", zipped.String()[:zipped.Len()-9], "malformed", 0},
		{"not what it says", "gzip", strings.Repeat("text ", 2000), "malformed", 0},
		{"encoding that nobody knows", "compress", strings.Repeat("x", 100), "encoding", 0},
		{"damaged, behind much", "", strings.Repeat("lorem ", 10_000) + "\r\n\r\n" + damaged, "malformed", 60_004},
	}
	modes := []struct {
		name, policy string
		closed       bool
	}{
		{"open", "mode: enforce\n", false},
		{"closed", "mode: enforce\nsecrets: {on_budget: closed}\n", true},
		{"closed, monitor", "mode: monitor\nsecrets: {on_budget: closed}\n", false},
	}
	for _, way := range ways {
		for _, body := range bodies {
			for _, mode := range modes {
				t.Run(way.name+"/"+body.name+"/"+mode.name, func(t *testing.T) {
					g := newGate(t, mode.policy+"egress:"+hosts+inspecting, decoding)
					g.Guard.Sandbox.Open(proxy.Invocation{RequestID: "one"})
					w := new(witness)
					s := way.server(t, w)
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("api.test", "/"), strings.NewReader(body.body))
					if err != nil {
						t.Fatal(err)
					}
					if body.encoding != "" {
						r.Header.Set("Content-Encoding", body.encoding)
					}
					c := way.client(g)
					status := 0
					if resp, err := c.Do(r); err == nil {
						status = resp.StatusCode
						_, _ = io.Copy(io.Discard, resp.Body) // it may be cut
						_ = resp.Body.Close()
					}
					c.CloseIdleConnections()
					conn := g.await(record.Connection, 1)[0]
					saw, _ := w.saw()
					refused := mode.closed && body.reason != ""
					if !refused && (status != http.StatusOK || !strings.Contains(saw, body.body) || conn.Action != "allowed") {
						t.Errorf("status %d, %s", status, conn.Action)
					}
					if refused && (status == http.StatusOK || conn.Action != "blocked" || !strings.HasPrefix(conn.Reason, "egress.uninspected-body: ") ||
						strings.Contains(saw, body.body[:body.atMost+8])) {
						t.Errorf("status %d, %s for %q, the server saw %d bytes", status, conn.Action, conn.Reason, len(saw))
					}
					checkGap(t, conn, body.reason)
					if inv, _ := g.Guard.Sandbox.Close("one"); inv.Counters.Uninspected != conn.Uninspected {
						t.Errorf("%d bytes counted, %d recorded", inv.Counters.Uninspected, conn.Uninspected)
					}
				})
			}
		}
	}
}

// decoding gives p's scanner decoders.
func decoding(p *egress.Proxy) {
	plain := p.Guard.Scanner
	p.Guard.Scanner = func(o detect.Outlet) detect.Scanner {
		return leak.Decode(o, nil, nil, func() detect.Scanner { return plain(o) })
	}
}

func checkGap(t *testing.T, conn *record.Record, reason string) {
	t.Helper()
	if reason == "" {
		if len(conn.Gaps) > 0 || conn.Uninspected > 0 {
			t.Errorf("gaps %v, %d bytes", conn.Gaps, conn.Uninspected)
		}
		return
	}
	if len(conn.Gaps) != 1 || conn.Gaps[0].Reason != reason || conn.Gaps[0].Path != "body" || conn.Gaps[0].Bytes != conn.Uninspected || conn.Uninspected == 0 {
		t.Errorf("gaps %v, %d bytes, want %s", conn.Gaps, conn.Uninspected, reason)
	}
}

// TestUnreadBehindAFinding: what follows a secret that nothing stops passes unread, and is
// counted.
func TestUnreadBehindAFinding(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			w := new(witness)
			s := way.server(t, w)
			g := newGate(t, "mode: monitor\negress:"+hosts+inspecting, nil)
			c := way.client(g)
			resp, err := c.Post(s.url("api.test", "/"), "text/plain", io.MultiReader(strings.NewReader(secret), strings.NewReader(filler)))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			c.CloseIdleConnections()
			r := g.connection()
			if len(r.Gaps) != 1 || r.Gaps[0].Reason != "found" || r.Gaps[0].Bytes > len(filler) || r.Gaps[0].Bytes < len(filler)-64<<10 || r.Uninspected != r.Gaps[0].Bytes {
				t.Errorf("gaps %+v, %d bytes", r.Gaps, r.Uninspected)
			}
			if len(g.await(record.Leak, 1)) != 1 {
				t.Error("no leak is on record")
			}
		})
	}
}
