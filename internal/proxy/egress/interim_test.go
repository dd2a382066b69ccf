package egress_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestHintsToNobody has servers answer 103 over and over while the request ends early:
// the client leaves, or its body is stopped for a secret. What comes then comes on a
// goroutine where a panic would end the process.
func TestHintsToNobody(t *testing.T) {
	hint := bytes.Repeat([]byte("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n\r\n"), 50)
	tests := []struct {
		name, policy string
		ask          func(g *gate, c *http.Client, url string)
	}{
		{"the client leaves", "mode: monitor\negress:" + hosts, func(g *gate, _ *http.Client, url string) {
			c := g.dial(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: api.test\r\n\r\n", url))
			_, _ = c.Read(make([]byte, 1)) // the first one
			_ = c.Close()
		}},
		{"a secret", "mode: enforce\negress:" + hosts, func(_ *gate, c *http.Client, url string) {
			resp, err := c.Post(url, "text/plain", io.MultiReader(strings.NewReader("harmless"), strings.NewReader(secret+filler)))
			if err == nil { // it may be cut
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGate(t, tt.policy, nil)
			l := listen(t)
			url := fmt.Sprintf("http://api.test:%d/", l.Addr().(*net.TCPAddr).Port)
			go flood(l, hint)
			var clients sync.WaitGroup
			for range 4 {
				clients.Go(func() {
					c := g.client(nil)
					for range 50 {
						tt.ask(g, c, url)
					}
				})
			}
			clients.Wait()
		})
	}
}

// flood says text to whoever asks, until he leaves.
func flood(l net.Listener, text []byte) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // the test is over
		}
		go func() {
			defer c.Close()
			_, _ = c.Read(make([]byte, 4096)) // whatever he asks
			for {
				if _, err := c.Write(text); err != nil {
					return
				}
			}
		}()
	}
}
