// Package lambdaapi is a client of the local APIs that Lambda offers to an
// extension: the Extensions API and the subscription of the Telemetry API.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
package lambdaapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	extensionPath = "/2020-01-01/extension/"
	telemetryPath = "/2022-07-01/telemetry" // the date never changes with the schema

	headerID = "Lambda-Extension-Identifier"
	// maxBody bounds what is read of an answer. Lambda's own are under 4 KB.
	maxBody = 1 << 20
)

// ErrInvalidEventType is returned by Register where Lambda does not offer INVOKE:
// on managed instances.
var ErrInvalidEventType = errors.New("event type not offered")

// ErrNotSubscribed is returned by Subscribe for every answer but 200. A local
// emulator without the Telemetry API answers 202.
var ErrNotSubscribed = errors.New("telemetry not subscribed")

// Client speaks for one extension. Register must come first; the other methods
// may then be used from any goroutine.
type Client struct {
	// Addr is AWS_LAMBDA_RUNTIME_API: host:port without a scheme.
	Addr string
	// Name is the file name of the extension, exactly.
	Name string
	// HTTP makes the requests; nil takes one that uses no proxy and no time-out,
	// because /event/next may wait through a freeze of hours.
	HTTP *http.Client

	id string
}

// Function is what Register learns.
type Function struct {
	Name      string `json:"functionName"`
	Version   string `json:"functionVersion"`
	Handler   string `json:"handler"`
	AccountID string `json:"accountId"` // "" where Lambda does not tell
}

// The events that an extension can ask for.
const (
	Invoke   = "INVOKE"
	Shutdown = "SHUTDOWN"
)

// Event is one answer of /event/next.
type Event struct {
	Type               string `json:"eventType"` // Invoke or Shutdown
	DeadlineMS         int64  `json:"deadlineMs"`
	RequestID          string `json:"requestId"`
	InvokedFunctionARN string `json:"invokedFunctionArn"`
	Tracing            struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"tracing"`
	// ShutdownReason is spindown, timeout or failure; its case and further values
	// vary, so compare leniently.
	ShutdownReason string `json:"shutdownReason"`
}

// Deadline is when the time given for e is over.
func (e *Event) Deadline() time.Time { return time.UnixMilli(e.DeadlineMS) }

// StatusError is an answer of Lambda's that is not the expected one.
type StatusError struct {
	Call   string // "register"
	Status int
	Type   string // "Extension.InvalidEventType"
	Text   string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: status %d %s: %s", e.Call, e.Status, e.Type, e.Text)
}

// Register makes the extension known for the given events. It must be called
// before the runtime can start, and everything before it delays the function.
func (c *Client) Register(ctx context.Context, events ...string) (Function, error) {
	// Written by hand: reflection costs a cold start more than a request does.
	body := `{"events":["` + strings.Join(events, `","`) + `"]}`
	req, err := c.request(ctx, http.MethodPost, extensionPath+"register", []byte(body))
	if err != nil {
		return Function{}, err
	}
	req.Header.Set("Lambda-Extension-Name", c.Name)
	req.Header.Set("Lambda-Extension-Accept-Feature", "accountId")
	res, answer, err := c.do(req, "register")
	if err != nil {
		return Function{}, err
	}
	if res.StatusCode != http.StatusOK {
		return Function{}, registerError(res.StatusCode, answer)
	}
	c.id = res.Header.Get(headerID)
	var f Function
	if err := json.Unmarshal(answer, &f); err != nil {
		return Function{}, fmt.Errorf("register: reading the answer: %w", err)
	}
	return f, nil
}

// RegisterAny registers for INVOKE and SHUTDOWN, or for SHUTDOWN alone where
// there is no INVOKE; invoke says which. On a managed instance, which is known
// beforehand, pass managed to save the first try.
func (c *Client) RegisterAny(ctx context.Context, managed bool) (f Function, invoke bool, err error) {
	if !managed {
		f, err = c.Register(ctx, Invoke, Shutdown)
		if !errors.Is(err, ErrInvalidEventType) {
			return f, true, err
		}
	}
	f, err = c.Register(ctx, Shutdown)
	return f, false, err
}

// registerError tells the one refusal that calls for another try (INVOKE is not
// offered) from the one that looks like it: a wrong name makes an extension an
// internal one, which may not have SHUTDOWN.
func registerError(status int, answer []byte) error {
	e := statusError("register", status, answer)
	if e.Type == "Extension.InvalidEventType" && strings.HasPrefix(e.Text, Invoke+":") {
		return fmt.Errorf("%w: %w", ErrInvalidEventType, e)
	}
	return e
}

// Next says that the extension is done and waits for the next event, through
// freezes, for as long as ctx allows.
func (c *Client) Next(ctx context.Context) (*Event, error) {
	req, err := c.request(ctx, http.MethodGet, extensionPath+"event/next", nil)
	if err != nil {
		return nil, err
	}
	res, answer, err := c.do(req, "event/next")
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, statusError("event/next", res.StatusCode, answer)
	}
	e := new(Event)
	if err := json.Unmarshal(answer, e); err != nil {
		return nil, fmt.Errorf("event/next: reading the answer: %w", err)
	}
	return e, nil
}

// InitError tells Lambda that the extension cannot start: the function is down
// until a new deployment. errorType is Category.Reason: "Extension.BadConfig".
// The process must exit afterwards.
func (c *Client) InitError(ctx context.Context, errorType, text string) error {
	return c.fail(ctx, "init/error", errorType, text)
}

// ExitError tells Lambda that the extension is about to exit: the sandbox is
// reset. The process must exit afterwards.
func (c *Client) ExitError(ctx context.Context, errorType, text string) error {
	return c.fail(ctx, "exit/error", errorType, text)
}

func (c *Client) fail(ctx context.Context, call, errorType, text string) error {
	body, err := json.Marshal(map[string]any{"errorMessage": text, "errorType": errorType, "stackTrace": []string{}})
	if err != nil {
		return err
	}
	req, err := c.request(ctx, http.MethodPost, extensionPath+call, body)
	if err != nil {
		return err
	}
	req.Header.Set("Lambda-Extension-Function-Error-Type", errorType)
	res, answer, err := c.do(req, call)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusAccepted {
		return statusError(call, res.StatusCode, answer)
	}
	return nil
}

// request builds a request; its id is added once there is one.
func (c *Client) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.Addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("lambda api at %q: %w", c.Addr, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.id != "" {
		req.Header.Set(headerID, c.id)
	}
	return req, nil
}

// do makes the request and reads the whole answer.
func (c *Client) do(req *http.Request, call string) (*http.Response, []byte, error) {
	client := c.HTTP
	if client == nil {
		client = direct
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", call, err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end below
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: reading the answer: %w", call, err)
	}
	return res, answer, nil
}

// direct takes no proxy from the environment: the customer's, or our own, would
// stand between us and the platform.
var direct = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 2}}

func statusError(call string, status int, answer []byte) *StatusError {
	var e struct {
		Text string `json:"errorMessage"`
		Type string `json:"errorType"`
	}
	_ = json.Unmarshal(answer, &e) // not JSON: the status says enough
	return &StatusError{Call: call, Status: status, Type: e.Type, Text: e.Text}
}
