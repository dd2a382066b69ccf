// Package emulator is a local AWS Lambda: one function, its extensions and the
// Runtime, Extensions, Telemetry and Invoke APIs, on loopback.
//
// It keeps what a program that runs beside a function depends on: the order of
// Init, the environment that each process gets and does not get, deadlines,
// resets, the freeze between invocations, telemetry in batches, and the bytes
// of every error. It leaves out what needs an account: identity, queues that
// retry, scaling. One Lambda value is one sandbox, so invocations wait for one
// another unless Config.Concurrency asks for a managed instance.
//
// The wire types are written down here on purpose and shared with nobody, so
// that a client of these APIs and this server check each other.
package emulator

import (
	"errors"
	"fmt"
	"time"
)

// Sizes and times of AWS Lambda,
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const (
	// MaxResponse is the largest response that is not streamed, in bytes.
	MaxResponse = 6*1024*1024 + 100
	// MaxEvent is the largest event of a synchronous invocation, in bytes.
	MaxEvent = 6 * 1024 * 1024
	// MaxAsyncEvent is the largest event of an invocation of type Event, in bytes.
	MaxAsyncEvent = 1024 * 1024
	// MaxStream is the largest streamed response, in bytes.
	MaxStream = 200 * 1024 * 1024

	defaultTimeout  = 3 * time.Second
	defaultMemoryMB = 128
	onDemandInit    = 10 * time.Second
	managedInit     = 130 * time.Second
	maxExtensions   = 10
)

// Names that Lambda gives to things that do not exist here.
const (
	region        = "us-east-1"
	accountID     = "123456789012"
	version       = "$LATEST"
	onDemandType  = "on-demand"
	managedType   = "lambda-managed-instances"
	runtimeName   = "provided:al2023.v1"
	disablingFile = "disable-extensions-jwigqn8j"
)

// Config says which function to run and how. Only Command is required.
type Config struct {
	// FunctionName is the function's name, "function" when empty.
	FunctionName string
	// Command starts the runtime. It is run through AWS_LAMBDA_EXEC_WRAPPER
	// when Env sets that, as the bootstrap of a managed runtime does.
	Command []string
	// Handler is _HANDLER, "bootstrap" when empty.
	Handler string
	// Dir is the task root and every process's working directory, the
	// caller's own when empty.
	Dir string
	// Layer is the folder that stands for /opt; empty means no layer.
	// A value in Env that begins with /opt/ is pointed into it.
	Layer string
	// Env is what the customer sets on the function.
	Env map[string]string
	// Timeout is the function's time-out, 3 s when zero.
	Timeout time.Duration
	// InitTimeout is how long Init may take: when zero 10 s, and on managed
	// instances the larger of 130 s and Timeout.
	InitTimeout time.Duration
	// StopTimeout is how long the end may take, 2 s when zero and at most.
	StopTimeout time.Duration
	// MemoryMB is the function's memory size, 128 MB when zero. Nothing
	// enforces it, but see CPUShare.
	MemoryMB int
	// CPUShare holds the sandbox to MemoryMB/1769 of a core, as Lambda does.
	// Where cgroups cannot be written, one line to Log says so.
	CPUShare bool
	// NoFreeze leaves the processes running between invocations.
	NoFreeze bool
	// Telemetry202 answers subscriptions with 202, as AWS's own emulator does.
	Telemetry202 bool
	// LogFormat is "Text" (default) or "JSON".
	LogFormat string
	// Concurrency above 0 makes a managed instance with that many open
	// invocations.
	Concurrency int
	// Log gets what CloudWatch would show, one call at a time, in order. It
	// must not call back into the Lambda.
	Log func(Line)
}

// check reports everything that is wrong with c at once and fills in defaults.
func (c *Config) check() error {
	var errs []error
	if len(c.Command) == 0 {
		errs = append(errs, errors.New("a command for the runtime is required"))
	}
	if c.LogFormat != "" && c.LogFormat != "Text" && c.LogFormat != "JSON" {
		errs = append(errs, fmt.Errorf("log format %q: want Text or JSON", c.LogFormat))
	}
	if c.Timeout < 0 || c.Timeout > 900*time.Second {
		errs = append(errs, fmt.Errorf("timeout %v: want at most 900 s", c.Timeout))
	}
	if c.StopTimeout < 0 || c.StopTimeout > stopExternal {
		errs = append(errs, fmt.Errorf("time-out of the end %v: want at most %v", c.StopTimeout, stopExternal))
	}
	if c.MemoryMB < 0 || c.MemoryMB > 10240 {
		errs = append(errs, fmt.Errorf("memory %d MB: want at most 10240", c.MemoryMB))
	}
	if c.Concurrency < 0 || c.Concurrency > 1600 {
		errs = append(errs, fmt.Errorf("concurrency %d: want 0 to 1600", c.Concurrency))
	}
	c.setDefaults()
	return errors.Join(errs...)
}

func (c *Config) setDefaults() {
	if c.FunctionName == "" {
		c.FunctionName = "function"
	}
	if c.Handler == "" {
		c.Handler = "bootstrap"
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.MemoryMB == 0 {
		c.MemoryMB = defaultMemoryMB
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = stopExternal
	}
	if c.LogFormat == "" {
		c.LogFormat = "Text"
	}
	if c.InitTimeout == 0 && c.managed() {
		c.InitTimeout = max(managedInit, c.Timeout)
	}
	if c.InitTimeout == 0 {
		c.InitTimeout = onDemandInit
	}
	if c.Log == nil {
		c.Log = func(Line) {}
	}
}

func (c *Config) managed() bool { return c.Concurrency > 0 }

func (c *Config) initializationType() string {
	if c.managed() {
		return managedType
	}
	return onDemandType
}

// arn is the function's unqualified ARN.
func (c *Config) arn() string {
	return "arn:aws:lambda:" + region + ":" + accountID + ":function:" + c.FunctionName
}
