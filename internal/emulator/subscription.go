package emulator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// subscription is the body of PUT /2022-07-01/telemetry,
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html.
type subscription struct {
	SchemaVersion string       `json:"schemaVersion"`
	Types         []string     `json:"types"`
	Buffering     *buffering   `json:"buffering"`
	Destination   *destination `json:"destination"`
}

// buffering says when a batch is full or old enough to be sent.
type buffering struct {
	MaxItems  int `json:"maxItems"`
	MaxBytes  int `json:"maxBytes"`
	TimeoutMs int `json:"timeoutMs"`
}

type destination struct {
	Protocol string `json:"protocol"`
	URI      string `json:"URI"`
	Port     int    `json:"port"`
}

// parseSubscription reads and checks a subscription. The limits of Lambda
// hold; what is left out gets Lambda's default.
func parseSubscription(body []byte, managed bool) (*subscription, error) {
	var s subscription
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("failed to parse JSON: %w", err)
	}
	if err := s.checkSchema(managed); err != nil {
		return nil, err
	}
	if len(s.Types) == 0 {
		return nil, errors.New("types: at least one is required")
	}
	for _, t := range s.Types {
		if t != "platform" && t != FromFunction && t != FromExtension {
			return nil, fmt.Errorf("types: unknown type %q", t)
		}
	}
	if err := s.checkBuffering(); err != nil {
		return nil, err
	}
	if s.Destination == nil {
		return nil, errors.New("destination: required")
	}
	return &s, nil
}

func (s *subscription) checkSchema(managed bool) error {
	known := []string{"2022-07-01", "2022-12-13", "2025-01-29"}
	if managed {
		known = known[2:]
	}
	if !slices.Contains(known, s.SchemaVersion) {
		return fmt.Errorf("schemaVersion: %q is not one of %q", s.SchemaVersion, known)
	}
	return nil
}

func (s *subscription) checkBuffering() error {
	if s.Buffering == nil {
		s.Buffering = &buffering{}
	}
	b := s.Buffering
	return errors.Join(
		limit("maxItems", &b.MaxItems, 1000, 10000, 10000),
		limit("maxBytes", &b.MaxBytes, 262144, 1048576, 262144),
		limit("timeoutMs", &b.TimeoutMs, 25, 30000, 1000),
	)
}

func limit(name string, value *int, least, most, usual int) error {
	if *value == 0 {
		*value = usual
	}
	if *value < least || *value > most {
		return fmt.Errorf("buffering.%s: %d is not between %d and %d", name, *value, least, most)
	}
	return nil
}

// sender returns the function that delivers a batch to d, and one that lets go
// of its connections. apiPort is the Runtime API's own port, which is refused.
func (d *destination) sender(apiPort int) (send func(context.Context, []json.RawMessage) error, release func(), err error) {
	switch d.Protocol {
	case "HTTP":
		return d.httpSender(apiPort)
	case "TCP":
		return d.tcpSender()
	}
	return nil, nil, fmt.Errorf("destination.protocol: %q is neither HTTP nor TCP", d.Protocol)
}

func (d *destination) httpSender(apiPort int) (func(context.Context, []json.RawMessage) error, func(), error) {
	u, err := url.Parse(d.URI)
	if err != nil {
		return nil, nil, fmt.Errorf("destination.URI: %w", err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil || port < 1 || port > 65535 || port == apiPort {
		return nil, nil, fmt.Errorf("destination.URI: %q is not a free port", u.Port())
	}
	if host := u.Hostname(); u.Scheme != "http" || host != "sandbox.localdomain" && host != "sandbox" {
		return nil, nil, errors.New("destination.URI host must be sandbox.localdomain")
	}
	u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	transport := &http.Transport{Proxy: nil, MaxIdleConns: 1}
	client := &http.Client{Transport: transport}
	send := func(ctx context.Context, batch []json.RawMessage) error {
		return post(ctx, client, u.String(), array(batch))
	}
	return send, transport.CloseIdleConnections, nil
}

func post(ctx context.Context, client *http.Client, to string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sequence-Id", base64.StdEncoding.EncodeToString(sum[:]))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // nothing in it is needed
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64*1024)); err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the destination answered %s", resp.Status)
	}
	return nil
}

func (d *destination) tcpSender() (func(context.Context, []json.RawMessage) error, func(), error) {
	if d.Port < 1 || d.Port > 65535 {
		return nil, nil, fmt.Errorf("destination.port: %d is not a port", d.Port)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Port))
	var conn net.Conn
	drop := func() {
		if conn != nil {
			_ = conn.Close() // it failed already, or nobody reads any more
			conn = nil
		}
	}
	send := func(ctx context.Context, batch []json.RawMessage) (err error) {
		if conn == nil {
			if conn, err = new(net.Dialer).DialContext(ctx, "tcp", address); err != nil {
				return err
			}
		}
		c := conn
		stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // so that Write returns
		_, err = c.Write(lines(batch))
		if stop(); err != nil {
			drop()
		}
		return err
	}
	return send, drop, nil
}

// array is a batch as one JSON array.
func array(batch []json.RawMessage) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, record := range batch {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(record)
	}
	b.WriteByte(']')
	return b.Bytes()
}

// lines is a batch as one JSON value a line.
func lines(batch []json.RawMessage) []byte {
	var b bytes.Buffer
	for _, record := range batch {
		b.Write(record)
		b.WriteByte('\n')
	}
	return b.Bytes()
}
