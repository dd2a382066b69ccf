package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"gatehouse/internal/record"
)

// A function that asks for whatever URL the event names: the connection's record
// says where in the event it stood, a finding says that the event chose the host,
// and it is refused where the policy wants that.
func TestEventThatNamesTheHost(t *testing.T) {
	for _, want := range []string{"monitor", "refuse"} {
		var asked atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		t.Cleanup(server.Close)
		policy := filepath.Join(t.TempDir(), "policy.yaml")
		text := fmt.Sprintf("version: 1\nmode: enforce\negress:\n  hosts: {hooks.partner.test: %q}\n  event_data: {host: %s}\n", server.Listener.Addr(), want)
		if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		g := start(t, "fetch", setup{attach: wrapper, env: map[string]string{"GATEHOUSE_POLICY": policy}})
		for i := range 2 {
			out := g.invoke(t, fmt.Sprintf(`"http://hooks.partner.test/orders/%d?of=ada"`, i))
			if refused := strings.Contains(string(out.Payload), "403"); refused != (want == "refuse") {
				t.Errorf("%s: the function was answered %s", want, out.Payload)
			}
		}
		g.stop(t)
		if n := asked.Load(); (n == 0) != (want == "refuse") {
			t.Errorf("%s: the host was asked %d times", want, n)
		}
		conns, found := g.records(t, record.Connection), g.records(t, record.Attack)
		if len(conns) != 2 || len(found) != 2 {
			t.Fatalf("%s: %d connections, %d findings", want, len(conns), len(found))
		}
		action := map[string]string{"monitor": "allowed", "refuse": "blocked"}[want]
		for i := range found {
			if c := conns[i]; !slices.Equal(c.EventPaths, []string{"$"}) || c.Action != action {
				t.Errorf("%s: connection %s, event paths %q", want, c.Action, c.EventPaths)
			}
			f := found[i]
			if f.SignatureID != "egress.host-from-event" || f.Path != "$" || f.Action != action || f.WouldAction != action ||
				f.RequestID != conns[i].RequestID || f.Category != "ssrf" || !strings.Contains(f.Matched, "hooks.partner.test") || f.Event == nil {
				t.Errorf("%s: finding %+v", want, f)
			}
		}
	}
}
