package scan

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// JUnit reports one test case for each event, in the XML that CI systems read: a
// failure holds all findings of its event, an error what could not be read.
// https://github.com/testmoapp/junitxml
type JUnit struct {
	out   *os.File
	cases *os.File // until their number is known, which stands before them
	w     *bufio.Writer

	tests, failures, errors int
}

// NewJUnit opens the file called name; End completes it. Close is called in any
// case.
func NewJUnit(name string) (*JUnit, error) {
	out, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	cases, err := os.CreateTemp("", "gatehouse-junit-")
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return &JUnit{out: out, cases: cases, w: bufio.NewWriter(cases)}, nil
}

// testcase is an element of JUnit's XML.
type testcase struct {
	XMLName   xml.Name `xml:"testcase"`
	Classname string   `xml:"classname,attr"`
	Name      string   `xml:"name,attr"`
	File      string   `xml:"file,attr"`
	Line      int      `xml:"line,attr,omitempty"`
	Failure   *outcome `xml:"failure,omitempty"`
	Error     *outcome `xml:"error,omitempty"`
	Output    string   `xml:"system-out,omitempty"`
}

type outcome struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// Event writes the case of e.
func (j *JUnit) Event(e *Event) error {
	c := newCase(e.Place)
	c.Name += ", " + e.Source.Name
	if len(e.Findings) > 0 {
		j.failures++
		c.Failure = failure(e)
	}
	c.Output = remarks(e)
	return j.write(c)
}

func newCase(at Place) *testcase {
	file := plain(at.File)
	return &testcase{Classname: file, File: file, Line: at.Line, Name: fmt.Sprintf("event %d", at.Document)}
}

// failure lists the findings of e. What is in them was written by others: it is
// escaped as for a terminal first, which also makes it legal in XML.
func failure(e *Event) *outcome {
	first := &e.Findings[0]
	message := first.RuleID + " at " + first.Path
	if n := len(e.Findings) - 1; n > 0 {
		message += fmt.Sprintf(" and %d more", n)
	}
	var b strings.Builder
	t := Text{}
	for i := range e.Findings {
		t.finding(&b, e, &e.Findings[i])
	}
	return &outcome{Message: plain(message), Type: first.RuleID, Text: b.String()}
}

// remarks says what is no failure: what was excepted and what was not inspected.
func remarks(e *Event) string {
	var b strings.Builder
	for _, name := range e.Exceptions {
		fmt.Fprintf(&b, "excepted: %s\n", plain(name))
	}
	for _, g := range e.Gaps {
		fmt.Fprintf(&b, "not inspected: %s\n", gap(g))
	}
	return b.String()
}

// Bad writes a case with an error.
func (j *JUnit) Bad(at Place, err error) error {
	j.errors++
	c := newCase(at)
	if at.Document == 0 {
		c.Name = "the file"
	}
	c.Error = &outcome{Message: plain(err.Error()), Type: "input", Text: plain(at.String() + ": " + err.Error())}
	return j.write(c)
}

func (j *JUnit) write(c *testcase) error {
	j.tests++
	text, err := xml.MarshalIndent(c, "    ", "  ")
	if err == nil {
		_, err = j.w.Write(append(text, '\n'))
	}
	return j.wrap(err)
}

// End writes the file.
func (j *JUnit) End(*Totals) error {
	err := j.w.Flush()
	if err == nil {
		_, err = j.cases.Seek(0, io.SeekStart)
	}
	if err != nil {
		return j.wrap(err)
	}
	counts := fmt.Sprintf(`name="gatehouse scan" tests="%d" failures="%d" errors="%d"`, j.tests, j.failures, j.errors)
	out := bufio.NewWriter(j.out)
	fmt.Fprintf(out, "%s<testsuites %s>\n  <testsuite %s>\n", xml.Header, counts, counts)
	if _, err := io.Copy(out, j.cases); err != nil {
		return j.wrap(err)
	}
	fmt.Fprint(out, "  </testsuite>\n</testsuites>\n")
	return j.wrap(out.Flush())
}

// Close closes the files and removes what was kept aside.
func (j *JUnit) Close() error {
	_ = j.cases.Close()           // only read from
	_ = os.Remove(j.cases.Name()) // a leftover does no harm
	return j.wrap(j.out.Close())
}

func (j *JUnit) wrap(err error) error {
	if err != nil {
		return fmt.Errorf("writing JUnit: %w", err)
	}
	return nil
}
