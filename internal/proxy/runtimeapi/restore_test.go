package runtimeapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/runtimeapi"
)

// A restore from a snapshot is told before the runtime goes on; one that failed, or
// the request that is still waiting for it, is none.
func TestRestored(t *testing.T) {
	for status, want := range map[int]int{http.StatusOK: 1, http.StatusForbidden: 0} {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "as sent")
		}))
		told := 0
		relay := &runtimeapi.Relay{
			Upstream: strings.TrimPrefix(up.URL, "http://"), Guard: &proxy.Guard{Sandbox: new(proxy.Sandbox)},
			Restored: func() { told++ },
		}
		w := httptest.NewRecorder()
		relay.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/2018-06-01/runtime/restore/next", nil))
		if told != want || w.Code != status || w.Body.String() != "as sent" {
			t.Errorf("status %d: told %d times, the runtime got %d %q", status, told, w.Code, w.Body)
		}
		up.Close()
	}
}
