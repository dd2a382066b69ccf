package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// patience is how long a dialogue may last, all messages together.
const patience = 5 * time.Minute

// dialogue is one connection on which messages go one after the other.
type dialogue struct {
	once func() (time.Duration, error) // one message and its answer
	end  func()
}

// to is c for another target on the same server's name.
func (c *caller) to(target string) *caller {
	other := *c
	other.target = target
	return &other
}

// web is a client that keeps one connection, in HTTP/1.1 or HTTP/2.
func (c *caller) web(major int) *http.Client {
	config := c.tls.Clone()
	config.NextProtos = nil
	t := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 1, ExpectContinueTimeout: 10 * time.Second, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(major == 1)
	t.Protocols.SetHTTP2(major == 2)
	if c.proxy != "" {
		t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: c.proxy})
	}
	return &http.Client{Transport: t}
}

func websocketDialogue(s *talker, c *caller, text []byte) (*dialogue, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	conn, _, err := websocket.Dial(ctx, "wss://"+s.web+"/echo", &websocket.DialOptions{HTTPClient: c.web(1)}) //nolint:bodyclose // the connection has it
	if err != nil {
		cancel()
		return nil, err
	}
	once := func() error {
		if err := conn.Write(ctx, websocket.MessageText, text); err != nil {
			return err
		}
		_, got, err := conn.Read(ctx)
		return same(got, text, err)
	}
	end := func() {
		_ = conn.CloseNow() // over either way
		cancel()
	}
	return &dialogue{func() (time.Duration, error) { return timed(once) }, end}, nil
}

func grpcDialogue(s *talker, c *caller, text []byte) (*dialogue, error) {
	c = c.to(s.grpc)
	config := &tls.Config{RootCAs: c.tls.RootCAs, ServerName: c.tls.ServerName}
	conn, err := grpc.NewClient("passthrough:///"+c.target, grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return c.reach(ctx) }))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	end := func() {
		cancel()
		_ = conn.Close() // over either way
	}
	stream, err := conn.NewStream(ctx, &echoStream, echoMethod)
	if err != nil {
		end()
		return nil, err
	}
	message := wrapperspb.Bytes(text) // its bytes come last
	once := func() error {
		if err := stream.SendMsg(message); err != nil {
			return err
		}
		var got wrapperspb.BytesValue
		err := stream.RecvMsg(&got)
		return same(got.Value, text, err)
	}
	return &dialogue{func() (time.Duration, error) { return timed(once) }, end}, nil
}

// eventsBy has the server send an event when it is told to, which takes no time, and
// waits for it.
func eventsBy(major int) func(*talker, *caller, []byte) (*dialogue, error) {
	return func(s *talker, c *caller, text []byte) (*dialogue, error) {
		id, push := s.subscribe()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		client := c.web(major)
		end := func() {
			cancel()
			client.CloseIdleConnections()
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.web+"/events?id="+id, nil)
		if err != nil {
			end()
			return nil, err
		}
		resp, err := client.Do(r)
		if err != nil {
			end()
			return nil, err
		}
		if resp.StatusCode != http.StatusOK || resp.ProtoMajor != major {
			end()
			return nil, fmt.Errorf("%s by %s", resp.Status, resp.Proto)
		}
		event := serverSent(text)
		got := make([]byte, len(event))
		once := func() error {
			select {
			case push <- event:
			case <-ctx.Done():
				return ctx.Err()
			}
			_, err := io.ReadFull(resp.Body, got)
			return same(got, event, err)
		}
		return &dialogue{func() (time.Duration, error) { return timed(once) }, end}, nil
	}
}

func serverSent(text []byte) []byte { return fmt.Appendf(nil, "data: %s\n\n", text) }

// expectationBy sends requests that wait for a 100 before their body, and says how long
// that one took.
func expectationBy(major int) func(*talker, *caller, []byte) (*dialogue, error) {
	return func(s *talker, c *caller, text []byte) (*dialogue, error) {
		client := c.web(major)
		return &dialogue{func() (time.Duration, error) {
			return s.expect(client, major, text)
		}, client.CloseIdleConnections}, nil
	}
}

func (s *talker) expect(client *http.Client, major int, text []byte) (time.Duration, error) {
	var began, continued time.Time
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn:        func(httptrace.GotConnInfo) { began = time.Now() },
		Got100Continue: func() { continued = time.Now() },
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+s.web+"/echo", bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Expect", "100-continue")
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if continued.IsZero() || resp.ProtoMajor != major {
		return 0, errors.New("nothing came before the answer by " + resp.Proto)
	}
	got, err := io.ReadAll(resp.Body)
	return continued.Sub(began), same(got, text, err)
}

// same is err, or that what came is not what was sent.
func same(got, want []byte, err error) error {
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%d bytes came that are not the %d sent", len(got), len(want))
	}
	return err
}
