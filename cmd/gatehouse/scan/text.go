package scan

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/detect"
)

// maxShown is how much of a match the text shows, in characters.
const maxShown = 240

// Text reports for people.
type Text struct {
	W io.Writer
	// Errors takes what could not be read.
	Errors io.Writer
	// Color marks the match in colour; else it stands between >>> and <<<.
	Color bool
	// Quiet leaves only the summary.
	Quiet bool
}

// Event prints the findings of e, and what was not inspected.
func (t *Text) Event(e *Event) error {
	if t.Quiet {
		return nil
	}
	var b strings.Builder
	for i := range e.Findings {
		t.finding(&b, e, &e.Findings[i])
	}
	for _, g := range e.Gaps {
		fmt.Fprintf(&b, "%s: %s: %s\n\n", plain(e.String()), t.paint(yellow, "not inspected"), gap(g))
	}
	_, err := io.WriteString(t.W, b.String())
	return err
}

func (t *Text) finding(b *strings.Builder, e *Event, f *detect.Finding) {
	severity := string(severityOf(f))
	if f.Weak {
		severity += ", weak"
	}
	fmt.Fprintf(b, "%s: %s: %s %s\n", t.paint(bold, plain(e.At(f).String())),
		t.paint(colorOf(f), severity), f.Signature, t.paint(dim, "("+f.RuleID+")"))
	fmt.Fprintf(b, "    %s\n", plain(where(e, f)))
	before, behind := e.surroundings(f)
	fmt.Fprintf(b, "    %s%s%s\n\n", plain(before), t.mark(cut(plain(f.Matched), maxShown)), plain(behind))
}

// Bad prints what could not be read.
func (t *Text) Bad(at Place, err error) error {
	_, werr := fmt.Fprintf(t.Errors, "%s: %s\n", plain(at.String()), plain(err.Error()))
	return werr
}

// End prints the summary.
func (t *Text) End(totals *Totals) error {
	_, err := fmt.Fprintln(t.W, totals)
	return err
}

// String is the summary, on one line.
func (t *Totals) String() string {
	parts := []string{count(t.Events, "event") + " in " + count(t.Files, "file")}
	found := count(t.Findings, "finding")
	if t.Findings > 0 {
		found += " in " + count(t.Flagged, "event")
	}
	parts = append(parts, found)
	if t.Excepted > 0 {
		parts = append(parts, fmt.Sprintf("%d excepted by the policy (%s)", t.Excepted, plain(strings.Join(t.Exceptions, ", "))))
	}
	for _, reason := range slices.Sorted(maps.Keys(t.Gaps)) {
		parts = append(parts, fmt.Sprintf("%s not wholly inspected (%s)", count(t.Gaps[reason], "event"), reason))
	}
	if t.Bad > 0 {
		parts = append(parts, count(t.Bad, "input")+" bad")
	}
	return strings.Join(parts, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// where names the event source, the path and what was undone there.
func where(e *Event, f *detect.Finding) string {
	steps := append([]string{f.Path}, f.DecodeChain...)
	return e.Source.Name + ": " + strings.Join(steps, " › ")
}

func gap(g detect.Gap) string {
	s := fmt.Sprintf("%s, %s", plain(g.Reason), count(g.Bytes, "byte"))
	if g.Path != "" {
		s += " at " + plain(g.Path)
	}
	return s
}

func severityOf(f *detect.Finding) detect.Severity {
	if f.Severity == "" {
		return detect.High
	}
	return f.Severity
}

// The colours, as numbers of Select Graphic Rendition (ECMA-48, 8.3.117).
const (
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	yellow = "33"
	marked = "1;37;41"
)

func colorOf(f *detect.Finding) string {
	if f.Weak || severityOf(f) == detect.Low || severityOf(f) == detect.Medium || severityOf(f) == detect.Informational {
		return yellow
	}
	return red
}

func (t *Text) paint(code, s string) string {
	if !t.Color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// mark shows where the match begins and ends.
func (t *Text) mark(s string) string {
	if !t.Color {
		return ">>>" + s + "<<<"
	}
	return t.paint(marked, s)
}
