package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/emulator"
)

// local is gatehouse local: a function under a Lambda on this machine.
type local struct {
	config    emulator.Config
	env       []string
	port      int
	event     string // file to invoke with once, - for stdin
	telemetry int    // status of a subscription
}

func newLocalCommand() *cobra.Command {
	var l local
	c := &cobra.Command{
		Use:   "local [flags] -- COMMAND [ARG]...",
		Short: "Run a function and its layer as Lambda does, freeze included",
		Long: `Local runs COMMAND as the runtime of a function, with the extensions of the layer beside it, and serves
Lambda's Invoke endpoint on loopback until Ctrl-C. With --event it invokes the function once and prints
the answer. The function's log goes to stderr.`,
		Example: `  gatehouse local --layer dist/layer --env GATEHOUSE_MODE=enforce -- ./bootstrap
  gatehouse local --event event.json --timeout 30s -- node node_modules/aws-lambda-ric/index.mjs index.handler`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l.config.Command = args
			l.config.CPUShare = cmd.Flags().Changed("memory")
			return l.run(cmd)
		},
	}
	f := c.Flags()
	f.StringVar(&l.config.Layer, "layer", "", "`folder` that stands for /opt")
	f.StringVar(&l.config.Dir, "dir", "", "task root, the processes' working `folder` (here when empty)")
	f.StringArrayVar(&l.env, "env", nil, "`NAME=VALUE` for the function, NAME alone to pass one on; repeatable")
	f.StringVar(&l.config.FunctionName, "name", "function", "the function's `name`")
	f.StringVar(&l.config.Handler, "handler", "bootstrap", "_HANDLER for the runtime")
	f.DurationVar(&l.config.Timeout, "timeout", 3*time.Second, "the function's time-out")
	f.IntVar(&l.config.MemoryMB, "memory", 128, "memory size in `MB`; when given, the share of a core that goes with it holds too")
	f.IntVar(&l.port, "port", 9000, "loopback `port` of the Invoke endpoint, 0 for a free one")
	f.StringVar(&l.event, "event", "", "`file` with an event, - for stdin: invoke once and end")
	f.IntVar(&l.telemetry, "telemetry", http.StatusOK, "`status` that answers telemetry subscriptions: 200, or 202 as AWS's own emulator does")
	f.BoolVar(&l.config.NoFreeze, "no-freeze", false, "let the processes run between invocations")
	f.StringVar(&l.config.LogFormat, "log-format", "Text", "Text or JSON")
	f.IntVar(&l.config.Concurrency, "concurrency", 0, "invocations at a time, as on a managed instance; 0 for a function on demand")
	return c
}

func (l *local) run(cmd *cobra.Command) error {
	work, err := os.MkdirTemp("", "gatehouse-local-")
	if err != nil {
		return fmt.Errorf("making a run folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // a leftover does no harm
	if err := l.prepare(work, cmd.ErrOrStderr()); err != nil {
		return err
	}
	lambda, err := emulator.Start(cmd.Context(), l.config)
	if err != nil {
		return err
	}
	if l.event != "" {
		err = l.once(cmd, lambda)
	} else {
		err = l.serve(cmd, lambda)
	}
	// Ctrl-C has ended the command's context; SHUTDOWN still gets its 2 s.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), 5*time.Second)
	defer cancel()
	return errors.Join(err, lambda.Shutdown(ctx))
}

// prepare completes the configuration.
func (l *local) prepare(work string, log io.Writer) error {
	if l.telemetry != http.StatusOK && l.telemetry != http.StatusAccepted {
		return fmt.Errorf("--telemetry %d: want 200 or 202", l.telemetry)
	}
	l.config.Telemetry202 = l.telemetry == http.StatusAccepted
	env, err := layerEnv(l.config.Layer, work)
	if err != nil {
		return err
	}
	maps.Copy(env, parseEnv(l.env))
	l.config.Env = env
	l.config.Log = func(line emulator.Line) {
		fmt.Fprintln(log, line.Text)
	}
	return nil
}

// parseEnv reads NAME=VALUE; a NAME alone has its value from our environment.
// The programs that the command line names are found where they are here.
func parseEnv(list []string) map[string]string {
	env := map[string]string{}
	if path, ok := os.LookupEnv("PATH"); ok {
		env["PATH"] = path
	}
	for _, entry := range list {
		name, value, ok := strings.Cut(entry, "=")
		if !ok {
			value = os.Getenv(name)
		}
		env[name] = value
	}
	return env
}

// layerEnv is what a layer that holds Gatehouse needs: its wrapper, and what
// keeps this sandbox apart from others on the machine.
func layerEnv(layer, work string) (map[string]string, error) {
	if layer == "" {
		return map[string]string{}, nil
	}
	if _, err := os.Stat(filepath.Join(layer, "extensions", "gatehouse")); err != nil {
		return map[string]string{}, nil // another layer
	}
	env, err := sandboxEnv(work)
	if err != nil {
		return nil, err
	}
	env["AWS_LAMBDA_EXEC_WRAPPER"] = "/opt/gatehouse/wrapper"
	return env, nil
}

// sandboxEnv gives the extension of one sandbox a run folder and ports of its
// own, so that several can run on one machine. The run folder is dir/run; the
// extension makes it.
func sandboxEnv(dir string) (map[string]string, error) {
	env := map[string]string{"GATEHOUSE_RUN_DIR": filepath.Join(dir, "run")}
	for _, name := range []string{"GATEHOUSE_EGRESS_ADDR", "GATEHOUSE_RUNTIME_API_ADDR", "GATEHOUSE_TELEMETRY_ADDR"} {
		// All are held until all are chosen, so that no two are the same.
		// Somebody else may take one before the extension does; it will say so.
		listener, err := listenLow()
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = listener.Close() }() // nobody has connected
		env[name] = listener.Addr().String()
	}
	return env, nil
}

// listenLow takes a free port below those that the system gives to clients, where
// it stays free until the extension, or its next start after a reset, binds it.
func listenLow() (l net.Listener, err error) {
	for range 100 {
		l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000)))
		if err == nil {
			return l, nil
		}
	}
	return nil, err
}

// once invokes the function with the event that was asked for.
func (l *local) once(cmd *cobra.Command, lambda *emulator.Lambda) error {
	event, err := readEvent(l.event, cmd.InOrStdin())
	if err != nil {
		return fmt.Errorf("reading the event: %w", err)
	}
	out, err := lambda.Invoke(cmd.Context(), emulator.Input{Event: event, LogTail: true})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s\n", out.Payload)
	if out.FunctionError != "" {
		return errFailed
	}
	return nil
}

func readEvent(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

// serve answers Invoke requests until the command's context is done.
func (l *local) serve(cmd *cobra.Command, lambda *emulator.Lambda) error {
	ctx := cmd.Context()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)))
	if err != nil {
		return fmt.Errorf("opening the Invoke endpoint: %w", err)
	}
	l.greet(cmd.OutOrStdout(), listener.Addr())
	server := &http.Server{Handler: lambda.Handler(), ReadHeaderTimeout: 10 * time.Second}
	var served error
	var wg sync.WaitGroup
	wg.Go(func() { served = server.Serve(listener) }) // ends at Close below
	<-ctx.Done()
	closed := server.Close()
	wg.Wait()
	if errors.Is(served, http.ErrServerClosed) {
		served = nil
	}
	return errors.Join(served, closed)
}

// greet says how the function is called.
func (l *local) greet(w io.Writer, addr net.Addr) {
	fmt.Fprintf(w, `Function %[1]s is ready:

  curl -d '{}' http://%[2]s/2015-03-31/functions/%[1]s/invocations
  aws lambda invoke --endpoint-url http://%[2]s --function-name %[1]s --payload '{}' \
    --cli-binary-format raw-in-base64-out /dev/stdout

Ctrl-C ends it.
`, l.config.FunctionName, addr)
}
