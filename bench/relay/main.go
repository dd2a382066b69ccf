// Command relay is the extension's relay by itself, with or without inspection, so
// that `bench invoke` can tell the two apart.
//
//	relay LISTEN UPSTREAM [inspect]
package main

import (
	"fmt"
	"net"
	"os"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
	"gatehouse/internal/policy"
	"gatehouse/internal/proxy"
	"gatehouse/internal/proxy/runtimeapi"
	"gatehouse/internal/record"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: relay LISTEN UPSTREAM [inspect]")
		os.Exit(2)
	}
	var engine detect.Engine
	if len(os.Args) > 3 {
		engine = new(attack.Engine)
	}
	fmt.Fprintln(os.Stderr, "relay:", run(os.Args[1], os.Args[2], engine))
	os.Exit(1)
}

func run(listen, upstream string, engine detect.Engine) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	guard := proxy.Guard{
		Sandbox: new(proxy.Sandbox),
		Engine:  engine,
		Policy:  func() *policy.Policy { return new(policy.Policy) },
		Report:  func(*record.Record) {},
	}
	relay := runtimeapi.Relay{Upstream: upstream, Guard: &guard}
	return relay.Server().Serve(l)
}
