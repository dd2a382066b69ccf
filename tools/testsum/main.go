// Command testsum reads what `go test -json` prints, shows what failed and what
// was skipped, and ends with the line
//
//	N passed, N failed, N skipped
//
// in which tests, subtests and packages that could not be built or run count.
// With -strict a skip is a failure. With -counts the three numbers go to a file
// instead, for a script that adds up several runs. It exits 1 when something
// failed.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	strict := flag.Bool("strict", false, "count a skipped test as failed")
	counts := flag.String("counts", "", "write \"passed failed skipped\" to this `file` instead of the closing line")
	flag.Parse()
	if err := run(*strict, *counts); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

func run(strict bool, counts string) error {
	sum := Sum{Out: os.Stdout, Strict: strict}
	if err := sum.Read(os.Stdin); err != nil {
		return err
	}
	sum.Close()
	if counts == "" {
		fmt.Println(sum.String())
	} else {
		line := fmt.Sprintf("%d %d %d\n", sum.Passed, sum.Failed, sum.Skipped)
		if err := os.WriteFile(counts, []byte(line), 0o644); err != nil {
			return fmt.Errorf("writing the counts: %w", err)
		}
	}
	if sum.Failed > 0 {
		return fmt.Errorf("%d failed", sum.Failed)
	}
	return nil
}
