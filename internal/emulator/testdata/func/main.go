// Command func is a function made with AWS's own runtime client. The event
// says what it does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// order is the event.
type order struct {
	Do      string
	Say     string // printed
	Lines   int    // how often
	Ms      int
	Bytes   int
	Code    int
	Message string
}

var begun int // invocations in this process

func handle(ctx context.Context, event json.RawMessage) (any, error) {
	begun++
	var o order
	if err := json.Unmarshal(event, &o); err != nil {
		return event, nil
	}
	if o.Say != "" {
		fmt.Print(strings.Repeat(o.Say+"\n", max(1, o.Lines)))
	}
	switch o.Do {
	case "error":
		return nil, errors.New(o.Message)
	case "panic":
		panic(o.Message)
	case "exit":
		os.Exit(o.Code)
	case "sleep":
		time.Sleep(time.Duration(o.Ms) * time.Millisecond)
	case "big":
		return strings.Repeat("a", o.Bytes-2), nil // and two quotes
	case "stream":
		return &stream{rest: o.Bytes, fail: o.Message}, nil
	case "file":
		b, err := os.ReadFile(o.Message)
		return string(b), err
	case "env":
		return os.Environ(), nil
	case "context":
		return describe(ctx), nil
	}
	return event, nil
}

func describe(ctx context.Context) any {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	return map[string]any{
		"requestId": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "tenant": lc.TenantID,
		"client": lc.ClientContext.Client.AppTitle, "leftMs": time.Until(deadline).Milliseconds(),
		"pid": os.Getpid(), "begun": begun, "trace": os.Getenv("_X_AMZN_TRACE_ID"),
	}
}

// stream is a response of many parts that may fail at its end.
type stream struct {
	rest int
	fail string
}

func (s *stream) Read(p []byte) (int, error) {
	if s.rest == 0 && s.fail != "" {
		return 0, errors.New(s.fail)
	}
	if s.rest == 0 {
		return 0, io.EOF
	}
	n := min(len(p), s.rest, 32*1024)
	for i := range p[:n] {
		p[i] = 's'
	}
	s.rest -= n
	return n, nil
}

func main() {
	if os.Getenv("INIT_SAY") != "" {
		fmt.Println(os.Getenv("INIT_SAY"))
	}
	if code := os.Getenv("INIT_EXIT"); code != "" {
		os.Exit(int(code[0] - '0'))
	}
	if d, err := time.ParseDuration(os.Getenv("INIT_SLEEP")); err == nil && once() {
		time.Sleep(d)
	}
	if say := os.Getenv("SIGTERM"); say != "" {
		lambda.StartWithOptions(handle, lambda.WithEnableSIGTERM(func() { fmt.Println(say) }))
	}
	lambda.Start(handle)
}

// once is true in the first process that asks, if ONCE names a folder.
func once() bool {
	dir := os.Getenv("ONCE")
	return dir == "" || os.Mkdir(dir, 0o700) == nil
}
