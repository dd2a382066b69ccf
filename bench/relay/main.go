// Command relay is the extension's relay with the inspection left out, so that
// `bench invoke` can tell the two apart.
//
//	relay LISTEN UPSTREAM
package main

import (
	"fmt"
	"net"
	"os"

	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/runtimeapi"
	"gatehouse/internal/record"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: relay LISTEN UPSTREAM")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "relay:", run(os.Args[1], os.Args[2]))
	os.Exit(1)
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
