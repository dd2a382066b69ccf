package emulator_test

import (
	"bytes"
	"strings"
	"testing"

	"gatehouse/internal/emulator"
)

func TestSplitFrames(t *testing.T) {
	text := []byte("\xa5\x5a\x00\x03\x00\x00\x00\x04timetimea\nb\n")
	for _, c := range []struct {
		in, line string
		used     int
	}{
		{string(text), "a\nb", len(text)},
		{string(text) + "more", "a\nb", len(text)},
		{string(text[:len(text)-1]), "", 0},
		{string(text[:7]), "", 0},
		{"\xa5\x5a\x00\x01\x00\x00\x00\x02hi", "hi", 10},
		{"\xa5\x5a\x00\x17\x00\x00\x00\x00timetime", "", 16},
		{"no frame", "no frame", 8},
		{"\xa5\x5a\x00\x01\x7f\xff\xff\xffhi", "\xa5\x5a\x00\x01\x7f\xff\xff\xffhi", 10},
	} {
		line, used := emulator.SplitFrames([]byte(c.in))
		if string(line) != c.line || used != c.used {
			t.Errorf("SplitFrames(%q) = %q, %d, want %q, %d", c.in, line, used, c.line, c.used)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("one\ntwo"))
	f.Add([]byte("\xa5\x5a\x00\x03\x00\x00\x00\x04timetimea\nb\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, split := range []func([]byte) ([]byte, int){emulator.SplitLines, emulator.SplitFrames} {
			for rest := p; ; {
				line, used := split(rest)
				if used == 0 {
					break
				}
				if used > len(rest) || len(line) > used || !bytes.Contains(rest[:used], line) {
					t.Fatalf("%q: line %q of %d bytes", rest, line, used)
				}
				rest = rest[used:]
			}
		}
	})
}

func TestParseSubscription(t *testing.T) {
	const good = `{"schemaVersion":"2022-12-13","types":["platform"],"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:80"}}`
	for _, c := range []struct{ old, new, want string }{
		{"", "", ""},
		{`,"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25}`, "", ""},
		{"{", "", "JSON"},
		{"2022-12-13", "2023-01-01", "schemaVersion"},
		{`["platform"]`, `[]`, "types"},
		{`"platform"`, `"plan"`, `unknown type "plan"`},
		{"1000", "999", "maxItems: 999"},
		{"1000", "10001", "maxItems: 10001"},
		{"262144", "262143", "maxBytes"},
		{"25}", "24}", "timeoutMs"},
		{`"destination"`, `"direction"`, "destination"},
	} {
		err := emulator.ParseSubscription([]byte(strings.Replace(good, c.old, c.new, 1)))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: %v, want %q", c.new, c.old, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"events":["INVOKE"]}`))
	f.Add([]byte(`{"schemaVersion":"2022-12-13","types":["platform"],"destination":{"protocol":"TCP","port":1}}`))
	f.Fuzz(func(_ *testing.T, p []byte) {
		_ = emulator.ParseRegistration(p) // that it returns is all there is to see
		_ = emulator.ParseSubscription(p)
	})
}
