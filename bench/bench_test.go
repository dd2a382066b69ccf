package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestEventHasItsSize(t *testing.T) {
	for _, size := range sizes {
		e := event(size.bytes)
		if off := float64(len(e))/float64(size.bytes) - 1; off < -0.5 || off > 0.5 {
			t.Errorf("event(%d) has %d bytes", size.bytes, len(e))
		}
		if !json.Valid(e) {
			t.Errorf("event(%d) is no JSON", size.bytes)
		}
		if !bytes.Equal(e, event(size.bytes)) {
			t.Errorf("event(%d) differs from time to time", size.bytes)
		}
	}
}

// A lane with nothing in between carries events and counts each.
func TestDirectLane(t *testing.T) {
	api, err := NewLambda()
	if err != nil {
		t.Fatal(err)
	}
	l := &lane{name: "direct", api: api, url: "http://" + api.addr}
	defer l.close()
	if err := send([]*lane{l}, event(64<<10), 5); err != nil {
		t.Fatal(err)
	}
	if len(l.took) != 5 {
		t.Errorf("%d samples, want 5", len(l.took))
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		samples []float64
		want    float64
	}{
		{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5},
	} {
		if got := median(c.samples); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.samples, got, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	var r Report
	r.Judge("reached", 1, 1)
	if !r.OK() {
		t.Error("a goal that was reached counts as missed")
	}
	r.Judge("missed", 1.1, 1)
	if r.OK() {
		t.Error("a goal that was missed counts as reached")
	}
	row := r.Add("ours", "cpu", "full speed", "ms", []float64{3, 1, 5})
	if row.P50 != 3 || row.Min != 1 || row.Mean != 3 || row.Max != 5 || row.N != 3 {
		t.Errorf("row %+v", row)
	}
	var table, line strings.Builder
	r.Print(&table)
	if err := r.JSON(&line); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "MISSED") || strings.Count(line.String(), "\n") != 1 {
		t.Errorf("printed %q and %q", &table, &line)
	}
}

func TestV1Path(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "/",
		"0::/a\n":                           "/",
		"no line:":                          "/",
		"7:memory:/m\n4:cpu,cpuacct:/a/b\n": "/a/b",
		"4:cpuset:/x\n3:cpu:/":              "/",
	} {
		if got := v1Path(text); got != want {
			t.Errorf("v1Path(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzV1Path(f *testing.F) {
	f.Add("4:cpu,cpuacct:/a/b\n")
	f.Fuzz(func(t *testing.T, text string) {
		if v1Path(text) == "" && !strings.Contains(text, "cpu") {
			t.Errorf("v1Path(%q) is empty", text)
		}
	})
}
