// Command relay is the extension's relay with the inspection left out, so that
// `bench invoke` can tell the two apart.
//
//	relay LISTEN UPSTREAM [extension]
//
// As an extension it hears of every invocation too, as the whole one does.
package main

import (
	"context"
	"fmt"
	"net"
	"os"

	"gatehouse/internal/lambdaapi"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/runtimeapi"
	"gatehouse/internal/record"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: relay LISTEN UPSTREAM [extension]")
		os.Exit(2)
	}
	if len(os.Args) > 3 {
		go func() { // ends with the process
			fmt.Fprintln(os.Stderr, "relay:", attend(os.Args[2]))
			os.Exit(1)
		}()
	}
	fmt.Fprintln(os.Stderr, "relay:", run(os.Args[1], os.Args[2]))
	os.Exit(1)
}

// attend takes each INVOKE and asks for the next.
func attend(api string) error {
	ctx := context.Background()
	c := lambdaapi.Client{Addr: api, Name: "relay"}
	if _, err := c.Register(ctx, lambdaapi.Invoke, lambdaapi.Shutdown); err != nil {
		return err
	}
	for {
		if _, err := c.Next(ctx); err != nil {
			return err
		}
	}
}

func run(listen, upstream string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	guard := proxy.Guard{
		Sandbox: new(proxy.Sandbox),
		Policy:  func() *policy.Policy { return new(policy.Policy) },
		Report:  func(*record.Record) {},
	}
	relay := runtimeapi.Relay{Upstream: upstream, Guard: &guard}
	return relay.Server().Serve(l)
}
