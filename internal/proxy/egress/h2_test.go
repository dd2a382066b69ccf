package egress_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"gatehouse/internal/record"
)

const enforcing = "mode: enforce\negress:" + hosts + inspecting

// TestH2Shapes has a server answer in every shape that there is: the client gets that
// one, since what is an empty body and what is none differ.
func TestH2Shapes(t *testing.T) {
	tests := []struct {
		name, method, shape string
		status, trailer     string
		more                []string
	}{
		{"head alone", "GET", "H.", "200", "", nil},
		{"head alone, of an error", "POST", "H.", "403", "", []string{"grpc-status", "7", "grpc-message", "no"}},
		{"no content", "GET", "H.", "204", "", nil},
		{"not modified", "GET", "H.", "304", "", []string{"etag", `"x"`}},
		{"HEAD", "HEAD", "H.", "200", "", []string{"content-length", "1234"}},
		{"HEAD without a length", "HEAD", "H.", "200", "", nil},
		{"empty body", "GET", "HD.", "200", "", nil},
		{"body", "GET", "HDD.", "200", "", nil},
		{"body and trailers", "GET", "HDH.", "200", "sum", nil},
		{"trailers alone", "GET", "HH.", "200", "sum", nil},
		{"trailers that were said", "GET", "HDH.", "200", "sum", []string{"trailer", "x-sum"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGate(t, enforcing, nil)
			port := serveH2(t, func(p *peer, _ int) {
				if p.read(p.stream(1).over) && p.shaped(1, test.shape, append([]string{":status", test.status}, test.more...)) == nil {
					p.read(func() bool { return false })
				}
			})
			c := dialH2(t, g, port)
			if err := c.headers(1, true, request(test.method, "/")...); err != nil {
				t.Fatal(err)
			}
			h := c.await(t, 1)
			h.fine(t, "answer", test.status, strings.Repeat("data", max(0, strings.Count(test.shape, "D")-strings.Count(test.shape, "D."))))
			if alone := h.shape == "H."; alone != (test.shape == "H.") || !h.ended {
				t.Errorf("frames %s, want %s", h.shape, test.shape)
			}
			if got := valueOf(h.trailer, "x-sum"); got != test.trailer {
				t.Errorf("trailer %q, want %q", got, test.trailer)
			}
			for pair := range slices.Chunk(test.more, 2) {
				if got := h.field(pair[0]); got != pair[1] && pair[0] != "trailer" {
					t.Errorf("%s: %q, want %q", pair[0], got, pair[1])
				}
			}
			if got := h.field("content-length"); got != "" && !slices.Contains(test.more, "content-length") {
				t.Errorf("a length was added: %q", got)
			}
		})
	}
}

// shaped answers stream in frames as shape says: the last D is empty where it ends.
func (p *peer) shaped(stream uint32, shape string, head []string) (err error) {
	for i, kind := range shape {
		end := strings.HasPrefix(shape[i+1:], ".")
		switch {
		case kind == 'H' && i > 0:
			head = []string{"x-sum", "sum"}
			fallthrough
		case kind == 'H':
			err = p.headers(stream, end, head...)
		case kind == 'D' && end:
			err = p.WriteData(stream, true, nil)
		case kind == 'D':
			err = p.WriteData(stream, false, []byte("data"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TestH2Leaks says the secret in each place of a request, in the ways that HTTP/2 has to
// write it, while another stream of the connection is under way: that one goes on.
func TestH2Leaks(t *testing.T) {
	half := len(secret) / 2
	tests := []struct {
		name, place string
		say         func(p *peer) error
	}{
		{"path", "url", func(p *peer) error { return p.ask(3, "/"+secret) }},
		{"query", "url", func(p *peer) error { return p.ask(3, "/?q="+secret) }},
		{"header", "header:x-debug", func(p *peer) error { return p.ask(3, "/", "x-debug", secret) }},
		{"header's name", "header", func(p *peer) error { return p.ask(3, "/", strings.ToLower(nameable), "1") }},
		{"authority", "host", func(p *peer) error {
			return p.headers(3, true, ":method", "GET", ":scheme", "https", ":authority", nameable+".api.test", ":path", "/")
		}},
		{"method", "method", func(p *peer) error { return p.headers(3, true, request(nameable, "/")...) }},
		{"crumbs of a cookie", "header:cookie", func(p *peer) error {
			return p.ask(3, "/", "cookie", "a="+secret[:half], "cookie", "b="+secret[half:])
		}},
		{"not huffman", "header:x-debug", func(p *peer) error {
			literal := append([]byte{0x10, 7}, "x-debug"...)
			literal = append(append(literal, byte(len(secret))), secret...)
			block := append(p.block(request("GET", "/")...), literal...)
			return p.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block, EndStream: true, EndHeaders: true})
		}},
		{"head byte by byte", "header:x-debug", func(p *peer) error {
			block := p.block(request("GET", "/", "x-debug", secret)...)
			err := p.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block[:1], EndStream: true})
			for i := 1; i < len(block) && err == nil; i++ {
				err = p.WriteContinuation(3, i == len(block)-1, block[i:i+1])
			}
			return err
		}},
		{"trailer", "trailer:x-sum", func(p *peer) error {
			if err := p.headers(3, false, request("POST", "/", "trailer", "x-sum")...); err != nil {
				return err
			}
			return p.headers(3, true, "x-sum", secret)
		}},
		{"body byte by byte", "body", func(p *peer) error {
			err := p.headers(3, false, request("POST", "/")...)
			for i := 0; i < len(secret) && err == nil; i++ {
				err = p.WriteData(3, i == len(secret)-1, []byte(secret[i:i+1]))
			}
			return err
		}},
		{"padded body byte by byte", "body", func(p *peer) error {
			err := p.headers(3, false, request("POST", "/", "content-length", fmt.Sprint(len(secret)))...)
			for i := 0; i < len(secret) && err == nil; i++ {
				err = p.WriteDataPadded(3, i == len(secret)-1, []byte(secret[i:i+1]), make([]byte, i))
			}
			return err
		}},
		{"body in empty frames", "body", func(p *peer) error {
			err := p.headers(3, false, request("POST", "/")...)
			for _, part := range []string{"", secret[:half], "", "", secret[half:], ""} {
				if err == nil {
					err = p.WriteData(3, false, []byte(part))
				}
			}
			return err // it does not end
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, w := newGate(t, enforcing, nil), new(witness)
			p := dialH2(t, g, newServer(t, w.ServeHTTP).port)
			said := p.headers(1, false, request("POST", "/other")...)
			for _, err := range []error{said, p.WriteData(1, false, []byte("first, ")), test.say(p)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			thief := p.await(t, 3)
			if thief.field(":status") == "200" {
				t.Errorf("the thief was answered %q", thief.body)
			}
			found := g.await(record.Leak, 1)[0]
			if found.Path != test.place || found.Dest != "api.test" {
				t.Errorf("leak at %q to %q", found.Path, found.Dest)
			}
			if incident := thief.field("x-gatehouse-incident"); !thief.reset && incident != found.ID {
				t.Errorf("incident %q, want %q", incident, found.ID)
			}
			if err := p.WriteData(1, true, []byte("second")); err != nil {
				t.Fatal(err)
			}
			p.await(t, 1).fine(t, "the other stream", "200", "13 bytes")
			if err := p.ask(5, "/later"); err != nil {
				t.Fatal(err)
			}
			p.await(t, 5).fine(t, "a later stream", "200", "0 bytes")
			if saw, _ := w.saw(); strings.Contains(saw, secret[:8]) || strings.Contains(saw, secret[half:half+8]) || strings.Contains(strings.ToLower(saw), nameable[:8]) {
				t.Errorf("the server saw %q", saw)
			}
		})
	}
}

// TestH2OneOfMany leaks on one of 100 streams that are all under way.
func TestH2OneOfMany(t *testing.T) {
	const streams, thief = 100, 37
	for _, place := range []string{"header", "body", "trailer"} {
		t.Run(place, func(t *testing.T) {
			g := newGate(t, enforcing, nil)
			var entered atomic.Int32
			all := make(chan struct{})
			s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				if entered.Add(1) == streams-1 {
					close(all)
				}
				body, err := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %d %v", r.URL.Path, len(body), err)
			})
			c := g.trusting()
			c.Timeout = 20 * time.Second
			get(t, c, s.url("api.test", "/first"), 200) // all go by its connection
			entered.Store(0)
			var wait sync.WaitGroup
			for i := range streams {
				wait.Go(func() {
					in, out := io.Pipe()
					r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("api.test", fmt.Sprint("/", i)), in))
					go func() {
						_, _ = out.Write([]byte("first, ")) // the answer says
						<-all
						if i == thief && place == "body" {
							_, _ = out.Write([]byte(secret)) // it is cut
						}
						_, _ = out.Write([]byte(filler)) // the answer says
						_ = out.Close()
					}()
					if i == thief {
						switch place {
						case "trailer":
							r.Trailer = http.Header{"X-Sum": {secret}}
						case "header":
							r.Header.Set("X-Debug", secret)
						}
						if place != "header" {
							entered.Add(-1) // it gets there, too
						}
					}
					resp, err := c.Do(r)
					body := ""
					if err == nil {
						text, _ := io.ReadAll(resp.Body) // what is missing shows
						body = string(text)
						_ = resp.Body.Close()
					}
					switch want := fmt.Sprintf("/%d %d <nil>", i, 7+len(filler)); {
					case i == thief && body == want:
						t.Errorf("the thief's request arrived")
					case i != thief && body != want:
						t.Errorf("stream %d: %.100q, %v", i, body, err)
					}
				})
			}
			wait.Wait()
			if n := g.Active(); n != 1 {
				t.Errorf("%d connections, want one", n)
			}
			c.CloseIdleConnections()
			g.await(record.Leak, 1)
			for _, r := range g.await(record.Connection, 1) {
				if len(r.Requests) > 64 {
					t.Errorf("%d requests in a record", len(r.Requests))
				}
			}
		})
	}
}

// TestH2StuckReader leaves answers unread: they hold up nobody else, and no more of each
// is taken from the server than two windows.
func TestH2StuckReader(t *testing.T) {
	const stuck, size, most = 8, 3 << 20, 512 << 10
	g := newGate(t, enforcing, nil)
	var written atomic.Int64
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/big" {
			_, _ = io.WriteString(w, "small")
			return
		}
		for range size / 4096 {
			n, _ := w.Write(bytes.Repeat([]byte("b"), 4096))
			_ = http.NewResponseController(w).Flush() // the client says
			written.Add(int64(n))
		}
	})
	p := dialH2(t, g, s.port)
	p.window = 0 // of a stream it is 64 KiB until then
	err := p.WriteWindowUpdate(0, 1<<30)
	for i := range uint32(stuck) {
		err = joined(err, p.ask(2*i+1, "/big"))
	}
	if err = joined(err, p.ask(2*stuck+1, "/small")); err != nil {
		t.Fatal(err)
	}
	p.await(t, 2*stuck+1).fine(t, "beside them", "200", "small")
	if n := settled(&written); n < stuck*64<<10 || n > stuck*most {
		t.Errorf("%d bytes were taken of %d answers that nobody reads", n, stuck)
	}
	p.window = 1
	for i := range uint32(stuck) {
		if err := p.WriteWindowUpdate(2*i+1, 64<<10); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint32(stuck) {
		p.await(t, 2*i+1).fine(t, "at last", "200", strings.Repeat("b", size))
	}
}

// settled is what n is when it has stayed the same for a while.
func settled(n *atomic.Int64) int64 {
	last := n.Load()
	for same := 0; same < 100; same++ {
		time.Sleep(2 * time.Millisecond) // polling
		if now := n.Load(); now != last {
			last, same = now, 0
		}
	}
	return last
}

// TestH2StuckWriter leaves one upload unread by its server: it holds up nobody else.
func TestH2StuckWriter(t *testing.T) {
	g := newGate(t, enforcing, nil)
	release := make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stuck" {
			<-release
		}
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %v", n, err)
	})
	t.Cleanup(free) // before the server's, which waits for its handlers
	c := g.trusting()
	const size = 4 << 20
	post := func(path string, size int) string {
		r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("api.test", path), io.NopCloser(bytes.NewReader(make([]byte, size)))))
		resp, err := c.Do(r)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body) // what is missing shows
		return string(text)
	}
	stuck := make(chan string, 3)
	for range cap(stuck) {
		go func() { stuck <- post("/stuck", size) }()
	}
	for range 20 {
		if got := post("/", 300<<10); got != fmt.Sprintf("%d <nil>", 300<<10) {
			t.Fatalf("beside it: %s", got)
		}
	}
	free()
	for range cap(stuck) {
		if got := <-stuck; got != fmt.Sprintf("%d <nil>", size) {
			t.Errorf("the stuck one: %s", got)
		}
	}
}

// TestH2GoAway has the server turn a stream down and take its connection out of service.
// What can be sent again goes by another one, and a stream that the server has accepted
// is served to its end.
func TestH2GoAway(t *testing.T) {
	for body, status := range map[string]string{"": "200", "of which nobody knows whether it was read": "502"} {
		t.Run(status, func(t *testing.T) {
			g := newGate(t, enforcing, nil)
			first := make(chan struct{})
			port := serveH2(t, func(p *peer, n int) {
				if n == 1 {
					began := p.read(func() bool { return p.stream(1).head != nil })
					close(first)
					if !began || !p.read(func() bool { return p.stream(3).head != nil }) || p.WriteGoAway(1, http2.ErrCodeNo, nil) != nil {
						return
					}
					_ = p.shaped(1, "HD.", []string{":status", "203"}) // the client says
					p.read(func() bool { return false })
					return
				}
				for id := uint32(1); p.read(p.stream(id).over); id += 2 {
					_ = p.shaped(id, "HDD.", []string{":status", "200"}) // the client says
				}
			})
			p := dialH2(t, g, port)
			if err := p.ask(1, "/first"); err != nil {
				t.Fatal(err)
			}
			<-first
			err := p.headers(3, body == "", request("POST", "/second")...)
			if body != "" {
				err = joined(err, p.WriteData(3, true, []byte(body)))
			}
			if err != nil {
				t.Fatal(err)
			}
			p.await(t, 1).fine(t, "the first", "203", "")
			if got := p.await(t, 3).field(":status"); got != status {
				t.Errorf("the second: status %q, want %s: %q", got, status, p.stream(3).body)
			}
			if err := p.ask(5, "/third"); err != nil {
				t.Fatal(err)
			}
			p.await(t, 5).fine(t, "the third", "200", "data")
			if p.goAway != nil {
				t.Error("the client's connection was taken out of service, too")
			}
		})
	}
}

func joined(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// TestH2Reset ends one stream of two, by either side.
func TestH2Reset(t *testing.T) {
	g := newGate(t, enforcing, nil)
	resets := make(chan http2.ErrCode, 1)
	port := serveH2(t, func(p *peer, _ int) {
		p.read(func() bool {
			for id, h := range p.streams {
				path := h.field(":path")
				switch {
				case h.reset && path == "/client":
					resets <- h.code
				case path == "/server":
					_ = p.headers(id, false, ":status", "200") // the client says
					_ = p.WriteData(id, false, []byte("half"))
					_ = p.WriteRSTStream(id, http2.ErrCodeInternal)
				case path == "/refused":
					_ = p.WriteRSTStream(id, http2.ErrCodeCancel)
				case path == "/early": // it has heard enough
					_ = p.headers(id, false, ":status", "413")
					_ = p.WriteData(id, true, []byte("enough"))
					_ = p.WriteRSTStream(id, http2.ErrCodeNo)
				case h.ended:
					_ = p.headers(id, false, ":status", "200")
					_ = p.WriteData(id, true, fmt.Append(nil, len(h.body)))
				default:
					continue
				}
				delete(p.streams, id)
			}
			return false
		})
	})
	p := dialH2(t, g, port)
	write := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write(p.headers(1, false, request("POST", "/other")...))
	write(p.WriteData(1, false, []byte("first")))
	write(p.headers(3, false, request("POST", "/client")...))
	write(p.WriteData(3, false, []byte("first")))
	write(p.ask(5, "/server"))
	if h := p.await(t, 5); !h.reset || string(h.body) != "half" {
		t.Errorf("reset by the server: %v, after %q", h.reset, h.body)
	}
	write(p.ask(7, "/refused"))
	if h := p.await(t, 7); !h.reset && h.field(":status") != "502" {
		t.Errorf("reset before its head: %q", h.field(":status"))
	}
	write(p.headers(9, false, request("POST", "/early")...))
	write(p.WriteData(9, false, make([]byte, 1000)))
	p.await(t, 9).fine(t, "an early answer", "413", "enough")
	write(p.WriteRSTStream(3, http2.ErrCodeCancel))
	if code := <-resets; code != http2.ErrCodeCancel {
		t.Errorf("the server heard %v of the client's reset", code)
	}
	write(p.WriteData(1, true, []byte("second")))
	p.await(t, 1).fine(t, "the other stream", "200", "11")
}

// TestH2LargeHeads sends heads that are larger than the proxy takes, either way.
func TestH2LargeHeads(t *testing.T) {
	g := newGate(t, enforcing, nil)
	var served atomic.Int32
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		n := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("n"), &n) // 0 is an answer, too
		for i := range n {
			w.Header().Set(fmt.Sprint("x-", i), strings.Repeat("v", 1<<10))
		}
		_, _ = io.WriteString(w, "small")
	})
	p := dialH2(t, g, s.port)
	many := func(n int) (fields []string) {
		for i := range n {
			fields = append(fields, fmt.Sprint("x-", i), strings.Repeat("é", 250))
		}
		return fields
	}
	steps := []struct {
		name, path, status string
		more               []string
	}{
		{"60 KB", "/", "200", many(112)},
		{"70 KB", "/", "431", many(132)},
		{"one of 63 KB", "/", "200", []string{"x-long", strings.Repeat("v", 63<<10)}},
		{"one of 66 KB", "/", "431", []string{"x-long", strings.Repeat("v", 66<<10)}},
		{"answer of 500 KB", "/?n=480", "200", nil},
		{"answer of 2 MB", "/?n=2000", "502", nil},
		{"afterwards", "/", "200", nil},
	}
	reached := int32(0)
	for i, step := range steps {
		id := uint32(2*i + 1)
		if err := p.ask(id, step.path, step.more...); err != nil {
			t.Fatal(err)
		}
		if got := p.await(t, id).field(":status"); got != step.status {
			t.Errorf("%s: status %q, want %s", step.name, got, step.status)
		}
		if step.status != "431" {
			reached++
		}
		if n := served.Load(); n != reached {
			t.Errorf("%s: %d requests reached the server, want %d", step.name, n, reached)
		}
	}
	if n := len(g.malformed(2)); n != 2 {
		t.Errorf("%d heads that were refused are on record, want 2", n)
	}
}

// malformed ends what is open, awaits n records of malformed requests, and returns all.
func (g *gate) malformed(n int) (found []*record.Record) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	cancel()
	_ = g.Shutdown(ctx) // what is still open is cut
	for _, r := range g.await(record.Connection, n) {
		if strings.HasPrefix(r.Reason, "egress.malformed-request") && r.Action == "blocked" {
			found = append(found, r)
		}
	}
	return found
}

// TestH2HugeHead sends a head that is too large to be answered. It ends the connection,
// and is on record.
func TestH2HugeHead(t *testing.T) {
	g, w := newGate(t, enforcing, nil), new(witness)
	p := dialH2(t, g, newServer(t, w.ServeHTTP).port)
	if err := p.ask(1, "/", "x-long", strings.Repeat("v", 2<<20)); err != nil && !p.read(func() bool { return p.goAway != nil }) {
		t.Fatal(err)
	}
	if !p.read(func() bool { return p.goAway != nil }) || p.goAway.ErrCode == http2.ErrCodeNo {
		t.Errorf("the connection: %+v", p.goAway)
	}
	if n := len(g.malformed(1)); n != 1 {
		t.Errorf("%d records, want one", n)
	}
	if saw, n := w.saw(); n > 0 {
		t.Errorf("the server saw %.100q", saw)
	}
}

// TestH2Connection asks for what belongs to the connection.
func TestH2Connection(t *testing.T) {
	g := newGate(t, enforcing, nil)
	upstream := make(chan map[http2.SettingID]uint32, 1)
	port := serveH2(t, func(p *peer, _ int) {
		if !p.read(p.stream(1).over) {
			return
		}
		upstream <- p.settings
		_ = p.WritePing(false, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}) // the client says
		if !p.read(func() bool { return len(p.pongs) > 0 }) {
			return
		}
		_ = p.WriteRawFrame(0xfa, 0x55, 1, []byte("of a kind nobody knows")) // the client says
		_ = p.headers(1, false, ":status", "200")
		_ = p.WriteData(1, true, []byte(p.pongs[0]))
		if p.read(p.stream(3).over) { // it pushes what nobody asked for
			_ = p.WritePushPromise(http2.PushPromiseParam{StreamID: 3, PromiseID: 2, BlockFragment: p.block(request("GET", "/pushed")...), EndHeaders: true})
		}
		p.read(func() bool { return false })
	})
	p := dialH2(t, g, port)
	if err := p.WriteRawFrame(0xfa, 0x55, 0, []byte("of a kind nobody knows")); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := p.WritePing(false, [8]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	p.until(t, "ten answers to pings", func() bool { return len(p.pongs) == 10 })
	if !slices.ContainsFunc(p.pongs, func(s string) bool { return s[0] == 9 }) {
		t.Errorf("pongs %q", p.pongs)
	}
	if err := p.ask(1, "/"); err != nil {
		t.Fatal(err)
	}
	p.await(t, 1).fine(t, "the first", "200", "\x01\x02\x03\x04\x05\x06\x07\x08")
	if s := <-upstream; s[http2.SettingEnablePush] != 0 || len(s) == 0 {
		t.Errorf("the server may push: %v", s)
	}
	if p.settings[http2.SettingEnableConnectProtocol] != 0 {
		t.Error("WebSockets over HTTP/2 are offered, which no transport of ours speaks")
	}
	if err := p.ask(3, "/"); err != nil {
		t.Fatal(err)
	}
	if h := p.await(t, 3); !h.reset && h.field(":status") != "502" {
		t.Errorf("a server that pushes: %q", h.field(":status"))
	}
	if slices.Contains(p.kinds, http2.FramePushPromise) {
		t.Error("the push reached the client")
	}
}

// TestH2Malformed sends what no request may be. None of it reaches the server, and what
// comes after it on the connection does.
func TestH2Malformed(t *testing.T) {
	tests := []struct {
		name   string
		fields []string
	}{
		{"upper case", request("GET", "/", "X-Upper", "1")},
		{"a line break in a value", request("GET", "/", "x-a", "1\r\nx-b: 2")},
		{"a null in a value", request("GET", "/", "x-a", "1\x002")},
		{"a blank in a name", request("GET", "/", "x a", "1")},
		{"a colon in a name", request("GET", "/", "x:a", "1")},
		{"no path", []string{":method", "GET", ":scheme", "https", ":authority", "api.test"}},
		{"a path without a slash", request("GET", "x")},
		{"two paths", request("GET", "/", ":path", "/other")},
		{"a pseudo header too late", request("GET", "/", "x-a", "1", ":authority", "other.test")},
		{"an unknown pseudo header", append([]string{":secret", "1"}, request("GET", "/")...)},
		{"connection", request("GET", "/", "connection", "keep-alive")},
		{"transfer-encoding", request("POST", "/", "transfer-encoding", "chunked")},
		{"upgrade", request("GET", "/", "upgrade", "websocket")},
		{"te", request("GET", "/", "te", "gzip")},
		{"WebSocket", []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "api.test", ":path", "/chat"}},
		{"CONNECT with a path", []string{":method", "CONNECT", ":scheme", "https", ":authority", "api.test", ":path", "/"}},
		{"CONNECT", []string{":method", "CONNECT", ":authority", "api.test:443"}},
		{"another host", []string{":method", "GET", ":scheme", "https", ":authority", "", ":path", "/", "host", "other.test"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGate(t, enforcing+"\n  rules: [{deny: other.test}]", nil)
			w := new(witness)
			p := dialH2(t, g, newServer(t, w.ServeHTTP).port)
			if err := p.ask(1, "/before"); err != nil {
				t.Fatal(err)
			}
			p.await(t, 1).fine(t, "before", "200", "0 bytes")
			if err := p.headers(3, true, test.fields...); err != nil {
				t.Fatal(err)
			}
			h := p.await(t, 3)
			if !h.reset && !slices.Contains([]string{"400", "403", "501"}, h.field(":status")) {
				t.Errorf("answered %q, %q", h.field(":status"), h.body)
			}
			if err := p.ask(5, "/after"); err != nil {
				t.Fatal(err)
			}
			p.await(t, 5).fine(t, "after", "200", "0 bytes")
			if saw, n := w.saw(); n != 2 {
				t.Errorf("the server saw %q", saw)
			}
			want := 1
			if !h.reset { // answered: well-formed and not allowed, or by net/http, which tells nobody
				want = 0
			}
			if n := len(g.malformed(want)); n != want {
				t.Errorf("%d records of what was malformed, want %d", n, want)
			}
		})
	}
}

// TestH2BodyLength sends more and less than was said.
func TestH2BodyLength(t *testing.T) {
	for name, body := range map[string]string{"more": "12345", "less": "123", "none": ""} {
		t.Run(name, func(t *testing.T) {
			g, w := newGate(t, enforcing, nil), new(witness)
			p := dialH2(t, g, newServer(t, w.ServeHTTP).port)
			if err := joined(p.headers(1, false, request("POST", "/", "content-length", "4")...), p.WriteData(1, true, []byte(body))); err != nil {
				t.Fatal(err)
			}
			if h := p.await(t, 1); !h.reset && h.field(":status") == "200" {
				t.Errorf("answered %q", h.body)
			}
			if err := p.ask(3, "/after"); err != nil {
				t.Fatal(err)
			}
			p.await(t, 3).fine(t, "after", "200", "0 bytes")
		})
	}
}
