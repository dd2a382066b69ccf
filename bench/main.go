// Command bench measures what Gatehouse costs, beside yardsticks that do the
// least that could do the job, in turns and in the same call.
//
//	bench start  [flags]   what the extension adds to a cold start
//	bench invoke [flags]   what the relay and the inspection add to an invocation
//	bench detect [flags]   what the event firewall finds and what it flags wrongly
//	bench egress [flags]   what the egress proxy costs
//	bench logs   [flags]   what sending a function's lines to Splunk costs
//	bench faults [flags]   what a caller waits for while Splunk does not work
//
// scripts/bench builds the programs that it compares and calls it. It exits 0 when
// a goal was missed, and 1 with -check.
package main

import (
	"flag"
	"fmt"
	"os"
)

// programs are the paths of what is compared.
type programs struct {
	extension, bare, relay, reverseproxy string
	zip, policy                          string
	engine, noengine                     string
	splice, goproxy, limited             string
	forwarder                            string
	long, latency                        bool
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	var p programs
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&p.extension, "extension", "", "`path` of cmd/extension")
	flags.StringVar(&p.bare, "bare", "", "`path` of bench/bare")
	flags.StringVar(&p.relay, "relay", "", "`path` of bench/relay")
	flags.StringVar(&p.reverseproxy, "reverseproxy", "", "`path` of bench/reverseproxy")
	flags.StringVar(&p.zip, "zip", "", "`path` of the layer")
	flags.StringVar(&p.policy, "policy", "", "`path` of the layer's policy")
	flags.StringVar(&p.engine, "engine", "", "`path` of bench/engine")
	flags.StringVar(&p.noengine, "noengine", "", "`path` of bench/noengine")
	flags.StringVar(&p.splice, "splice", "", "`path` of bench/splice")
	flags.StringVar(&p.goproxy, "goproxy", "", "`path` of bench/goproxy")
	flags.StringVar(&p.limited, "limited", "", "`path` of a script that starts the extension with a sandbox's 1,024 descriptors")
	flags.StringVar(&p.forwarder, "forwarder", "", "`path` of bench/forwarder")
	flags.BoolVar(&p.long, "long", false, "egress: 100,000 connections, too")
	flags.BoolVar(&p.latency, "latency", false, "egress: what it adds to a message of a dialogue, and nothing else")
	asJSON := flags.Bool("json", false, "end with one line of JSON")
	check := flags.Bool("check", false, "exit 1 when a goal is missed")
	n := flags.Int("n", 0, "how often to measure each; 0 is the usual number")
	var d detection
	d.define(flags)
	if len(os.Args) < 2 {
		return fmt.Errorf("which one: start, invoke, detect, egress, logs or faults?")
	}
	name := os.Args[1]
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	measure, ok := map[string]func(programs, int) (*Report, error){"start": start, "invoke": invoke, "detect": d.measure, "egress": egress, "logs": logs, "faults": faults}[name]
	if !ok {
		return fmt.Errorf("no benchmark %q: start, invoke, detect, egress, logs or faults", name)
	}
	report, err := measure(p, *n)
	if err != nil {
		return fmt.Errorf("measuring %s: %w", name, err)
	}
	report.Print(os.Stdout)
	if *asJSON {
		if err := report.JSON(os.Stdout); err != nil {
			return err
		}
	}
	if *check && !report.OK() {
		return fmt.Errorf("a goal was missed")
	}
	return nil
}
