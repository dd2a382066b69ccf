package egress_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/proxy/egress"
)

// frame masks payload as a WebSocket client does.
func frame(opcode byte, payload string) []byte {
	key := [4]byte{0xde, 0xad, 0xbe, 0xef}
	b := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

func TestFrames(t *testing.T) {
	set := leak.New([]leak.Secret{{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(secret), Fingerprint: "0123456789ab"}})
	ping := frame(9, "")
	tests := []struct {
		name   string
		frames [][]byte
		found  bool
	}{
		{"harmless", [][]byte{frame(1, "hello"), frame(2, filler), ping, frame(8, "bye")}, false},
		{"short", [][]byte{frame(1, secret)}, true},
		{"long", [][]byte{frame(1, filler[:30000]+secret), frame(1, "x")}, true},
		{"very long", [][]byte{frame(1, filler+secret+filler)}, true},
		{"in two frames", [][]byte{frame(1, "x"+secret[:20]), frame(0, secret[20:]+"y")}, true},
		{"with a ping between", [][]byte{frame(1, secret[:20]), ping, frame(0, secret[20:])}, true},
		{"in two frames, harmless", [][]byte{frame(1, secret[:11]), ping, frame(1, "and no more")}, false},
	}
	for _, test := range tests {
		for _, step := range []int{1, 7, 1 << 20} {
			wire := joinFrames(test.frames)
			s := egress.Frames(set.Scanner(leak.Stream{}))
			cleared, found := 0, false
			for rest := wire; len(rest) > 0 && !found; {
				n := min(step, len(rest))
				c, f := s.Write(rest[:n])
				cleared, found, rest = cleared+c, f != nil, rest[n:]
			}
			found = found || s.Close() != nil
			if found != test.found || cleared > len(wire) || !found && cleared != len(wire) {
				t.Errorf("%s, %d at a time: found %v, %d of %d bytes cleared", test.name, step, found, cleared, len(wire))
			}
		}
	}
}

func joinFrames(all [][]byte) []byte {
	var b strings.Builder
	for _, f := range all {
		b.Write(f)
	}
	return []byte(b.String())
}

// TestFramesBound fills what may wait.
func TestFramesBound(t *testing.T) {
	set := leak.New([]leak.Secret{{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(secret), Fingerprint: "0123456789ab"}})
	s := egress.Frames(set.Scanner(leak.Stream{}))
	sent, cleared := 0, 0
	write := func(b []byte) bool {
		n, f := s.Write(b)
		sent, cleared = sent+len(b), cleared+n
		return f != nil
	}
	write(frame(1, secret[:20]))
	if cleared == sent {
		t.Fatal("the beginning of a secret was let through")
	}
	for range 20000 {
		write(frame(9, ""))
	}
	if waits := sent - cleared; waits > 64<<10+20 {
		t.Errorf("%d bytes wait", waits)
	}
	if reason, n := s.(detect.Gapped).Uninspected(); reason != "budget" || n != 20 {
		t.Errorf("%d bytes have left unread: %s", n, reason)
	}
	if !write(frame(0, secret[20:])) {
		t.Error("the secret was not found behind the frames")
	}
}

// TestFramesCompressed: what an extension made of a frame is not read, and counted; what
// is compressed within waits until it is decoded, whatever frames it comes in.
func TestFramesCompressed(t *testing.T) {
	set := leak.New([]leak.Secret{{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(secret), Fingerprint: "0123456789ab"}})
	decoding := func() detect.Scanner {
		return leak.Decode(detect.Outlet{Place: "body"}, nil, set.Touches, func() detect.Scanner { return set.Scanner(leak.Stream{}) })
	}
	s := egress.Frames(decoding()).(detect.Gapped)
	deflated := frame(1, "whatever it is")
	deflated[0] |= 0x40 // permessage-deflate (RFC 7692)
	if n, f := s.Write(append(frame(1, "hello"), deflated...)); n != 11+20 || f != nil {
		t.Errorf("%d bytes, %+v", n, f)
	}
	if reason, n := s.Uninspected(); reason != "encoding" || n != len("whatever it is") {
		t.Errorf("%d bytes uninspected: %s", n, reason)
	}

	random := rand.New(rand.NewPCG(1, 2))
	text := []byte(secret)
	for len(text) < 120<<10 {
		text = append(text, byte(random.Uint32()>>2&63+32))
	}
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write(text) // into memory
	_ = z.Close()
	s = egress.Frames(decoding()).(detect.Gapped)
	cleared := 0
	var found *detect.Finding
	for rest := frame(2, packed.String()); len(rest) > 0 && found == nil; rest = rest[min(4<<10, len(rest)):] {
		n, f := s.Write(rest[:min(4<<10, len(rest))])
		cleared, found = cleared+n, f
	}
	if found == nil || cleared > 64 {
		t.Errorf("%d of %d bytes left before %+v", cleared, packed.Len(), found)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(frame(1, "hello"), 3)
	f.Add(joinFrames([][]byte{frame(1, secret[:9]), frame(9, ""), frame(2, "xyz")}), 1)
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5}, 2)
	set := leak.New([]leak.Secret{{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(secret), Fingerprint: "0123456789ab"}})
	f.Fuzz(func(t *testing.T, wire []byte, step int) {
		step = max(1, step)
		s := egress.Frames(set.Scanner(leak.Stream{}))
		cleared := 0
		for sent := 0; sent < len(wire); {
			n := min(step, len(wire)-sent)
			c, finding := s.Write(wire[sent : sent+n])
			sent += n
			if finding != nil {
				return
			}
			if cleared += c; c < 0 || cleared > sent {
				t.Fatalf("%d cleared of %d", cleared, sent)
			}
		}
	})
}
