// Package scan judges events that lie in files, as the layer judges them when they
// come in, and says what it found: as text, as JSON lines, as JUnit. It is what
// gatehouse scan runs; the layer does not link it.
package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/policy"
)

// Stdin is the name of a file that stands for standard input.
const Stdin = "-"

// maxSyntaxErrors bounds the malformed places that are named of one file.
const maxSyntaxErrors = 20

// MaxDocument is what MaxDocument of a Scan is where it is not set, in bytes: ten
// times what Lambda takes.
const MaxDocument = 64 << 20

// Scan judges files of events. Engine, Policy and Reports are set before use.
type Scan struct {
	// Engine judges events.
	Engine detect.Engine
	// Policy has the exceptions. Its mode does not matter here.
	Policy *policy.Policy
	// Now is the moment that exceptions are asked for.
	Now time.Time
	// Stdin is read where a file is called "-".
	Stdin io.Reader
	// Reports say what was found, each in its own form.
	Reports []Report
	// MaxDocument bounds one document, in bytes; 0: the constant of that name.
	MaxDocument int

	totals Totals
	result detect.Result
}

// Report says what was found. Its errors end the scan.
type Report interface {
	// Event takes an event. Nothing of it may be kept.
	Event(*Event) error
	// Bad takes what could not be read, or is no JSON. Line is 0 where the whole
	// file is meant.
	Bad(at Place, err error) error
	// End is called once, at the end.
	End(*Totals) error
}

// Place is a place in a file. Lines, columns and documents count from 1; columns
// count characters.
type Place struct {
	File                   string
	Document, Line, Column int
}

// String is file:line:column, as much of it as there is.
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Event is one event and what was found in it.
type Event struct {
	Place
	Data   []byte
	Source *detect.Source
	// Findings are those that no exception covers.
	Findings []detect.Finding
	// Exceptions applied, as rule@path; Excepted findings they covered.
	Exceptions []string
	Excepted   int
	// Gaps are what was not inspected.
	Gaps []detect.Gap
}

// At returns where f stands.
func (e *Event) At(f *detect.Finding) Place {
	p := e.Place
	if f.Start > 0 && f.Start <= len(e.Data) {
		in := place{p.Line, p.Column}.after(e.Data[:f.Start])
		p.Line, p.Column = in.line, in.column
	}
	return p
}

// Totals is what a scan comes to.
type Totals struct {
	Files, Events     int
	Findings, Flagged int // findings, and the events that they are in
	Excepted          int // findings that exceptions covered
	Exceptions        []string
	Bad               int
	// Gaps counts the events that were not wholly inspected, by reason.
	Gaps map[string]int
}

// Run judges all files, folders and "-" that names lists. Its error is that of
// ctx or of a report; what cannot be read goes to the reports and is counted.
func (s *Scan) Run(ctx context.Context, names []string) (*Totals, error) {
	s.totals.Gaps = make(map[string]int)
	var failed error
	bad := func(name string, err error) {
		if failed == nil {
			failed = s.bad(Place{File: name}, err)
		}
	}
	file := func(name string) {
		if failed == nil {
			failed = s.file(ctx, name)
		}
	}
	for _, name := range names {
		if name == Stdin {
			file(name)
		} else {
			each(name, file, bad)
		}
	}
	if failed != nil {
		return &s.totals, failed
	}
	for _, r := range s.Reports {
		if err := r.End(&s.totals); err != nil {
			return &s.totals, err
		}
	}
	return &s.totals, nil
}

func (s *Scan) bad(at Place, err error) error {
	s.totals.Bad++
	for _, r := range s.Reports {
		if err := r.Bad(at, err); err != nil {
			return err
		}
	}
	return nil
}

// file judges the events of one file.
func (s *Scan) file(ctx context.Context, name string) error {
	s.totals.Files++
	r := s.Stdin
	if name != Stdin {
		f, err := os.Open(name)
		if err != nil {
			return s.bad(Place{File: name}, cause(err))
		}
		defer f.Close()
		r = f
	}
	r, err := unzipped(r)
	if err != nil {
		return s.bad(Place{File: name}, err)
	}
	return s.documents(ctx, name, &documents{src: r, max: cmp.Or(s.MaxDocument, MaxDocument)})
}

func (s *Scan) documents(ctx context.Context, name string, docs *documents) error {
	malformed := 0
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		doc, in, err := docs.next()
		at := Place{File: name, Document: n, Line: in.line, Column: in.column}
		var syntax *syntaxError
		switch {
		case err == nil:
			err = s.event(&Event{Place: at, Data: doc})
		case errors.Is(err, io.EOF):
			return nil
		case !errors.As(err, &syntax):
			return s.bad(at, cause(err))
		case malformed == maxSyntaxErrors:
			return s.bad(at, errors.New("malformed JSON again; the rest of the file is not read"))
		default:
			malformed++
			err = s.bad(at, syntax)
		}
		if err != nil {
			return err
		}
	}
}

// event judges one event.
func (s *Scan) event(e *Event) error {
	res := &s.result
	res.Reset()
	e.Source = s.Engine.Source(e.Data)
	excepted := make(map[string]bool) // by rule and path
	res.Except = func(rule, path string) bool {
		name := s.Policy.Exception(rule, path, e.Source.Name, s.Now)
		if at := rule + "@" + path; name != "" && !excepted[at] {
			excepted[at] = true
			e.Excepted++
			e.Exceptions = addOnce(e.Exceptions, name)
		}
		return name != ""
	}
	s.Engine.Inspect(e.Data, e.Source, res, nil)
	e.Gaps, e.Findings = res.Gaps, append(e.Findings, res.Findings...)
	s.count(e)
	for _, r := range s.Reports {
		if err := r.Event(e); err != nil {
			return err
		}
	}
	return nil
}

func (s *Scan) count(e *Event) {
	t := &s.totals
	t.Events++
	t.Findings += len(e.Findings)
	if len(e.Findings) > 0 {
		t.Flagged++
	}
	t.Excepted += e.Excepted
	for _, name := range e.Exceptions {
		t.Exceptions = addOnce(t.Exceptions, name)
	}
	for _, g := range e.Gaps {
		t.Gaps[g.Reason]++
	}
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
