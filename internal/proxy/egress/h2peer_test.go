package egress_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is one end of an HTTP/2 connection, frame by frame.
type peer struct {
	*http2.Framer
	c    net.Conn
	text bytes.Buffer
	code *hpack.Encoder

	settings map[http2.SettingID]uint32 // the other end's
	streams  map[uint32]*heard
	pongs    []string
	goAway   *http2.GoAwayFrame
	kinds    []http2.FrameType // all that came

	window uint32 // a WINDOW_UPDATE that each DATA frame is answered with: its length, if not 0
}

// heard is what came on one stream.
type heard struct {
	head, trailer []hpack.HeaderField
	body          []byte
	shape         string // its frames: H, D, and . behind the last
	ended         bool
	reset         bool
	code          http2.ErrCode
}

func (h *heard) over() bool { return h.ended || h.reset }

func (h *heard) field(name string) string { return valueOf(h.head, name) }

func valueOf(fields []hpack.HeaderField, name string) string {
	var all []string
	for _, f := range fields {
		if f.Name == name {
			all = append(all, f.Value)
		}
	}
	return strings.Join(all, ",")
}

func newPeer(c net.Conn) *peer {
	p := &peer{Framer: http2.NewFramer(c, c), c: c, settings: map[http2.SettingID]uint32{}, streams: map[uint32]*heard{}, window: 1}
	p.code = hpack.NewEncoder(&p.text)
	p.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.MaxHeaderListSize = 4 << 20
	p.AllowIllegalWrites = true
	return p
}

// dialH2 opens a connection through g.
func dialH2(t *testing.T, g *gate, port string, settings ...http2.Setting) *peer {
	t.Helper()
	config := &tls.Config{ServerName: "api.test", InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	c := tls.Client(g.tunnel("api.test:"+port), config)
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	p := newPeer(c)
	if err := p.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return p
}

// serveH2 serves each connection with serve, which gets its number, from 1.
func serveH2(t *testing.T, serve func(p *peer, n int)) (port string) {
	t.Helper()
	cert := must(authority.leaf("api.test"))
	l := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { _ = l.Close() })
	all.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
					return
				}
				p := newPeer(c)
				if p.WriteSettings() == nil {
					serve(p, n)
				}
			})
		}
	})
	return portOf(l.Addr())
}

// block encodes fields: name, value, name, value.
func (p *peer) block(fields ...string) []byte {
	p.text.Reset()
	for f := range slices.Chunk(fields, 2) {
		_ = p.code.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // into memory
	}
	return bytes.Clone(p.text.Bytes())
}

func (p *peer) headers(stream uint32, end bool, fields ...string) error {
	block := p.block(fields...)
	first := min(len(block), 16<<10)
	err := p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block[:first], EndStream: end, EndHeaders: first == len(block)})
	for block = block[first:]; err == nil && len(block) > 0; {
		n := min(len(block), 16<<10)
		err = p.WriteContinuation(stream, n == len(block), block[:n])
		block = block[n:]
	}
	return err
}

// request is the head of one to api.test, with more fields behind it.
func request(method, path string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "https", ":authority", "api.test", ":path", path}, more...)
}

// ask sends a request without a body.
func (p *peer) ask(stream uint32, path string, more ...string) error {
	return p.headers(stream, true, request("GET", path, more...)...)
}

func (p *peer) stream(id uint32) *heard {
	if p.streams[id] == nil {
		p.streams[id] = new(heard)
	}
	return p.streams[id]
}

// step reads one frame.
func (p *peer) step() error {
	frame, err := p.ReadFrame()
	if err != nil {
		return err
	}
	p.kinds = append(p.kinds, frame.Header().Type)
	h := new(heard)
	if id := frame.Header().StreamID; id != 0 {
		h = p.stream(id)
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return nil
		}
		_ = f.ForeachSetting(func(s http2.Setting) error { p.settings[s.ID] = s.Val; return nil })
		return p.WriteSettingsAck()
	case *http2.PingFrame:
		if f.IsAck() {
			p.pongs = append(p.pongs, string(f.Data[:]))
			return nil
		}
		return p.WritePing(true, f.Data)
	case *http2.MetaHeadersFrame:
		h.shape += "H"
		if h.head == nil || valueOf(h.head, ":status") == "100" {
			h.head = f.Fields
		} else {
			h.trailer = f.Fields
		}
		h.end(f.StreamEnded())
	case *http2.DataFrame:
		h.shape += "D"
		h.body = append(h.body, f.Data()...)
		h.end(f.StreamEnded())
		if n := f.Length; n > 0 && p.window > 0 {
			_ = p.WriteWindowUpdate(0, n) // the reading says
			if !h.over() {
				_ = p.WriteWindowUpdate(f.StreamID, n)
			}
		}
	case *http2.RSTStreamFrame:
		h.reset, h.code = true, f.ErrCode
	case *http2.GoAwayFrame:
		p.goAway = &http2.GoAwayFrame{LastStreamID: f.LastStreamID, ErrCode: f.ErrCode}
	}
	return nil
}

func (h *heard) end(is bool) {
	if is {
		h.ended = true
		h.shape += "."
	}
}

// await reads until stream is over, and says what came of it.
func (p *peer) await(t *testing.T, stream uint32) *heard {
	t.Helper()
	h := p.stream(stream)
	p.until(t, fmt.Sprint("the end of stream ", stream), h.over)
	return h
}

func (p *peer) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for !is() {
		if err := p.step(); err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
	}
}

// read reads until is answers true, and reports whether that came.
func (p *peer) read(is func() bool) bool {
	for !is() {
		if p.step() != nil {
			return false
		}
	}
	return true
}

// fine holds a stream to a status and a body.
func (h *heard) fine(t *testing.T, what, status, body string) {
	t.Helper()
	if h.field(":status") != status || string(h.body) != body || h.reset {
		t.Errorf("%s: status %q, %d bytes %.100q, reset %v (%v), want %s, %d bytes %.60q", what, h.field(":status"), len(h.body), h.body, h.reset, h.code, status, len(body), body)
	}
}
