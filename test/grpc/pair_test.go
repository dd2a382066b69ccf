package grpc_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

// secret is AWS's documented example key: no real credential.
const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

// pair is a client and a server with the proxy between them.
type pair struct {
	*server
	t       *testing.T
	conn    *grpc.ClientConn
	sandbox *proxy.Sandbox

	mu      sync.Mutex
	records []*record.Record
}

// newPair starts all three.
func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, sandbox: &proxy.Sandbox{Identity: func() (string, int) { return "0123456789abcdef", 1 }}}
	cert, roots, err := authority()
	if err != nil {
		t.Fatal(err)
	}
	p.server = newServer(t, cert)
	p.sandbox.Open(proxy.Invocation{RequestID: "one"})
	addr, trust := p.gate(roots)
	dial := func(ctx context.Context, target string) (net.Conn, error) { return connect(ctx, addr, target) }
	p.conn, err = grpc.NewClient("passthrough:///api.test:"+p.port,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: trust})), grpc.WithContextDialer(dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(2*large)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.conn.Close() })
	return p
}

// gate serves the proxy, and returns where and whom its clients trust.
func (p *pair) gate(roots *x509.CertPool) (addr string, trust *x509.CertPool) {
	p.t.Helper()
	rules, err := policy.Parse([]byte("version: 1\nmode: enforce\negress: {inspect: {tls: true}, hosts: {api.test: 127.0.0.1}}"))
	if err != nil {
		p.t.Fatal(err)
	}
	ca, err := egress.NewCA()
	if err != nil {
		p.t.Fatal(err)
	}
	secrets := leak.New([]leak.Secret{{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(secret), Fingerprint: "0123456789ab"}})
	memory, ledger := new(leak.Memory), new(leak.Ledger)
	gate := &egress.Proxy{
		Guard: &proxy.Guard{
			Sandbox: p.sandbox, Policy: func() *policy.Policy { return rules }, Report: p.report,
			Scanner: func(o detect.Outlet) detect.Scanner {
				return leak.Decode(o, memory, secrets.Touches, func() detect.Scanner { return secrets.Scanner(leak.Stream{Host: o.Host, Ledger: ledger}) })
			},
		},
		CA: func() (*egress.CA, error) { return ca, nil }, RootCAs: func() *x509.CertPool { return roots },
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- gate.Serve(l) }()
	p.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = gate.Shutdown(ctx) // what is still open is cut
		if err := <-served; err != nil || gate.Recovered() > 0 {
			p.t.Errorf("serving: %v, %d panics", err, gate.Recovered())
		}
	})
	trust = x509.NewCertPool()
	trust.AppendCertsFromPEM(ca.PEM())
	return l.Addr().String(), trust
}

// connect opens a tunnel to target through the proxy at addr.
func connect(ctx context.Context, addr, target string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 16), &http.Request{Method: http.MethodConnect})
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (p *pair) report(r *record.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records = append(p.records, r)
}

// await polls until there is a record of kind.
func (p *pair) await(kind record.Kind) *record.Record {
	p.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		p.mu.Lock()
		for _, r := range p.records {
			if r.Kind == kind {
				p.mu.Unlock()
				return r
			}
		}
		p.mu.Unlock()
	}
	p.t.Fatalf("no %s", kind)
	return nil
}

// counted asks the sandbox's counters.
func (p *pair) counted(ask func(proxy.Counters) int) (n int) {
	p.sandbox.Count(func(c *proxy.Counters) { n = ask(*c) })
	return n
}

// call calls a method that takes one message and gives one.
func (p *pair) call(ctx context.Context, method string, sent []byte, options ...grpc.CallOption) ([]byte, error) {
	var got wrapperspb.BytesValue
	err := p.conn.Invoke(ctx, "/test.Talk/"+method, wrapperspb.Bytes(sent), &got, options...)
	return got.Value, err
}

func (p *pair) stream(ctx context.Context, method string) grpc.ClientStream {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	p.t.Cleanup(cancel)
	s, err := p.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/test.Talk/"+method)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// converse says texts one after the other, each after the answer to the one before.
func (p *pair) converse(ctx context.Context, texts ...string) error {
	s := p.stream(ctx, "talk")
	for _, text := range texts {
		_ = s.SendMsg(wrapperspb.Bytes([]byte(text))) // what went wrong, the hearing says
		if _, err := hear(s); err != nil {
			return err
		}
	}
	return nil
}

func say(t *testing.T, s grpc.ClientStream, text string) {
	t.Helper()
	if err := s.SendMsg(wrapperspb.Bytes([]byte(text))); err != nil {
		t.Fatal(err)
	}
}

func hear(s grpc.ClientStream) ([]byte, error) {
	var got wrapperspb.BytesValue
	err := s.RecvMsg(&got)
	return got.Value, err
}

func exchange(t *testing.T, s grpc.ClientStream, text string) {
	t.Helper()
	say(t, s, text)
	if got, err := hear(s); err != nil || string(got) != text {
		t.Errorf("%q came back as %q, %v", text, got, err)
	}
}

// left is what the method "wait" saw.
type left struct {
	deadline time.Duration // until then; 0: none
	err      error
}

// server is a gRPC server that keeps all that it hears.
type server struct {
	*grpc.Server
	l        net.Listener
	port     string
	accepted atomic.Int32
	waiting  chan struct{} // the method "wait" began
	waited   chan left     // and ended

	mu   sync.Mutex
	seen strings.Builder
}

func newServer(t *testing.T, cert tls.Certificate) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{l: l, waiting: make(chan struct{}, 1), waited: make(chan left, 1)}
	s.port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	s.Server = grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&cert)), grpc.MaxRecvMsgSize(2*large), grpc.UnknownServiceHandler(s.serve))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(counting{l, s}) // it ends with Stop
	}()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return s
}

type counting struct {
	net.Listener
	s *server
}

func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.s.accepted.Add(1)
	}
	return conn, err
}

func (s *server) listening() bool {
	c, err := net.Dial("tcp", s.l.Addr().String())
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

func (s *server) keep(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.seen, format, args...)
}

func (s *server) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

// serve is all methods.
func (s *server) serve(_ any, stream grpc.ServerStream) error {
	path, _ := grpc.MethodFromServerStream(stream)
	asked, _ := metadata.FromIncomingContext(stream.Context())
	s.keep("%s %v\n", path, asked)
	switch method := path[strings.LastIndexByte(path, '/')+1:]; method {
	case "echo":
		return s.echo(stream, asked)
	case "talk":
		return s.talk(stream)
	case "wait":
		return s.wait(stream.Context())
	case "fail":
		m, err := s.receive(stream)
		stream.SetTrailer(metadata.Pairs("x-why", "because"))
		return errors.Join(err, status.Errorf(codes.FailedPrecondition, "%s: no 100 %%, ümlaut", m.GetValue()))
	case "first":
		_, err := s.receive(stream)
		return errors.Join(err, status.Error(codes.ResourceExhausted, "enough"))
	case "some":
		return s.some(stream)
	default:
		return status.Error(codes.Unimplemented, "unknown method "+method)
	}
}

func (s *server) receive(stream grpc.ServerStream) (*wrapperspb.BytesValue, error) {
	m := new(wrapperspb.BytesValue)
	err := stream.RecvMsg(m)
	if text := m.Value; len(text) <= 100 || strings.Contains(string(text), secret[:8]) {
		s.keep("%s\n", text)
	}
	return m, err
}

// echo sends back the message and the metadata, before and after it.
func (s *server) echo(stream grpc.ServerStream, asked metadata.MD) error {
	m, err := s.receive(stream)
	if err != nil {
		return err
	}
	back := metadata.MD{"x-asked": asked["x-asked"], "x-raw-bin": asked["x-raw-bin"]}
	stream.SetTrailer(back)
	return errors.Join(stream.SetHeader(back), stream.SendMsg(m))
}

func (s *server) talk(stream grpc.ServerStream) error {
	stream.SetTrailer(metadata.Pairs("x-why", "done"))
	for {
		m, err := s.receive(stream)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = stream.SendMsg(m)
		}
		if err != nil {
			return err
		}
	}
}

func (s *server) wait(ctx context.Context) error {
	s.waiting <- struct{}{}
	saw := left{}
	if end, ok := ctx.Deadline(); ok {
		saw.deadline = time.Until(end)
	}
	<-ctx.Done()
	saw.err = ctx.Err()
	s.waited <- saw
	return status.FromContextError(saw.err).Err()
}

func (s *server) some(stream grpc.ServerStream) error {
	m, err := s.receive(stream)
	n, _ := strconv.Atoi(string(m.GetValue()))
	for range n {
		err = errors.Join(err, stream.SendMsg(m))
	}
	return errors.Join(err, status.Error(codes.Aborted, "no more"))
}

// authority makes a certificate for api.test, and whoever trusts it.
func authority() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"api.test"},
		IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}
