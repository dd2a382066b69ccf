package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// program is this command, built as it ships.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatehouse-scan-test-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "gatehouse")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return bin, nil
})

// scanned is what a run of gatehouse came to.
type scanned struct {
	stdout, stderr string
	exit           int
}

func scanWith(t *testing.T, stdin string, args ...string) scanned {
	t.Helper()
	return runWith(t, stdin, append([]string{"scan"}, args...)...)
}

func runPolicy(t *testing.T, args ...string) scanned {
	t.Helper()
	return runWith(t, "", append([]string{"policy"}, args...)...)
}

// runWith runs gatehouse with args.
func runWith(t *testing.T, stdin string, args ...string) scanned {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), bin, args...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return scanned{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return at
}

const (
	sqlEvent    = `{"name":"x' OR '1'='1' -- "}`
	sqlRule     = "sqli.tautology"
	benignEvent = `{"name":"O'Brien"}`
)

func TestScanProcess(t *testing.T) {
	bad, good, broken := write(t, "bad.json", sqlEvent), write(t, "good.json", benignEvent), write(t, "broken.json", `{"name":`)
	except := write(t, "policy.yaml", "version: 1\nmode: enforce\nevents: {exceptions: [{rule: "+sqlRule+", path: name, reason: known}]}")
	expired := write(t, "expired.yaml", "version: 1\nevents: {exceptions: [{rule: "+sqlRule+", path: name, until: 2020-01-01, reason: known}]}")
	wrong := write(t, "wrong.yaml", "version: 1\nmodus: enforce")
	unoffered := write(t, "unoffered.yaml", "version: 1\nevents: {refuse: {kinesis: fail}}")
	for _, test := range []struct {
		name, stdin    string
		args           []string
		exit           int
		stdout, stderr string // of each a part
	}{
		{"nothing found", "", []string{good}, 0, "1 event in 1 file, 0 findings\n", ""},
		{"found", "", []string{good, bad}, 1, bad + ":1:9: critical: SQL injection: tautology (" + sqlRule + ")\n    direct: name\n", ""},
		{"stdin without arguments", sqlEvent, nil, 1, "-:1:9: critical", ""},
		{"stdin by name", sqlEvent, []string{"-"}, 1, "-:1:9: critical", ""},
		{"malformed, and found all the same", "", []string{broken, bad}, 2, bad + ":1:9: critical", broken + ":1:9: malformed JSON: the document is not complete"},
		{"no such file, and found all the same", "", []string{bad + ".no", bad}, 2, bad + ":1:9: critical", bad + ".no: no such file or directory"},
		{"a document of more than 64 MiB", `["` + strings.Repeat("a", 64<<20) + `"]`, nil, 2, "0 events", "-:1:1: the document is longer than 67108864 bytes"},
		{"excepted", "", []string{"--policy", except, bad}, 0, "1 excepted by the policy (" + sqlRule + "@name)", ""},
		{"exception that is over", "", []string{"--policy", expired, bad}, 1, "critical", "the exception " + sqlRule + "@name has expired"},
		{"policy that asks for what a source does not offer", "", []string{"--policy", unoffered, bad}, 2, "", "events.refuse.kinesis: kinesis offers drop, error, not fail"},
		{"policy with a mistake", "", []string{"--policy", wrong, bad}, 2, "", `unknown key "modus"`},
		{"summary alone", "", []string{"--quiet", bad}, 1, "1 event in 1 file, 1 finding in 1 event\n", ""},
		{"detect", "", []string{"--profile", "detect", bad}, 1, sqlRule, ""},
		{"no profile", "", []string{"--profile", "strict", bad}, 2, "", "want block or detect"},
		{"in colour", "", []string{"--color", "always", bad}, 1, "\x1b[1;37;41m", ""},
		{"not in colour", "", []string{"--color", "never", bad}, 1, ">>>", ""},
		{"JUnit that cannot be written", "", []string{"--junit", filepath.Join(bad, "no"), bad}, 2, "", "--junit: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := scanWith(t, test.stdin, test.args...)
			if got.exit != test.exit || !strings.Contains(got.stdout, test.stdout) || !strings.Contains(got.stderr, test.stderr) {
				t.Errorf("exit %d, stdout %.500q, stderr %.500q; want %d, %q, %q", got.exit, got.stdout, got.stderr, test.exit, test.stdout, test.stderr)
			}
			if test.stderr == "" && got.stderr != "" {
				t.Errorf("stderr %q", got.stderr)
			}
		})
	}
}

func TestScanProcessForPrograms(t *testing.T) {
	at := filepath.Join(t.TempDir(), "findings.xml")
	got := scanWith(t, benignEvent+"\n"+sqlEvent+"\n{", "--json", "--junit", at)
	var line struct {
		Line        int    `json:"line"`
		SignatureID string `json:"signature_id"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &line); err != nil || line.Line != 2 || line.SignatureID != sqlRule || got.exit != 2 {
		t.Errorf("exit %d, %v in stdout %q", got.exit, err, got.stdout)
	}
	if !strings.HasSuffix(got.stderr, "2 events in 1 file, 1 finding in 1 event, 1 input bad\n") {
		t.Errorf("stderr %q", got.stderr)
	}
	text, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
	}
	if err := xml.Unmarshal(text, &suites); err != nil || suites.Tests != 3 || suites.Failures != 1 || suites.Errors != 1 {
		t.Errorf("%+v, %v", suites, err)
	}
}
