package egress_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

// begins is a scanner of one word: it holds back what begins it, and lets that go
// when it is told to decide.
type begins struct {
	word    string
	tail    string // the end of the stream that begins word
	held    int
	flushes atomic.Int32
	stuck   bool // decides nothing before the end
}

func (b *begins) Write(p []byte) (int, *detect.Finding) {
	b.tail += string(p)
	if strings.Contains(b.tail, b.word) {
		return 0, &detect.Finding{RuleID: "leak.own-secret"}
	}
	pending, n := b.held+len(p), min(len(b.tail), len(b.word)-1)
	for ; !strings.HasPrefix(b.word, b.tail[len(b.tail)-n:]); n-- {
	}
	b.tail, b.held = b.tail[len(b.tail)-n:], n
	return pending - n, nil
}

func (b *begins) Flush() (int, *detect.Finding) {
	b.flushes.Add(1)
	if b.stuck {
		return 0, nil
	}
	n := b.held
	b.held = 0
	return n, nil
}

func (b *begins) Close() *detect.Finding { return nil }

// newBare is a proxy that is not served.
func newBare() *egress.Proxy {
	enforce := policy.Default()
	enforce.Mode = policy.Enforce
	return &egress.Proxy{Guard: &proxy.Guard{
		Sandbox: new(proxy.Sandbox), Policy: func() *policy.Policy { return enforce },
		Report: func(*record.Record) {},
	}}
}

// call is a gRPC message.
func call(text string) string {
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text)))) + text
}

// TestHold says when bytes leave that a client sends now and then: what begins like
// a secret after 100 ms of silence, or at once where its message ends; all else at
// once.
func TestHold(t *testing.T) {
	ws := func(s detect.Scanner) detect.Scanner { return egress.Frames(s) }
	grpc := func(s detect.Scanner) detect.Scanner { return egress.Calls(s) }
	tests := []struct {
		name    string
		wrap    func(detect.Scanner) detect.Scanner
		stuck   bool
		sends   string // "text@ms": what is sent when
		want    string // the same: what leaves when
		flushes int32
	}{
		{"harmless", nil, false, "hello@0 you@50", "hello@0 you@50", 0},
		{"beginning of a secret", nil, false, "hello-SEC@0 you@500", "hello-@0 SEC@100 you@500", 1},
		{"and on", nil, false, "SEC@0 OND@50", "SECOND@50", 0},
		{"twice", nil, false, "SEC@0 SEC@300", "SEC@100 SEC@400", 2},
		{"bit by bit", nil, false, "S@0 E@90 C@180 !@400", "SEC@280 !@400", 1},
		{"ends", nil, false, "SEC@0 .@20", "SEC@20", 0},
		{"compressed", nil, true, "SEC@0 !@500", "SEC!@500", 1},
		{"a secret", nil, false, "aSEC@0 RET@90", "a@0 STOP@90", 0},
		{"a secret after silence", nil, false, "SEC@0 RET@200", "SEC@100 STOP@200", 1},
		{"frame", ws, false, "w:SEC@0 w:hello@10", "w:SEC@0 w:hello@10", 1},
		{"two frames at once", ws, false, "w:SEC+w:RET@0", "STOP@0", 0},
		{"two harmless frames at once", ws, false, "w:SEC+w:more@0", "w:SEC+w:more@0", 0},
		{"half a frame", ws, false, "h:+b:SEC@0", "h:@0 b:SEC@100", 1},
		{"gRPC message", grpc, false, "g:SEC@0 g:hello@10", "g:SEC@0 g:hello@10", 1},
		{"two gRPC messages at once", grpc, false, "g:SEC+g:hello@0", "g:SEC+g:hello@0", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &begins{word: "SECRET", stuck: tt.stuck}
				var outer detect.Scanner = s
				if tt.wrap != nil {
					outer = tt.wrap(s)
				}
				got := leave(t, outer, parseSends(tt.sends))
				if want := joinSends(parseSends(tt.want)); got != want {
					t.Errorf("left %q, want %q", got, want)
				}
				if n := s.flushes.Load(); n != tt.flushes {
					t.Errorf("%d decisions, want %d", n, tt.flushes)
				}
			})
		})
	}
}

// send is what a client says, and when; "." says that it has said all.
type send struct {
	text string
	at   time.Duration
}

func parseSends(text string) (all []send) {
	for part := range strings.FieldsSeq(text) {
		what, ms, _ := strings.Cut(part, "@")
		var wire strings.Builder
		for piece := range strings.SplitSeq(what, "+") {
			wire.WriteString(onWire(piece))
		}
		at, _ := time.ParseDuration(ms + "ms")
		all = append(all, send{wire.String(), at})
	}
	return all
}

func onWire(piece string) string {
	kind, text, ok := strings.Cut(piece, ":")
	if !ok {
		return piece
	}
	switch kind {
	case "w":
		return string(frame(1, text))
	case "h": // of a frame of 10 bytes
		return string(frame(1, "0123456789")[:6])
	case "b": // its first bytes
		return string(frame(1, text+"0123456789"[len(text):])[6 : 6+len(text)])
	}
	return call(text)
}

func joinSends(all []send) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "%q@%d ", s.text, s.at.Milliseconds())
	}
	return b.String()
}

// leave sends all through a guarded body, and returns what left when.
func leave(t *testing.T, s detect.Scanner, all []send) string {
	t.Helper()
	src, client := io.Pipe()
	body := egress.Guarded(newBare(), src, s)
	start := time.Now()
	said := make(chan struct{})
	go func() {
		defer close(said)
		for _, s := range append(all, send{".", time.Second}) {
			time.Sleep(s.at - time.Since(start))
			if s.text == "." {
				_ = client.Close()
				return
			}
			_, _ = client.Write([]byte(s.text)) // the reader has gone once it was stopped
		}
	}()
	var left []send
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			left = append(left, send{string(buf[:n]), time.Since(start)})
		}
		if err != nil && err != io.EOF {
			left = append(left, send{"STOP", time.Since(start)})
		}
		if err != nil {
			break
		}
	}
	_ = src.Close()
	<-said
	return joinSends(left)
}

// The beginning of a secret in one message of a dialogue does not end the dialogue,
// and the record says that it left.
func TestHoldInDialogue(t *testing.T) {
	for _, way := range ways[:2] {
		t.Run(way.name, func(t *testing.T) {
			var got bytes.Buffer
			done := make(chan struct{})
			s := way.server(t, upgrader(&got, done))
			g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
			stream := upgrade(t, way.client(g), s.url("api.test", "/"))
			for _, text := range []string{"hello", "so " + secret[:9], "and on"} {
				if _, err := io.WriteString(stream, text); err != nil {
					t.Fatal(err)
				}
				echo := make([]byte, len(text))
				if _, err := io.ReadFull(stream, echo); err != nil || string(echo) != text {
					t.Fatalf("echo %q, %v", echo, err)
				}
			}
			_ = stream.Close()
			<-done
			if r := g.connection(); r.Released != 1 || r.Action != "allowed" {
				t.Errorf("released %d, %s", r.Released, r.Action)
			}
		})
	}
}
