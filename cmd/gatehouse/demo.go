package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"gatehouse/cmd/gatehouse/battery"
	"gatehouse/cmd/gatehouse/remote"
	"gatehouse/internal/console"
)

// What the demonstration sends.
const (
	benignSize  = 200
	unprotected = 100 // attacks that run without the layer
	minRefused  = 0.90
)

// demo is one run of the story: a vulnerable function, benign events, a battery
// of attacks and a poisoned dependency, without the layer and with it.
type demo struct {
	out     printer
	attacks []string
	benign  []string

	work    string // temporary folder
	built   binaries
	remote  *remote.Host
	console *console.Console
	score   score
}

func newDemoCommand() *cobra.Command {
	var exit bool
	var file string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Tell the whole story on this machine: function, attacks, leak, evidence",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &demo{out: newPrinter(cmd.OutOrStdout()), benign: battery.Benign(benignSize)}
			d.attacks = battery.Attacks(battery.Seed, battery.Size)
			if file != "" {
				rows, err := battery.Load(file)
				if err != nil {
					return err
				}
				d.attacks = rows
			}
			return d.run(cmd.Context(), exit)
		},
	}
	c.Flags().BoolVar(&exit, "exit", false, "end after the score instead of keeping the console up; the exit code says whether all went well")
	c.Flags().StringVar(&file, "battery", "", "take the attacks from `FILE`: a line each, or JSON lines with p, or those gzipped")
	return c
}

// run tells the story. It returns errFailed when the score shows a failure.
func (d *demo) run(ctx context.Context, exit bool) error {
	work, err := os.MkdirTemp("", "gatehouse-demo-")
	if err != nil {
		return err
	}
	d.work = work
	defer func() { _ = os.RemoveAll(work) }() // a leftover does no harm
	if err := d.prepare(ctx); err != nil {
		return err
	}
	defer d.close()
	for _, step := range []func(context.Context) error{d.without, d.with, d.poison} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	failed := d.score.print(d.out)
	d.out.line("\nConsole: %s", d.console.URL())
	if !exit {
		d.out.line("Ctrl-C ends it.")
		<-ctx.Done()
	}
	if failed {
		return errFailed
	}
	return nil
}

func (d *demo) close() {
	_ = d.console.Close() // the process ends
	d.remote.Close()
}

// prepare builds everything and starts what stands outside the sandbox.
func (d *demo) prepare(ctx context.Context) error {
	d.out.step("building the extension, the layer and the function")
	var err error
	if d.built, err = buildAll(ctx, d.work); err != nil {
		return err
	}
	if d.remote, err = remote.Start(d.work); err != nil {
		return err
	}
	d.console, err = console.Open(ctx, console.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		d.remote.Close()
		return err
	}
	d.out.note("console at %s", d.console.URL())
	return nil
}

// without shows what happens to the function as it is.
func (d *demo) without(ctx context.Context) error {
	n := min(unprotected, len(d.attacks))
	d.out.step("without the layer: %d benign events, then %d attacks", len(d.benign), n)
	f, err := d.start(ctx, sandbox{name: "unprotected"})
	if err != nil {
		return err
	}
	defer f.stop()
	if d.score.plainAnswers, err = f.sendAll(ctx, "benign", d.benign, nil); err != nil {
		return err
	}
	f.log.reset()
	if _, err = f.sendAll(ctx, "attack", d.attacks[:n], nil); err != nil {
		return err
	}
	lines := f.log.ofFunction()
	handled, err := f.handled("attack")
	if err != nil {
		return err
	}
	d.score.unprotectedHandled, d.score.unprotectedSent = handled, n
	d.out.note("%d of %d attacks reached the handler. All that CloudWatch shows of them is %d lines of the function's:", handled, n, len(lines))
	d.out.excerpt(lines, 12)
	return nil
}

// with sends the same through the gate.
func (d *demo) with(ctx context.Context) error {
	d.out.step("with the layer, in enforce mode: %d benign events, then the battery of %d", len(d.benign), len(d.attacks))
	f, err := d.start(ctx, sandbox{name: "protected", layer: true})
	if err != nil {
		return err
	}
	defer f.stop()
	if d.score.gatedAnswers, err = f.sendAll(ctx, "benign", d.benign, d.out.progress("benign", len(d.benign))); err != nil {
		return err
	}
	if d.score.attackAnswers, err = f.sendAll(ctx, "attack", d.attacks, d.out.progress("battery", len(d.attacks))); err != nil {
		return err
	}
	if d.score.handled, err = f.handledIDs("attack"); err != nil {
		return err
	}
	d.score.attacks, d.score.benign = d.attacks, d.benign
	return d.collect(ctx)
}

// excerpt prints the first lines verbatim, and says how many there are more.
func (p printer) excerpt(lines []string, n int) {
	for _, l := range lines[:min(n, len(lines))] {
		p.line("    │ %s", l)
	}
	if len(lines) > n {
		p.line("    │ … and %d more of the same kind", len(lines)-n)
	}
}

// printer writes what a person reads.
type printer struct {
	w     io.Writer
	color bool
}

func newPrinter(w io.Writer) printer {
	f, ok := w.(*os.File)
	color := false
	if ok && os.Getenv("NO_COLOR") == "" {
		info, err := f.Stat()
		color = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return printer{w: w, color: color}
}

func (p printer) line(format string, args ...any) { _, _ = fmt.Fprintf(p.w, format+"\n", args...) }

func (p printer) paint(code, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p printer) step(format string, args ...any) {
	p.line("\n%s %s", p.paint("1;36", "▶"), p.paint("1", fmt.Sprintf(format, args...)))
}

func (p printer) note(format string, args ...any) { p.line("  "+format, args...) }

// progress returns a func that is told how many are done, and draws a bar on a
// terminal.
func (p printer) progress(what string, total int) func(done int) {
	if !p.color || total == 0 {
		return nil
	}
	return func(done int) {
		const width = 40
		full := done * width / total
		bar := ""
		for i := range width {
			if i < full {
				bar += "█"
			} else {
				bar += "░"
			}
		}
		_, _ = fmt.Fprintf(p.w, "\r  %-8s %s %d/%d", what, p.paint("36", bar), done, total)
		if done == total {
			_, _ = fmt.Fprintln(p.w)
		}
	}
}
