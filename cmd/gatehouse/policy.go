package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/publicsuffix"

	"gatehouse/cmd/gatehouse/records"
	"gatehouse/cmd/gatehouse/replay"
	"gatehouse/internal/detect/attack"
	"gatehouse/internal/policy"
	"gatehouse/internal/record"
)

func newPolicyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Learn, check, compare and try out policies",
		Long: `The way from watching to holding: run a function in monitor mode, learn a policy from its records, read
it, check it, replay the records under it, and compare it in CI with the one before.

RECORDS are files of records: JSON lines, gzip or not, as GATEHOUSE_HEC_URL's collector got them or as they stand in
a log; an export of Splunk's as JSON or CSV; or the console's store. - is standard input.`,
	}
	c.AddCommand(newLearnCommand(), newDiffCommand(), newCheckCommand(), newReplayCommand(), newSchemaCommand())
	return c
}

// learnFlags is gatehouse policy learn.
type learnFlags struct {
	function, version, since, until, out string
	lock, pair                           bool
	fold                                 int
}

func newLearnCommand() *cobra.Command {
	var f learnFlags
	c := &cobra.Command{
		Use:   "learn [flags] RECORDS...",
		Short: "Make a policy of where a function was seen to go",
		Long: `Learn writes a policy that allows what the records show and denies the rest: hosts, ports, phases, and where TLS
was inspected methods and the beginnings of paths. What was refused teaches nothing, nor do hosts of the built-in
lists; what was left out is said on stderr. Secrets are allowed nowhere unless you say --pair-secrets.`,
		Example: `  gatehouse policy learn --function orders ~/.gatehouse/console.db --out policy.yaml
  splunk search 'index=lambda sourcetype=gatehouse:*' -output json | gatehouse policy learn - --lock`,
		Args: cobra.MinimumNArgs(1),
		RunE: f.run,
	}
	flags := c.Flags()
	flags.StringVar(&f.function, "function", "", "only this function's records; there is one in the records otherwise")
	flags.StringVar(&f.version, "version", "", "only this version of it")
	flags.StringVar(&f.since, "since", "", "only records from this time on (RFC 3339, or a date)")
	flags.StringVar(&f.until, "until", "", "only records before this time")
	flags.StringVarP(&f.out, "out", "o", "", "write the policy to `file`, not to standard output")
	flags.BoolVar(&f.lock, "lock", false, "mode: enforce")
	flags.BoolVar(&f.pair, "pair-secrets", false, "allow each secret where it was seen to go: read them first")
	flags.IntVar(&f.fold, "fold", 0, "allow all below a name where `n` hosts or more lie directly below it; 0 never does")
	return c
}

func (f *learnFlags) run(cmd *cobra.Command, names []string) error {
	l := &policy.Learned{Function: f.function, Version: f.version}
	var errs [2]error
	l.Since, errs[0] = when(f.since)
	l.Until, errs[1] = when(f.until)
	functions := map[string]bool{}
	n, err := readRecords(cmd, names, func(r *record.Record) {
		functions[r.FunctionName] = true
		l.Add(r)
	})
	if err := errors.Join(errs[0], errs[1], err); err != nil {
		return err
	}
	if f.function == "" && len(functions) > 1 {
		return ofMany(functions)
	}
	l.Fold(f.fold, shared)
	if len(l.Hosts()) == 0 {
		return fmt.Errorf("%d records, and no connection among them that teaches anything", n)
	}
	say := cmd.ErrOrStderr()
	for _, why := range l.Skipped() {
		fmt.Fprintln(say, "left out:", why)
	}
	for _, pair := range l.Pairs() {
		fmt.Fprintln(say, map[bool]string{true: "allowed:", false: "not allowed:"}[f.pair], pair)
	}
	text := l.Write(f.lock, f.pair)
	if _, err := policy.Parse([]byte(text), attack.Sources...); err != nil {
		return fmt.Errorf("the policy that was learned is none: %w", err)
	}
	if f.out == "" {
		_, err = io.WriteString(cmd.OutOrStdout(), text)
		return err
	}
	return os.WriteFile(f.out, []byte(text), 0o644)
}

// shared reports whether names below name belong to many: a public suffix, or a
// provider's own domain, below which there are some.
func shared(name string) bool {
	if suffix, _ := publicsuffix.PublicSuffix(name); suffix == name {
		return true
	}
	owned, err := publicsuffix.EffectiveTLDPlusOne(name)
	return err != nil || slices.Contains(clouds[:], owned)
}

// clouds are the domains of providers with names that anybody can rent, some of them
// public suffixes and some not.
var clouds = [...]string{
	"amazonaws.com", "amazonaws.com.cn", "api.aws", "app.aws", "awsapps.com", "azure.com", "azure.net", "azurewebsites.net", "cloudapp.net",
	"cloudfront.net", "googleapis.com", "googleusercontent.com", "on.aws", "windows.net",
}

// when reads a time or a date; "" is none.
func when(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: want 2026-01-31 or 2026-01-31T12:00:00Z", text)
}

// readRecords reads all of names, and says how many records there were.
func readRecords(cmd *cobra.Command, names []string, each func(*record.Record)) (n int, err error) {
	r := records.Reader{Stdin: cmd.InOrStdin(), Each: func(one *record.Record) { n++; each(one) }}
	var errs []error
	for _, name := range names {
		errs = append(errs, r.Read(cmd.Context(), name))
	}
	if r.Foreign > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d lines are no records\n", r.Foreign)
	}
	return n, errors.Join(errs...)
}

func newDiffCommand() *cobra.Command {
	var asJSON bool
	var from []string
	var function string
	c := &cobra.Command{
		Use:   "diff [--records RECORDS] OLD NEW",
		Short: "Say what a new policy, or a new version, reaches that the old one did not",
		Long: `Diff compares two policies by what they mean. With --records it compares what two versions of a function were seen
to reach. It exits with 1 where the new one lets more happen, and with 0 where it does not.`,
		Example: `  gatehouse policy diff main/policy.yaml policy.yaml
  gatehouse policy diff --records console.db 41 42`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := changes(cmd, from, function, args[0], args[1])
			if err != nil {
				return err
			}
			return printChanges(cmd, changes, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print each change as one line of JSON")
	c.Flags().StringVar(&function, "function", "", "only this function's records; there is one in the records otherwise")
	c.Flags().StringArrayVar(&from, "records", nil, "compare the versions OLD and NEW in these `records`; may be given more than once")
	return c
}

func changes(cmd *cobra.Command, from []string, function, old, now string) ([]policy.Change, error) {
	if len(from) == 0 {
		before, err1 := readPolicy(old)
		after, err2 := readPolicy(now)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return policy.Diff(before, after), nil
	}
	before, after := policy.Learned{Function: function, Version: old}, policy.Learned{Function: function, Version: now}
	functions := map[string]bool{}
	_, err := readRecords(cmd, from, func(r *record.Record) {
		functions[r.FunctionName] = true
		before.Add(r)
		after.Add(r)
	})
	switch {
	case err != nil:
		return nil, err
	case function == "" && len(functions) > 1:
		return nil, ofMany(functions)
	case len(before.Hosts()) == 0:
		return nil, fmt.Errorf("no connection of version %q is in the records: there is nothing to compare with", old)
	case len(after.Hosts()) == 0:
		return nil, fmt.Errorf("no connection of version %q is in the records: there is nothing to compare", now)
	}
	return after.Changes(&before), nil
}

func ofMany(functions map[string]bool) error {
	return fmt.Errorf("the records are of %d functions, say which with --function: %q", len(functions), slices.Sorted(maps.Keys(functions)))
}

func printChanges(cmd *cobra.Command, list []policy.Change, asJSON bool) error {
	out, wider := cmd.OutOrStdout(), false
	for _, c := range list {
		wider = wider || c.Wider
		if !asJSON {
			fmt.Fprintf(out, "%s %s\n", map[bool]string{true: "+", false: "-"}[c.Wider], c.What)
			continue
		}
		if err := json.NewEncoder(out).Encode(c); err != nil {
			return err
		}
	}
	if wider {
		return errFailed
	}
	return nil
}

func newCheckCommand() *cobra.Command {
	var strict bool
	c := &cobra.Command{
		Use:   "check FILE...",
		Short: "Say what is wrong with policies, all at once, with line and column",
		Long: `Check exits with 1 where a policy cannot be read. What can be read and hardly is meant is a warning: exceptions that
have expired or are for no rule, rules that never hold. With --strict a warning is a mistake.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			bad := false
			for _, name := range names {
				p, err := readPolicy(name)
				if err != nil {
					fmt.Fprintln(cmd.OutOrStdout(), err)
					bad = true
					continue
				}
				for _, w := range p.Warnings(time.Now(), attack.RuleIDs()) {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: warning: %s\n", name, w)
					bad = bad || strict
				}
			}
			if bad {
				return errFailed
			}
			return nil
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "a warning is a mistake")
	return c
}

func newReplayCommand() *cobra.Command {
	var file string
	var asJSON bool
	c := &cobra.Command{
		Use:   "replay --policy FILE RECORDS...",
		Short: "Say what a policy would have refused of what was recorded",
		Long: `Replay judges the connections, leaks and attacks in the records by another policy, in enforce mode: what it would
have refused, by rule, and what of that was let pass when it happened. Events are inspected again where the record
has them. It exits with 1 where it would have refused something that passed.`,
		Example: `  gatehouse policy replay --policy policy.yaml console.db`,
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, names []string) error { return runReplay(cmd, file, names, asJSON) },
	}
	c.Flags().StringVar(&file, "policy", "", "the policy `file`")
	c.Flags().BoolVar(&asJSON, "json", false, "print what is decided of each record as one line of JSON")
	_ = c.MarkFlagRequired("policy") // there is such a flag
	return c
}

// maxShown is how many records replay shows of each rule.
const maxShown = 10

func runReplay(cmd *cobra.Command, file string, names []string, asJSON bool) error {
	p, err := readPolicy(file)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	refused, fresh := map[string]int{}, map[string][]replay.Outcome{}
	total, released := 0, 0
	job := replay.Replay{Policy: p, Each: func(o replay.Outcome) {
		total++
		switch {
		case o.Refused:
			refused[o.Rule]++
			if !o.Before {
				fresh[o.Rule] = append(fresh[o.Rule], o)
			}
		case o.Before:
			released++
		}
		if asJSON {
			err = errors.Join(err, json.NewEncoder(out).Encode(o))
		}
	}}
	if _, readErr := readRecords(cmd, names, job.Add); readErr != nil || err != nil {
		return errors.Join(readErr, err)
	}
	if !asJSON {
		printReplay(out, total, released, job.Unseen, refused, fresh)
	}
	if len(fresh) > 0 {
		return errFailed
	}
	return nil
}

func printReplay(out io.Writer, total, released, unseen int, refused map[string]int, fresh map[string][]replay.Outcome) {
	fmt.Fprintf(out, "%d connections, leaks and attacks\n", total)
	for _, rule := range slices.Sorted(maps.Keys(refused)) {
		fmt.Fprintf(out, "would refuse %6d  %s", refused[rule], rule)
		if n := len(fresh[rule]); n > 0 {
			fmt.Fprintf(out, ", %d of them let pass before:", n)
		}
		fmt.Fprintln(out)
		for _, o := range fresh[rule][:min(maxShown, len(fresh[rule]))] {
			fmt.Fprintf(out, "    %s  %s %s: %s\n", o.Record.Time.UTC().Format(time.DateTime), o.Kind, o.What, o.Reason)
		}
	}
	if released > 0 {
		fmt.Fprintf(out, "would let pass %4d that was refused, or would have been\n", released)
	}
	if unseen > 0 {
		fmt.Fprintf(out, "%d attacks could not be judged again: the record has not the whole event\n", unseen)
	}
}

func newSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of policies, for editors",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(policy.Schema())
			return err
		},
	}
}
