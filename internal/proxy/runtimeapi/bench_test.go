package runtimeapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/runtimeapi"
	"gatehouse/internal/record"
)

// secrets are as many as a function has, of the length that keys have.
func secrets() *leak.Set {
	var list []leak.Secret
	for i := range 8 {
		list = append(list, leak.Secret{Name: fmt.Sprint("KEY_", i), Value: fmt.Appendf(nil, "%d%s/+K7MDENG", i, "bPxRfiCYEXAMPLEKEYwJalrXUtnFEMI"), Fingerprint: "0123456789ab"})
	}
	return leak.New(list)
}

// BenchmarkAnswer relays a function's answer: without looking, looking only, and
// with each action.
func BenchmarkAnswer(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer up.Close()
	set := secrets()
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20, 6 << 20} {
		line := []byte(`{"id":"5f2b1c9e","customer":"Anne O'Brien (regular)","total":12.5,"note":"leave it at the door"},`)
		body := bytes.Repeat(line, size/len(line)+1)[:size]
		for _, name := range []string{"unseen", "monitor", "mask", "refuse"} {
			p := policy.Default()
			p.Mode, p.Responses = policy.Enforce, policy.ResponseAction(name)
			guard := &proxy.Guard{Sandbox: new(proxy.Sandbox), Policy: func() *policy.Policy { return p }, Report: func(*record.Record) {}}
			if name != "unseen" {
				guard.Sweep = func(traces bool) detect.Sweep { return set.Sweep(leak.Response{Traces: traces}) }
			}
			relay := httptest.NewServer(&runtimeapi.Relay{Upstream: up.Listener.Addr().String(), Guard: guard})
			b.Run(fmt.Sprintf("%dKB/%s", size>>10, name), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					res, err := http.Post(relay.URL+"/2018-06-01/runtime/invocation/id/response", "application/json", bytes.NewReader(body))
					if err != nil {
						b.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			})
			relay.Close()
		}
	}
}
