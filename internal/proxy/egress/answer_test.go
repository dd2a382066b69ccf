package egress_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/proxy/egress"
)

// What somebody wants to hear of a host is told whole and decoded, before the client
// has its end, and passes as it was; other hosts are not told of.
func TestAnswers(t *testing.T) {
	const body = `{"Name":"db","SecretString":"x"}`
	var heard string
	g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, func(p *egress.Proxy) {
		p.Guard.Answers = func(host string) func([]byte) {
			if host != "api.test" {
				return nil
			}
			return func(b []byte) { heard += string(b) + ";" }
		}
	})
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, body)
			_ = z.Close()
		case "/error":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, body)
		case "/large":
			_, _ = io.WriteString(w, strings.Repeat("a", 3<<20))
		case "/chunks":
			for _, c := range body {
				_, _ = io.WriteString(w, string(c))
				w.(http.Flusher).Flush()
			}
		default:
			_, _ = io.WriteString(w, body)
		}
	})
	c := g.trusting()
	for _, tt := range []struct{ host, path, want string }{
		{"api.test", "/", body + ";"}, {"api.test", "/gzip", body + ";"}, {"api.test", "/chunks", body + ";"},
		{"api.test", "/error", ""}, {"api.test", "/large", ""}, {"other.test", "/", ""},
	} {
		heard = ""
		resp, err := c.Get(s.url(tt.host, tt.path))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || heard != tt.want {
			t.Errorf("%s%s: heard %.80q, want %q; %v", tt.host, tt.path, heard, tt.want, err)
		}
		if want := map[string]int{"/large": 3 << 20}[tt.path]; want > 0 && len(got) != want || want == 0 && string(got) != body {
			t.Errorf("%s: the client got %d bytes: %.80q", tt.path, len(got), got)
		}
	}
}
