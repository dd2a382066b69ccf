package hec_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/telemetry/hec"
)

// TestCookies lead back to the indexer that can be asked, and to no other host.
func TestCookies(t *testing.T) {
	tests := []struct {
		name string
		set  func(*indexer)
		want string // with the last request
	}{
		{"kept", func(x *indexer) { x.cookie = "AWSALB=one" }, "AWSALB=one"},
		{"replaced", func(x *indexer) { x.cookie += "x" }, "AWSALB=onex"},
		{"quoted", func(x *indexer) { x.cookie = `AWSALB="a b"` }, `AWSALB="a b"`},
		{"kept while it lasts", func(x *indexer) { x.cookie = "AWSALB=two; Max-Age=90" }, "AWSALB=two"},
		{"gone", func(x *indexer) { x.cookie = "AWSALB=three; Max-Age=30" }, ""},
		{"taken back", func(x *indexer) { x.cookie = "AWSALB=; Max-Age=0" }, ""},
		{"too long", func(x *indexer) { x.cookie = "AWSALB=" + strings.Repeat("x", 5000) }, ""},
	}
	synctest.Test(t, func(t *testing.T) {
		x := &indexer{}
		s := newSandbox(t, x, hec.AckOff)
		for _, tt := range tests {
			tt.set(x)
			for range 2 {
				s.add("a")
				s.invoke(t)
				time.Sleep(time.Minute)
			}
			if got := x.cookies[len(x.cookies)-1]; got != tt.want {
				t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			}
		}
		for i := range 30 {
			x.cookie = fmt.Sprintf("c%d=v", i)
			s.add("a")
			s.invoke(t)
		}
		if n := strings.Count(x.cookies[len(x.cookies)-1], "="); n != 16 {
			t.Errorf("%d cookies are kept, want 16", n)
		}
		s.client.Renew()
		s.add("a")
		s.invoke(t)
		if got := x.cookies[len(x.cookies)-1]; got != "" {
			t.Errorf("after a restore: %q", got)
		}
	})
}

func TestCookiesStayWithTheirHost(t *testing.T) {
	first, second := &indexer{cookie: "AWSALB=one"}, &indexer{}
	synctest.Test(t, func(t *testing.T) {
		s := newSandbox(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "127.0.0.1:1" {
				first.ServeHTTP(w, r)
			} else {
				second.ServeHTTP(w, r)
			}
		}), hec.AckOn)
		s.client.URLs = []string{"http://127.0.0.1:1", "http://127.0.0.1:2"}
		s.add("a")
		s.invoke(t)
		first.answer = func(bool) (int, string) { return 503, "" }
		s.add("b")
		s.invoke(t)
		s.want(t, 2, 0)
		if len(second.cookies) == 0 || strings.Join(second.cookies, "") != "" {
			t.Errorf("the second got %q", second.cookies)
		}
	})
}
