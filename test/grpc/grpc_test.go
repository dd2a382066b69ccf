// Package grpc_test has gRPC's own client and server talk through the inspecting
// egress proxy, which has to be seen by neither, and stops what holds a secret.
package grpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"gatehouse/internal/proxy"
	"gatehouse/internal/record"
)

const large = 16 << 20

// TestUnary calls, with metadata in every place there is.
func TestUnary(t *testing.T) {
	p := newPair(t)
	for _, size := range []int{0, 1, 100, 70 << 10, large} {
		for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor(gzip.Name)}} {
			var head, tail metadata.MD
			ctx := metadata.AppendToOutgoingContext(t.Context(), "x-asked", "one", "x-asked", "two", "x-raw-bin", "\x00\xff\r\n")
			sent := bytes.Repeat([]byte("order 7,"), size/8+1)[:size]
			got, err := p.call(ctx, "echo", sent, append(options, grpc.Header(&head), grpc.Trailer(&tail))...)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes: %d came back, %v", size, len(got), err)
			}
			for name, want := range map[string]string{"x-asked": "[one two]", "x-raw-bin": "[\x00\xff\r\n]"} {
				if h, tr := fmt.Sprint(head.Get(name)), fmt.Sprint(tail.Get(name)); h != want || tr != want {
					t.Errorf("%s came back as %q and %q", name, h, tr)
				}
			}
		}
	}
}

// TestStatus has the server fail before it said anything, in between and at the end.
func TestStatus(t *testing.T) {
	p := newPair(t)
	tests := []struct {
		method string
		sent   string
		code   codes.Code
		text   string
	}{
		{"fail", "at once", codes.FailedPrecondition, "at once: no 100 %, ümlaut"},
		{"fail", "", codes.FailedPrecondition, ": no 100 %, ümlaut"},
		{"nothing", "", codes.Unimplemented, "unknown method nothing"},
	}
	for _, test := range tests {
		var tail metadata.MD
		_, err := p.call(t.Context(), test.method, []byte(test.sent), grpc.Trailer(&tail))
		if s := status.Convert(err); s.Code() != test.code || !strings.Contains(s.Message(), test.text) {
			t.Errorf("%s %q: %v", test.method, test.sent, err)
		}
		if test.method == "fail" && fmt.Sprint(tail.Get("x-why")) != "[because]" {
			t.Errorf("%s %q: trailers %v", test.method, test.sent, tail)
		}
	}
	s := p.stream(t.Context(), "some")
	if err := s.SendMsg(wrapperspb.Bytes([]byte("3"))); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if got, err := hear(s); err != nil || string(got) != "3" {
			t.Errorf("message %d: %q, %v", i, got, err)
		}
	}
	if _, err := hear(s); status.Code(err) != codes.Aborted {
		t.Errorf("after the last message: %v", err)
	}
}

// TestDialogue waits for the answer to each message: nothing waits for more.
func TestDialogue(t *testing.T) {
	p := newPair(t)
	s := p.stream(t.Context(), "talk")
	for i := range 300 {
		say(t, s, fmt.Sprint("message ", i))
		if got, err := hear(s); err != nil || string(got) != fmt.Sprint("message ", i) {
			t.Fatalf("message %d: %q, %v", i, got, err)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := hear(s); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if fmt.Sprint(s.Trailer().Get("x-why")) != "[done]" {
		t.Errorf("trailers %v", s.Trailer())
	}
}

// TestDeadline tells the server of it, and ends the call there, too.
func TestDeadline(t *testing.T) {
	p := newPair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	_, err := p.call(ctx, "wait", nil)
	// The server's timer may be the first to end: it cancels the stream, for which there is
	// a 502, and that is Unavailable.
	if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.Unavailable {
		t.Errorf("the client: %v", err)
	}
	left := <-p.waited
	if left.deadline <= 0 || left.deadline > 400*time.Millisecond || left.err == nil {
		t.Errorf("the server had %v, and heard %v", left.deadline, left.err)
	}
}

// TestCancel ends one call of two on a connection.
func TestCancel(t *testing.T) {
	p := newPair(t)
	other := p.stream(t.Context(), "talk")
	exchange(t, other, "before")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.call(ctx, "wait", nil)
		ended <- err
	}()
	<-p.waiting
	cancel()
	if err := <-ended; status.Code(err) != codes.Canceled {
		t.Errorf("the client: %v", err)
	}
	if left := <-p.waited; left.deadline != 0 || !errors.Is(left.err, context.Canceled) {
		t.Errorf("the server had %v, and heard %v", left.deadline, left.err)
	}
	exchange(t, other, "after")
	if n := p.accepted.Load(); n != 1 {
		t.Errorf("%d connections to the server", n)
	}
}

// TestHangingUp has the server end a call that its client goes on with.
func TestHangingUp(t *testing.T) {
	p := newPair(t)
	s := p.stream(t.Context(), "first")
	sent := 0
	for ; ; sent++ {
		if err := s.SendMsg(wrapperspb.Bytes(make([]byte, 32<<10))); err != nil {
			break
		}
	}
	if _, err := hear(s); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("after %d messages: %v", sent, err)
	}
}

// TestGraceful stops the server while a call is under way: GOAWAY.
func TestGraceful(t *testing.T) {
	p := newPair(t)
	s := p.stream(t.Context(), "talk")
	exchange(t, s, "before")
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.GracefulStop()
	}()
	for p.listening() {
		time.Sleep(time.Millisecond) // polling
	}
	exchange(t, s, "after")
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := hear(s); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	<-stopped
	if _, err := p.call(t.Context(), "echo", nil); status.Code(err) != codes.Unavailable {
		t.Errorf("with nobody there: %v", err)
	}
}

// TestLeak says a secret in each place of a call.
func TestLeak(t *testing.T) {
	half := len(secret) / 2
	tests := []struct {
		name, place string
		steal       func(context.Context, *pair) error
	}{
		{"metadata", "header:x-debug", func(ctx context.Context, p *pair) error {
			_, err := p.call(metadata.AppendToOutgoingContext(ctx, "x-debug", secret), "echo", nil)
			return err
		}},
		{"binary metadata", "header:x-raw-bin", func(ctx context.Context, p *pair) error {
			_, err := p.call(metadata.AppendToOutgoingContext(ctx, "x-raw-bin", "\x00"+secret), "echo", nil)
			return err
		}},
		{"method", "url", func(ctx context.Context, p *pair) error {
			_, err := p.call(ctx, secret, nil)
			return err
		}},
		{"message", "body", func(ctx context.Context, p *pair) error {
			_, err := p.call(ctx, "echo", []byte("a "+secret+" b"))
			return err
		}},
		{"compressed message", "body", func(ctx context.Context, p *pair) error {
			_, err := p.call(ctx, "echo", []byte("a "+secret+" b"), grpc.UseCompressor(gzip.Name))
			return err
		}},
		{"end of a large message", "body", func(ctx context.Context, p *pair) error {
			_, err := p.call(ctx, "echo", append(make([]byte, 1<<20), secret...))
			return err
		}},
		{"message of a dialogue", "body", func(ctx context.Context, p *pair) error {
			return p.converse(ctx, "hello", secret, "bye")
		}},
		{"two messages", "body", func(ctx context.Context, p *pair) error {
			return p.converse(ctx, "hello", secret[:half], secret[half:], "bye")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPair(t)
			other := p.stream(t.Context(), "talk")
			exchange(t, other, "before")
			err := test.steal(t.Context(), p)
			if status.Code(err) == codes.OK {
				t.Errorf("the client: %v", err)
			}
			if r := p.await(record.Leak); r.Path != test.place || r.Dest != "api.test" {
				t.Errorf("leak at %q to %q", r.Path, r.Dest)
			}
			if seen := p.heard(); strings.Contains(seen, secret[:8]) || strings.Contains(seen, secret[half:half+8]) {
				t.Errorf("the server heard %.300q", seen)
			}
			exchange(t, other, "after")
			if n := p.accepted.Load(); n != 1 {
				t.Errorf("%d connections to the server", n)
			}
		})
	}
}

// TestOneOfMany leaks on one of 100 streams that are under way together.
func TestOneOfMany(t *testing.T) {
	const streams, thief = 100, 41
	p := newPair(t)
	all := make([]grpc.ClientStream, streams)
	for i := range all {
		all[i] = p.stream(t.Context(), "talk")
		exchange(t, all[i], fmt.Sprint("hello ", i))
	}
	var wait sync.WaitGroup
	for i, s := range all {
		wait.Go(func() {
			for n := range 20 {
				text := fmt.Sprint("stream ", i, " message ", n)
				if i == thief && n == 10 {
					text = secret
				}
				if err := s.SendMsg(wrapperspb.Bytes([]byte(text))); err != nil && i != thief {
					t.Errorf("stream %d, message %d: %v", i, n, err)
				}
				got, err := hear(s)
				if i == thief && n >= 10 {
					if status.Code(err) == codes.OK {
						t.Errorf("the thief heard %q", got)
					}
					return
				}
				if err != nil || string(got) != text {
					t.Errorf("stream %d, message %d: %q, %v", i, n, got, err)
					return
				}
			}
		})
	}
	wait.Wait()
	p.await(record.Leak)
	if seen := p.heard(); strings.Contains(seen, secret[:8]) {
		t.Error("the server heard the secret")
	}
	if n := p.accepted.Load(); n != 1 {
		t.Errorf("%d connections to the server", n)
	}
	if n := p.counted(func(c proxy.Counters) int { return c.Refused }); n != 1 {
		t.Errorf("%d refused, want one", n)
	}
}
