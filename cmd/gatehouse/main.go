// Command gatehouse is what a developer has of Gatehouse on a laptop: a local
// Lambda to try functions in, a console that takes what Splunk would take, a
// demonstration of both, a scan of events that lie in files, and the way to a policy.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	stop()
	switch {
	case errors.Is(err, errFailed):
		os.Exit(1) // what failed has been printed
	case errors.Is(err, errBadInput):
		os.Exit(2) // what is bad has been printed
	case err != nil:
		fmt.Fprintln(os.Stderr, "gatehouse:", err)
		os.Exit(2)
	}
}

// errFailed ends a command whose output has said already what is wrong.
var errFailed = errors.New("failed")

func newCommand() *cobra.Command {
	c := &cobra.Command{
		Use:           "gatehouse",
		Short:         "The gate of your Lambda functions, on a laptop",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	c.AddCommand(newDemoCommand(), newLocalCommand(), newConsoleCommand(), newScanCommand(), newPolicyCommand())
	return c
}
