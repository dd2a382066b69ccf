package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// maxKept bounds the output kept for one test, in bytes: the last lines of what
// it printed, and of a panic the first.
const maxKept = 64 << 10

// Sum adds up the events of `go test -json`.
type Sum struct {
	Out    io.Writer // what failed and what was skipped; never nil
	Strict bool      // a skip is a failure

	Passed, Failed, Skipped int

	kept    map[string]*tail // output of what still runs, by package or package.test
	inside  map[string]int   // failures counted inside a package
	skipped []string         // names, each with its reason
}

// event is one line of `go test -json`; see `go doc test2json` and, for the
// build's own, `go help buildjson`.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64 // seconds
}

// Read takes in a whole stream. A line that is no JSON is printed as it is.
func (s *Sum) Read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading test events: %w", err)
		}
	}
}

func (s *Sum) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Fprint(s.Out, line)
		return
	}
	s.event(e)
}

func (s *Sum) event(e event) {
	switch e.Action {
	case "output":
		s.keep(e)
	case "build-output":
		fmt.Fprint(s.Out, e.Output)
	case "pass":
		s.passed(e)
	case "fail":
		s.failed(e)
	case "skip":
		s.skip(e)
	}
}

func (s *Sum) keep(e event) {
	if s.kept == nil {
		s.kept = make(map[string]*tail)
	}
	name := e.name()
	if s.kept[name] == nil {
		s.kept[name] = &tail{}
	}
	s.kept[name].add(e.Output)
}

func (s *Sum) passed(e event) {
	delete(s.kept, e.name())
	if e.Test != "" {
		s.Passed++
		return
	}
	fmt.Fprintf(s.Out, "ok    %s  %.1fs\n", e.Package, e.Elapsed)
}

// failed counts a test. A package counts only where none of its tests did: it
// could not be built, or died.
func (s *Sum) failed(e event) {
	if s.inside == nil {
		s.inside = make(map[string]int)
	}
	if e.Test == "" {
		fmt.Fprintf(s.Out, "FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
	}
	if e.Test != "" || s.inside[e.Package] == 0 {
		s.Failed++
		s.inside[e.Package]++
		fmt.Fprintf(s.Out, "--- FAIL: %s\n%s", e.name(), s.kept[e.name()])
	}
	delete(s.kept, e.name())
	if e.Test == "" {
		s.unfinished(e.Package)
	}
}

// unfinished shows what tests of a package have printed that did not come to an end: they
// ran when it died or its time was over, and in one of them stands why.
func (s *Sum) unfinished(pkg string) {
	for _, name := range slices.Sorted(maps.Keys(s.kept)) {
		if strings.HasPrefix(name, pkg+".") {
			fmt.Fprintf(s.Out, "--- did not end: %s\n%s", name, s.kept[name])
			delete(s.kept, name)
		}
	}
}

// skip counts a test; a package without tests is no skip.
func (s *Sum) skip(e event) {
	reason := s.kept[e.name()].reason()
	delete(s.kept, e.name())
	if e.Test == "" {
		return
	}
	s.skipped = append(s.skipped, e.name()+": "+reason)
	if s.Strict {
		s.Failed++
		return
	}
	s.Skipped++
}

// Close prints the names of what was skipped.
func (s *Sum) Close() {
	word := "skipped"
	if s.Strict {
		word = "skipped, and so failed"
	}
	for _, name := range s.skipped {
		fmt.Fprintf(s.Out, "%s: %s\n", word, name)
	}
}

// String is the closing line.
func (s *Sum) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", s.Passed, s.Failed, s.Skipped)
}

// name is the package, or the package and the test.
func (e event) name() string {
	if e.Test == "" {
		return e.Package
	}
	return e.Package + "." + e.Test
}

// tail keeps the last maxKept bytes of what is added, and as many from a panic on.
type tail struct{ panic, lines []byte }

func (t *tail) add(line string) {
	if (len(t.panic) > 0 || strings.HasPrefix(line, "panic: ")) && len(t.panic) < maxKept {
		t.panic = append(t.panic, line...)
		return
	}
	t.lines = append(t.lines, line...)
	if over := len(t.lines) - maxKept; over > maxKept {
		t.lines = append(t.lines[:0], t.lines[over:]...)
	}
}

func (t *tail) String() string {
	if t == nil {
		return ""
	}
	return string(t.panic) + string(t.lines)
}

// reason is the last line that the test itself printed, without its position.
func (t *tail) reason() string {
	reason := "no reason given"
	for line := range strings.Lines(t.String()) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "===") {
			continue
		}
		reason = line
		if _, said, ok := strings.Cut(line, ".go:"); ok {
			if _, said, ok = strings.Cut(said, ": "); ok {
				reason = said
			}
		}
	}
	return reason
}
