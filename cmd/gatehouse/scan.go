package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/scan"
	"gatehouse/internal/detect/attack"
	"gatehouse/internal/policy"
)

// scanFlags is gatehouse scan: events in files, judged as the layer would.
type scanFlags struct {
	json, quiet          bool
	junit, policy, color string
	profile              string
}

func newScanCommand() *cobra.Command {
	var s scanFlags
	c := &cobra.Command{
		Use:   "scan [flags] [FILE]...",
		Short: "Judge events that lie in files, as the layer judges them when they come in",
		Long: `Scan judges every event in the files: JSON, JSON lines, or documents one behind the other, gzip or not. A folder
is searched for *.json, *.jsonl and *.ndjson; - is standard input, which is also read where no file is named.
It exits with 0 where nothing was found, with 1 on findings, and with 2 where something could not be read
or is no JSON; the rest is judged all the same.`,
		Example: `  gatehouse scan events/
  zcat events.jsonl.gz | gatehouse scan --json
  gatehouse scan --policy policy.yaml --junit findings.xml testdata/*.json`,
		RunE: s.run,
	}
	f := c.Flags()
	f.BoolVar(&s.json, "json", false, "print each finding as one line of JSON; everything else goes to stderr")
	f.StringVar(&s.junit, "junit", "", "write JUnit's XML to `file` as well, a test case for each event")
	f.StringVar(&s.profile, "profile", "", "ask the rules that may refuse (block), or weak ones as well (`detect`); the policy's when empty")
	f.StringVar(&s.policy, "policy", "", "policy `file` whose exceptions apply; its mode does not matter")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "print the summary alone")
	f.StringVar(&s.color, "color", "auto", "mark findings in colour: auto, `always` or never")
	return c
}

// errBadInput ends a scan that has said already what it could not read.
var errBadInput = errors.New("bad input")

func (s *scanFlags) run(cmd *cobra.Command, names []string) (err error) {
	if len(names) == 0 {
		if isTerminal(cmd.InOrStdin()) {
			return errors.New("wants files, folders, or events on standard input")
		}
		names = []string{scan.Stdin}
	}
	p, err := readPolicy(s.policy)
	if err != nil {
		return err
	}
	engine, err := s.engine(p)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, name := range p.Expired(time.Time{}, now) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: the exception %s has expired\n", s.policy, name)
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	reports, end, err := s.reports(out, cmd)
	if err != nil {
		return err
	}
	job := scan.Scan{Engine: engine, Policy: p, Now: now, Stdin: cmd.InOrStdin(), Reports: reports}
	totals, err := job.Run(cmd.Context(), names)
	err = errors.Join(err, out.Flush(), end())
	switch {
	case err != nil:
		return err
	case totals.Bad > 0:
		return errBadInput
	case totals.Findings > 0:
		return errFailed
	}
	return nil
}

// engine is that of the profile that was asked for, else of the policy's.
func (s *scanFlags) engine(p *policy.Policy) (*attack.Engine, error) {
	switch profile := policy.Profile(s.profile); cmp.Or(profile, p.Profile) {
	case policy.ProfileBlock:
		return &attack.Engine{Profile: attack.Block}, nil
	case policy.ProfileDetect:
		return &attack.Engine{Profile: attack.Detect}, nil
	}
	return nil, fmt.Errorf("--profile %q: want block or detect", s.profile)
}

// reports makes what was asked for, and what ends it.
func (s *scanFlags) reports(out *bufio.Writer, cmd *cobra.Command) (all []scan.Report, end func() error, err error) {
	color, err := s.colored(cmd.OutOrStdout())
	if err != nil {
		return nil, nil, err
	}
	text := &scan.Text{W: out, Errors: cmd.ErrOrStderr(), Color: color, Quiet: s.quiet}
	switch {
	case !s.json:
		all = append(all, text)
	case s.quiet:
		return nil, nil, errors.New("--json and --quiet: want one of them")
	default:
		all = append(all, &scan.JSON{W: out, Errors: cmd.ErrOrStderr()})
	}
	if s.junit == "" {
		return all, func() error { return nil }, nil
	}
	j, err := scan.NewJUnit(s.junit)
	if err != nil {
		return nil, nil, fmt.Errorf("--junit: %w", err)
	}
	return append(all, j), j.Close, nil
}

// colored reports whether colours are wanted: https://no-color.org
func (s *scanFlags) colored(w io.Writer) (bool, error) {
	switch s.color {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w), nil
	}
	return false, fmt.Errorf("--color %q: want auto, always or never", s.color)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// readPolicy reads a policy, or returns the default where none is named.
func readPolicy(name string) (*policy.Policy, error) {
	if name == "" {
		return policy.Default(), nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--policy: %w", err)
	}
	p, err := policy.Parse(text, attack.Sources...)
	if err != nil {
		return nil, fmt.Errorf("--policy %s: %w", name, err)
	}
	return p, nil
}
