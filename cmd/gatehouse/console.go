package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gatehouse/internal/console"
)

// newConsoleCommand is gatehouse console: a local Splunk, until Ctrl-C.
func newConsoleCommand() *cobra.Command {
	var c console.Config
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Take records as Splunk's HTTP Event Collector does and show them in the browser",
		Long: `Console listens on loopback as a Splunk HTTP Event Collector, stores what arrives in SQLite and shows it in the
browser. Without --db the records are gone when it ends.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runConsole(cmd, c) },
	}
	f := cmd.Flags()
	f.StringVar(&c.Addr, "addr", "127.0.0.1:8088", "loopback `address` to listen on")
	f.StringVar(&c.Path, "db", "", "SQLite `file` to keep records in")
	f.StringVar(&c.HECToken, "token", "", "HEC `token` that senders must show (made up when empty)")
	f.StringVar(&c.PageToken, "page-token", "", "`token` that opens the page (made up when empty)")
	f.BoolVar(&c.UseACK, "ack", false, "answer as a HEC token with indexer acknowledgement")
	f.IntVar(&c.MaxRecords, "max-records", 500_000, "records to keep; the oldest go first")
	return cmd
}

func runConsole(cmd *cobra.Command, c console.Config) error {
	con, err := console.Open(cmd.Context(), c)
	if err != nil {
		return err
	}
	greet(cmd.OutOrStdout(), con)
	<-cmd.Context().Done()
	return con.Close()
}

// greet says where the page is and how a function sends here.
func greet(w io.Writer, con *console.Console) {
	fmt.Fprintf(w, `Gatehouse console

  Page   %s
  HEC    %s/services/collector

For a function's environment:

  GATEHOUSE_HEC_URL=%s
  GATEHOUSE_HEC_TOKEN=%s
  GATEHOUSE_MODE=enforce

Ctrl-C ends it.
`, con.URL(), con.HECURL(), con.HECURL(), con.HECToken())
}
