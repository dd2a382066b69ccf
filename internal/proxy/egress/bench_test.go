package egress_test

import (
	"io"
	"net/http"
	"testing"
)

// BenchmarkRequest compares small requests on a kept connection: straight, as a
// tunnel, and inspected.
func BenchmarkRequest(b *testing.B) {
	for _, way := range ways {
		s := way.server(b, http.HandlerFunc(hello))
		straight := startClient(b, way)
		b.Run(way.name+"/straight", func(b *testing.B) { ask(b, straight, s.url("127.0.0.1", "/")) })
		for name, text := range map[string]string{"tunnel": "", "inspected": inspecting} {
			if name == "tunnel" && !way.secure {
				continue
			}
			g := newGate(b, "mode: enforce\negress:"+hosts+text, nil)
			c := g.client(authority.pool())
			if name == "inspected" {
				c = way.client(g)
			}
			c.Transport.(*http.Transport).ForceAttemptHTTP2 = way.h2
			b.Run(way.name+"/"+name, func(b *testing.B) { ask(b, c, s.url("api.test", "/")) })
		}
	}
}

// BenchmarkConnect makes a new connection for each request.
func BenchmarkConnect(b *testing.B) {
	s := newServer(b, hello)
	for _, name := range []string{"straight", "tunnel", "inspected"} {
		text := map[string]string{"inspected": inspecting}[name]
		g := newGate(b, "mode: enforce\negress:"+hosts+text, nil)
		c, host := g.client(authority.pool()), "api.test"
		switch name {
		case "inspected":
			c = g.trusting()
		case "straight":
			c.Transport.(*http.Transport).Proxy, host = nil, "127.0.0.1"
		}
		c.Transport.(*http.Transport).DisableKeepAlives = true
		b.Run(name, func(b *testing.B) { ask(b, c, s.url(host, "/")) })
	}
}

func startClient(b *testing.B, way way) *http.Client {
	g := newGate(b, "", nil)
	c := g.client(authority.pool())
	c.Transport.(*http.Transport).Proxy = nil
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = way.h2
	return c
}

func ask(b *testing.B, c *http.Client, url string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}
