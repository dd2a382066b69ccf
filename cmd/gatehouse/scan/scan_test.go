package scan_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/cmd/gatehouse/scan"
	"gatehouse/internal/detect/attack"
	"gatehouse/internal/policy"
)

const payload = "x' OR '1'='1' -- "

// run scans stdin, or files, and returns what is said.
func run(t testing.TB, s *scan.Scan, stdin io.Reader, names ...string) (text, errs string, totals *scan.Totals) {
	t.Helper()
	var out, bad bytes.Buffer
	s.Reports = append(s.Reports, &scan.Text{W: &out, Errors: &bad})
	if s.Policy == nil {
		s.Policy = policy.Default()
	}
	s.Engine, s.Stdin, s.Now = new(attack.Engine), stdin, time.Now()
	if len(names) == 0 {
		names = []string{scan.Stdin}
	}
	totals, err := s.Run(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), bad.String(), totals
}

func TestDocuments(t *testing.T) {
	bad := `{"q":"` + payload + `"}`
	for _, test := range []struct {
		name, in   string
		events     int
		at, errors []string // places of findings, errors
	}{
		{"one", bad, 1, []string{"-:1:6"}, nil},
		{"one, laid out", "{\n  \"a\": 1,\n  \"ü\": \"ü\", \"q\": \"" + payload + "\"\n}\n", 1, []string{"-:3:18"}, nil},
		{"lines", "{}\n" + bad + "\n\n" + bad, 3, []string{"-:2:6", "-:4:6"}, nil},
		{"lines of Windows", "\ufeff{}\r\n" + bad + "\r\n", 2, []string{"-:2:6"}, nil},
		{"one behind the other", "{}" + bad + `[]"a"1 2 true` + bad, 8, []string{"-:1:8", "-:1:46"}, nil},
		{"scalars", `"` + payload + `"` + "\n1\nnull", 3, []string{"-:1:1"}, nil},
		{"nothing", " \n\t\r\n", 0, nil, nil},
		{"empty", "", 0, nil, nil},
		{"a line that is no JSON", bad + "\nxyz {\n" + bad, 2, []string{"-:1:6", "-:3:6"}, []string{"-:2:1: malformed JSON: invalid character 'x'"}},
		{"a word in a line", `{"a":nul}` + "\n" + bad, 1, []string{"-:2:6"}, []string{"-:1:9: malformed JSON: invalid character '}' in literal null"}},
		{"a line cut short", `{"a":1` + "\n" + bad, 1, []string{"-:2:6"}, []string{"-:2:1: malformed JSON: invalid character '{' after object key:value pair, in the document that begins on line 1"}},
		{"a string cut short", `{"a":"é` + "\n" + bad, 1, []string{"-:2:6"}, []string{`-:1:8: malformed JSON: invalid character '\n' in string literal`}},
		{"the end cut off", bad + `{"a":[1,`, 1, []string{"-:1:6"}, []string{"-:1:34: malformed JSON: the document is not complete"}},
		{"brackets that do not fit", "{]\n" + bad, 1, []string{"-:2:6"}, []string{"-:1:2: malformed JSON"}},
		{"numbers without a gap", "[]00\n" + bad, 2, []string{"-:2:6"}, []string{"-:1:4: malformed JSON: more behind a number or word"}},
		{"closed and not opened", "}\n" + bad, 1, []string{"-:2:6"}, []string{"-:1:1: malformed JSON"}},
		{"an array cut in lines", "[\n{},\nx]\n" + bad, 1, []string{"-:4:6"}, []string{"-:3:1: malformed JSON: invalid character 'x' looking for beginning of value, in the document that begins on line 1"}},
		{"too long", bad + `["` + strings.Repeat("a", 200) + `"]` + bad, 1, []string{"-:1:6"}, []string{"-:1:26: the document is longer than 200 bytes; the rest of the file is not read"}},
		{"too long and malformed before", `[x` + strings.Repeat("a", 200) + `]`, 0, nil, []string{"-:1:2: malformed JSON"}},
		{"malformed again and again", strings.Repeat("{x}\n", 30), 0, nil, append(lines("-:%d:2: malformed JSON: invalid character 'x'", 20), "-:21:2: malformed JSON again; the rest of the file is not read")},
	} {
		for _, size := range []int{1, 1 << 20} { // read byte by byte, and at once
			t.Run(fmt.Sprintf("%s/%d", test.name, size), func(t *testing.T) {
				text, errs, totals := run(t, &scan.Scan{MaxDocument: 200}, &chunks{test.in, size})
				if totals.Events != test.events || totals.Bad != len(test.errors) {
					t.Errorf("%d events and %d bad, want %d and %d", totals.Events, totals.Bad, test.events, len(test.errors))
				}
				if got := places(text); fmt.Sprint(got) != fmt.Sprint(test.at) {
					t.Errorf("findings at %q, want %q in\n%s", got, test.at, text)
				}
				for i, line := range strings.Split(strings.TrimSpace(errs), "\n") {
					if i < len(test.errors) && !strings.HasPrefix(line, test.errors[i]) {
						t.Errorf("error %q, want %q", line, test.errors[i])
					}
				}
			})
		}
	}
}

func lines(format string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(format, i+1))
	}
	return all
}

// places lists where findings are, from the text that a person reads.
func places(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if at, _, ok := strings.Cut(line, ": critical: "); ok {
			all = append(all, at)
		}
	}
	return all
}

// chunks is a reader that gives so many bytes at a time.
type chunks struct {
	text string
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size)], c.text)
	c.text = c.text[n:]
	return n, nil
}

// endless never ends, and never closes what it has opened.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := copy(p, `["`[min(e.read, 2):]); i < len(p); i++ {
		p[i] = 'a'
	}
	e.read += len(p)
	return len(p), nil
}

func TestADocumentIsBounded(t *testing.T) {
	var in endless
	const most = 1 << 20
	_, errs, totals := run(t, &scan.Scan{MaxDocument: most}, &in)
	if totals.Events != 0 || !strings.HasPrefix(errs, "-:1:1: the document is longer than 1048576 bytes") {
		t.Errorf("%d events, %q", totals.Events, errs)
	}
	if in.read > 3*most {
		t.Errorf("read %d bytes of a document that may have %d", in.read, most)
	}
}

// folder makes files of name and content; a name that ends in .gz is packed.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			text = packed(t, text)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFiles(t *testing.T) {
	event := `{"q":"` + payload + `"}`
	dir := folder(t, map[string]string{
		"a.json": event, "b/c.JSONL": event + "\n" + event, "b/d.ndjson": "{}", "b/e.json.gz": event, "b/f.jsonl.gz": event,
		"b/notes.txt": event, "other": event, "packed": packed(t, event), "cut.gz.json": packed(t, event)[:20], "empty/readme.md": "",
	})
	if err := os.Symlink(filepath.Join(dir, "b"), filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for _, test := range []struct {
		names         []string
		files, events int
		findings      int
		errors        []string
	}{
		{[]string{dir}, 6, 6, 5, []string{"cut.gz.json:1:1: unexpected EOF", "link.json: is a link to a folder, which is not followed"}},
		{[]string{at("other"), at("packed"), at("b/notes.txt")}, 3, 3, 3, nil},
		{[]string{at("link.json")}, 4, 5, 4, nil},
		{[]string{at("nowhere"), at("a.json")}, 1, 1, 1, []string{"nowhere: no such file or directory"}},
		{[]string{at("empty")}, 0, 0, 0, []string{"empty: holds no .json, .jsonl or .ndjson file"}},
	} {
		_, errs, totals := run(t, new(scan.Scan), nil, test.names...)
		if totals.Files != test.files || totals.Events != test.events || totals.Findings != test.findings || totals.Bad != len(test.errors) {
			t.Errorf("%q: %s", test.names, totals)
		}
		for _, want := range test.errors {
			if !strings.Contains(errs, want) {
				t.Errorf("%q: %q, want %q", test.names, errs, want)
			}
		}
	}
}

func TestPackedStdin(t *testing.T) {
	if _, _, totals := run(t, new(scan.Scan), strings.NewReader(packed(t, `{"q":"`+payload+`"}`))); totals.Findings != 1 {
		t.Error(totals)
	}
}

func TestWhatIsShown(t *testing.T) {
	for _, test := range []struct{ event, want string }{
		{`{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"` + payload + `"}}]}`, "sns: Records[0].Sns.Message\n    >>>" + payload + "<<<\n"},
		{`{"q":"eCcgT1IgJzEnPScxJyAtLSA="}`, "direct: q › base64\n    >>>x' OR '1'='1' -- <<<\n"},
		{`{"q":"` + payload + `\u001b[31m\u0007\u009b\u202e\u0000"}`, `>>>` + payload + `\x1b[31m\x07\u009b\u202e\x00<<<`},
		{`{"a\u001b[0m":"` + payload + `"}`, `direct: ["a\x1b[0m"]`},
	} {
		text, _, _ := run(t, new(scan.Scan), strings.NewReader(test.event))
		if !strings.Contains(text, test.want) {
			t.Errorf("%s gives\n%s, want %q", test.event, text, test.want)
		}
	}
}

func TestColor(t *testing.T) {
	var out bytes.Buffer
	s := &scan.Scan{Reports: []scan.Report{&scan.Text{W: &out, Errors: io.Discard, Color: true}}}
	run(t, s, strings.NewReader(`{"q":"`+payload+`\u001b[31m"}`))
	if want := "\x1b[1;37;41m" + payload + `\x1b[31m` + "\x1b[0m"; !strings.Contains(out.String(), want) {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestQuiet(t *testing.T) {
	var out bytes.Buffer
	s := &scan.Scan{Reports: []scan.Report{&scan.Text{W: &out, Errors: io.Discard, Quiet: true}}}
	run(t, s, strings.NewReader(`{"q":"`+payload+`"}`))
	if want := "1 event in 1 file, 1 finding in 1 event\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestExceptions(t *testing.T) {
	p, err := policy.Parse([]byte(`version: 1
events:
  exceptions:
    - {rule: sqli.tautology, path: "list[*].q", reason: known}
    - {rule: sqli.tautology, path: q, until: 2020-01-01, reason: over}
`))
	if err != nil {
		t.Fatal(err)
	}
	in := `{"list":[{"q":"` + payload + `"},{"q":"` + payload + `"}]}{"q":"` + payload + `"}`
	text, _, totals := run(t, &scan.Scan{Policy: p}, strings.NewReader(in))
	if totals.Findings != 1 || totals.Excepted != 2 || len(places(text)) != 1 {
		t.Errorf("%s in\n%s", totals, text)
	}
	if want := "2 events in 1 file, 1 finding in 1 event, 2 excepted by the policy (sqli.tautology@list[*].q)\n"; !strings.HasSuffix(text, want) {
		t.Errorf("summary of\n%s\nwant %s", text, want)
	}
}

// What was not inspected is said, event by event and in the summary.
func TestGaps(t *testing.T) {
	text, _, totals := run(t, new(scan.Scan), strings.NewReader(strings.Repeat("[", 2000)+strings.Repeat("]", 2000)))
	if totals.Gaps["depth"] != 1 || !strings.Contains(text, "-:1:1: not inspected: depth") ||
		!strings.HasSuffix(text, "1 event not wholly inspected (depth)\n") {
		t.Errorf("%+v in\n%s", totals, text)
	}
}

func TestJSON(t *testing.T) {
	var out, errs bytes.Buffer
	s := &scan.Scan{Reports: []scan.Report{&scan.JSON{W: &out, Errors: &errs}}}
	event := `{"Records":[{"EventSource":"aws:sns","Sns":{"TopicArn":"arn:aws:sns:eu-west-1:123456789012:orders","Message":"` + payload + `\u009b\u007f\ud83d\ude00\udb40\udc01"}}]}`
	run(t, s, strings.NewReader("{}\n "+event))
	if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		t.Errorf("a terminal would act on %q", out.String())
	}
	var line scan.Line
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	line.Score = 0 // the engine's business
	want := scan.Line{
		File: "-", Document: 2, Line: 2, Column: 2 + strings.Index(event, `"`+payload), WouldAction: "blocked",
		SignatureID: "sqli.tautology", Signature: "SQL injection: tautology", Category: "sqli", Severity: "critical",
		EventSource: "sns", Src: "arn:aws:sns:eu-west-1:123456789012:orders", Path: "Records[0].Sns.Message",
		Matched: payload + "\u009b\u007f\U0001f600\U000e0001", EventBytes: len(event), EventSHA256: line.EventSHA256,
	}
	if fmt.Sprint(line) != fmt.Sprint(want) {
		t.Errorf("line\n%+v, want\n%+v", line, want)
	}
	if want := "2 events in 1 file, 1 finding in 1 event\n"; errs.String() != want {
		t.Errorf("stderr %q, want %q", errs.String(), want)
	}
}

// suites is what a CI system reads.
type suites struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Cases    []struct {
		Name    string `xml:"name,attr"`
		Failure string `xml:"failure"`
		Error   string `xml:"error"`
		Output  string `xml:"system-out"`
	} `xml:"testsuite>testcase"`
}

func junit(t testing.TB, in string) suites {
	t.Helper()
	at := filepath.Join(t.TempDir(), "out.xml")
	j, err := scan.NewJUnit(at)
	if err != nil {
		t.Fatal(err)
	}
	run(t, &scan.Scan{Reports: []scan.Report{j}}, strings.NewReader(in))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	var s suites
	if err := xml.Unmarshal(text, &s); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return s
}

func TestJUnit(t *testing.T) {
	got := junit(t, `{"q":"`+payload+`\u0000\u0008\ufffe]]> & <b>\ud800","r":"`+payload+`"}`+"\n{}\n{\n"+strings.Repeat("[", 2000)+strings.Repeat("]", 2000))
	if got.Tests != 4 || got.Failures != 1 || got.Errors != 1 || len(got.Cases) != 4 {
		t.Fatalf("%+v", got)
	}
	for i, want := range []string{"event 1, direct", "event 2, direct", "event 3", "event 4, direct"} {
		if got.Cases[i].Name != want {
			t.Errorf("case %d is %q, want %q", i, got.Cases[i].Name, want)
		}
	}
	if f := got.Cases[0].Failure; !strings.Contains(f, payload+`\x00\x08\ufffe]]> & <b>`) || strings.Count(f, "sqli.tautology") != 2 {
		t.Errorf("failure %q", f)
	}
	if e := got.Cases[2].Error; !strings.HasPrefix(e, "-:4:1: malformed JSON") {
		t.Errorf("error %q", e)
	}
	if o := got.Cases[3].Output; !strings.Contains(o, "not inspected: depth") {
		t.Errorf("output %q", o)
	}
}

func TestAScanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := scan.Scan{Engine: new(attack.Engine), Policy: policy.Default(), Stdin: strings.NewReader("{}")}
	if _, err := s.Run(ctx, []string{scan.Stdin}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v", err)
	}
}

func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"q":"` + payload + `"}`, "{}\n[]\n1 2\"a\"", "{\"a\":\n", "\ufeff[", "}{", "[\"\xff\x1b[31m" + payload + "\"]", "\x1f\x8b", "{]\n{}",
	} {
		f.Add([]byte(seed), 7)
	}
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		var out, errs bytes.Buffer
		s := &scan.Scan{MaxDocument: 1 << 20, Reports: []scan.Report{&scan.JSON{W: &out, Errors: &errs}}}
		text, bad, totals := run(t, s, &chunks{string(in), size&0xff + 1})
		if strings.ContainsFunc(text+bad+out.String()+errs.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) || !utf8.ValidString(text) {
			t.Fatalf("a terminal would act on %q", text+bad)
		}
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != totals.Findings {
			t.Fatalf("%d lines of JSON, %d findings", n, totals.Findings)
		}
		for line := range bytes.Lines(out.Bytes()) {
			if !json.Valid(line) {
				t.Fatalf("not JSON: %q", line)
			}
		}
		n, err := decoded(in)
		switch {
		case errors.Is(err, errAbut):
		case err == nil && (totals.Events != n || totals.Bad != 0):
			t.Fatalf("%s, where encoding/json reads %d", totals, n)
		case err != nil && totals.Bad == 0:
			t.Fatalf("%s, where encoding/json says %v", totals, err)
		}
		if got := junit(t, string(in)); got.Tests != totals.Events+totals.Bad {
			t.Fatalf("%d test cases, %s", got.Tests, totals)
		}
	})
}

// errAbut is 00, or 1true: two documents for encoding/json, malformed for us.
var errAbut = errors.New("a number or word and something else without a gap")

// decoded counts the documents that encoding/json reads.
func decoded(in []byte) (n int, err error) {
	if bytes.HasPrefix(in, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(in))
		if err != nil {
			return 0, err
		}
		if in, err = io.ReadAll(z); err != nil {
			return 0, err
		}
	}
	in = bytes.TrimPrefix(in, []byte("\ufeff"))
	d := json.NewDecoder(bytes.NewReader(in))
	for ; ; n++ {
		var doc json.RawMessage
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		rest := in[d.InputOffset():]
		if !bytes.ContainsAny(doc[len(doc)-1:], `"]}`) && len(rest) > 0 && !bytes.ContainsAny(rest[:1], " \t\r\n{[\"") {
			return n, errAbut
		}
	}
}
