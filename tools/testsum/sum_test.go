package main

import (
	"strings"
	"testing"
)

func TestSum(t *testing.T) {
	const (
		pass    = `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}` + "\n"
		skip    = `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: no chromium: page\n"}` + "\n" + `{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}` + "\n" + `{"Action":"skip","Package":"p","Test":"TestB"}` + "\n"
		fail    = `{"Action":"output","Package":"p","Test":"TestC","Output":"got 1\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestC"}` + "\n"
		pkgFail = `{"Action":"output","Package":"p","Output":"panic: x\n"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n"
		died    = `{"Action":"output","Package":"p","Test":"TestD","Output":"panic: test timed out after 10m0s\n"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n"
		noTests = `{"Action":"skip","Package":"q"}` + "\n"
	)
	for _, c := range []struct {
		name, in string
		strict   bool
		want     string // the closing line
		says     string // and what else is printed
	}{
		{"nothing", "", false, "0 passed, 0 failed, 0 skipped", ""},
		{"a pass", pass, false, "1 passed, 0 failed, 0 skipped", ""},
		{"a skip is named", pass + skip, false, "1 passed, 0 failed, 1 skipped", "skipped: p.TestB: no chromium: page"},
		{"strict", pass + skip, true, "1 passed, 1 failed, 0 skipped", "skipped, and so failed: p.TestB: no chromium: page"},
		{"a failure shows its output", fail + pkgFail, false, "0 passed, 1 failed, 0 skipped", "got 1"},
		{"a package that died counts once", pass + pkgFail, false, "1 passed, 1 failed, 0 skipped", "panic: x"},
		{"a test that did not end shows its output", died, false, "0 passed, 1 failed, 0 skipped", "did not end: p.TestD\npanic: test timed out"},
		{"no tests, no skip", noTests, true, "0 passed, 0 failed, 0 skipped", ""},
		{"no JSON", "warning\n" + pass, false, "1 passed, 0 failed, 0 skipped", "warning\n"},
		{"the last line has no end", strings.TrimSpace(pass), false, "1 passed, 0 failed, 0 skipped", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			s := Sum{Out: &out, Strict: c.strict}
			if err := s.Read(strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			s.Close()
			if got := s.String(); got != c.want {
				t.Errorf("closing line %q, want %q", got, c.want)
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("printed %q, want it to say %q", out.String(), c.says)
			}
		})
	}
}

// The output kept for one test is bounded.
func TestTail(t *testing.T) {
	var kept tail
	for range 100_000 {
		kept.add("0123456789abcdef\n")
	}
	if got := len(kept.lines); got > 2*maxKept {
		t.Errorf("kept %d bytes, want at most %d", got, 2*maxKept)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"Action":"skip","Package":"p","Test":"T"}`)
	f.Add("no JSON")
	f.Fuzz(func(t *testing.T, in string) {
		var out strings.Builder
		s := Sum{Out: &out}
		if err := s.Read(strings.NewReader(in)); err != nil {
			t.Fatal(err)
		}
		s.Close()
	})
}
