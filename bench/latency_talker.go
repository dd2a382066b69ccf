package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// talker is the servers that dialogues are held with, on loopback and by TLS.
type talker struct {
	web, grpc string // "localhost:port"
	srv       *http.Server
	calls     *grpc.Server

	mu     sync.Mutex
	events []chan []byte // of the subscriber whose id is the place
}

// The one method of the gRPC service sends back what it receives.
const echoMethod = "/bench.Talk/Echo"

var (
	echoStream = grpc.StreamDesc{StreamName: "Echo", Handler: echoCalls, ServerStreams: true, ClientStreams: true}
	echoTalk   = grpc.ServiceDesc{ServiceName: "bench.Talk", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{echoStream}}
)

// newTalker serves with s's certificate.
func newTalker(s *sink) (*talker, error) {
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	calls, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		_ = web.Close() // nobody knows of it
		return nil, err
	}
	t := &talker{web: local(web), grpc: local(calls)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /echo", echoMessages)
	mux.HandleFunc("POST /echo", echoBody)
	mux.HandleFunc("GET /events", t.push)
	config := &tls.Config{Certificates: []tls.Certificate{s.cert}}
	t.srv = &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0), TLSConfig: config}
	t.calls = grpc.NewServer(grpc.Creds(credentials.NewTLS(config.Clone())))
	t.calls.RegisterService(&echoTalk, nil)
	go func() { _ = t.srv.ServeTLS(web, "", "") }() // ends with close
	go func() { _ = t.calls.Serve(calls) }()        // ends with close
	return t, nil
}

func local(l net.Listener) string { return fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port) }

func (t *talker) close() {
	_ = t.srv.Close() // at the end
	t.calls.Stop()
}

// subscribe makes a stream of events, and what is sent to it.
func (t *talker) subscribe() (id string, push chan<- []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := make(chan []byte)
	t.events = append(t.events, c)
	return strconv.Itoa(len(t.events) - 1), c
}

func (t *talker) subscriber(id string) <-chan []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, err := strconv.Atoi(id)
	if err != nil || i < 0 || i >= len(t.events) {
		return nil
	}
	return t.events[i]
}

// push sends the events of a subscriber, each at once.
func (t *talker) push(w http.ResponseWriter, r *http.Request) {
	events := t.subscriber(r.FormValue("id"))
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	for err := flush(); err == nil; err = flush() {
		select {
		case e := <-events:
			_, _ = w.Write(e) // the flush says
		case <-r.Context().Done():
			return
		}
	}
}

func echoMessages(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it was answered
	}
	defer func() { _ = c.CloseNow() }()
	for {
		kind, text, err := c.Read(context.Background())
		if err != nil || c.Write(context.Background(), kind, text) != nil {
			return
		}
	}
}

func echoBody(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is missing, the client sees
	_, _ = w.Write(body)
}

func echoCalls(_ any, stream grpc.ServerStream) error {
	for {
		var m wrapperspb.BytesValue
		if err := stream.RecvMsg(&m); err != nil {
			return err // the client has ended it
		}
		if err := stream.SendMsg(&m); err != nil {
			return err
		}
	}
}
