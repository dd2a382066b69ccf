package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeSet makes a data set of our own lines.
func writeSet(t *testing.T, dir, name string, lines ...string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, name+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z := gzip.NewWriter(file)
	if _, err := io.WriteString(z, strings.Join(lines, "\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDetection(t *testing.T) {
	dir := t.TempDir()
	writeSet(t, dir, "httpparams",
		`{"p":"a red umbrella","cat":"benign","y":0}`,
		`{"p":"' UNION SELECT pin FROM cards -- ","cat":"sqli","y":1}`,
		`{"p":"nothing at all","cat":"sqli","y":1}`,
	)
	writeSet(t, dir, "aws-events", `{"src":"own","event":{"Records":[{"body":"hello"}]}}`)
	path := filepath.Join(dir, "floors")
	table := "# head\nholds block httpparams benign 0\npending block httpparams sqli 10%\nholds block httpparams sqli 50%\nholds block sqlmap sqli 3\n"
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	d := detection{data: dir, floors: path, ours: true, halves: true, misses: "httpparams/sqli", sets: "httpparams,aws-events,fortunes"}
	report, err := d.measure(programs{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Goals) != 2 || !report.Goals[0].OK || report.Goals[1].OK || report.Goals[1].Got != 1 || report.Goals[1].Want != 0 {
		t.Errorf("goals = %+v, want one reached and one missed by 1", report.Goals)
	}
	if len(report.Skipped) != 1 || !strings.Contains(report.Skipped[0], "fortunes") {
		t.Errorf("skipped = %q, want fortunes", report.Skipped)
	}
	var out strings.Builder
	report.Print(&out)
	for _, want := range []string{"50.00 (1)", "100.00 (0)", `"nothing at all"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed %s\nwithout %s", &out, want)
		}
	}
}

func TestFloors(t *testing.T) {
	if _, err := readFloors("../internal/detect/attack/testdata/floors.txt"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"holds block a b", "holds block a b x%", "holds block a b 1\nholds block a b 1%"} {
		path := filepath.Join(t.TempDir(), "floors")
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if all, err := readFloors(path); err == nil {
			t.Errorf("readFloors(%q) = %+v, want an error", bad, all)
		}
	}
	f := floor{wrong: 0.25, percent: true}
	if got := f.atMost(50420); got != 126 {
		t.Errorf("0.25 %% of 50420 = %v, want 126", got)
	}
}

func TestEvenly(t *testing.T) {
	c := &class{}
	for range 3941 {
		c.rows = append(c.rows, &row{})
	}
	some := c.evenly(battery)
	if len(some.rows) != battery || some.rows[0] != c.rows[0] || some.rows[battery-1] != c.rows[3937] {
		t.Errorf("%d rows, not evenly", len(some.rows))
	}
}

// The yardsticks find what they are known to find, and what they do is judged
// over the rows that they saw.
func TestYardsticks(t *testing.T) {
	dir := t.TempDir()
	writeSet(t, dir, "httpparams",
		`{"p":"a red umbrella","cat":"benign","y":0}`,
		`{"p":"' UNION SELECT pin FROM cards -- ","cat":"sqli","y":1}`,
		`{"p":"%27%20UNION%20SELECT%20pin%20FROM%20cards%20--%20","cat":"sqli","y":1}`,
	)
	writeSet(t, dir, "aws-events", `{"src":"own","event":{"a":"1","<script>alert(7)</script>":[{"b":"2"}]}}`)
	path := filepath.Join(dir, "floors")
	table := "holds block httpparams benign 0\nholds block httpparams sqli 10%\n"
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	d := detection{data: dir, floors: path, sets: "httpparams,aws-events"}
	report := new(Report)
	if err := d.judgeSets(report); err != nil {
		t.Fatal(err)
	}
	want := []flags{0, flagLibinjection | flagCRS1 | flagCRS2, flagCRS1 | flagCRS2, flagLibinjection | flagCRS1 | flagCRS2}
	for i, r := range d.rows {
		if got := r.flags &^ (flagBlock | flagDetect); got != want[i]|sampled {
			t.Errorf("%q: flags %b, want %b", r.text, got, want[i]|sampled)
		}
	}
	if len(report.Goals) != 5 {
		t.Errorf("goals = %+v, want two floors, sqli beside CRS, all of it, and false positives", report.Goals)
	}
	if n := len(report.Rows); n != 3*5 {
		t.Errorf("%d rows in the report, want 15", n)
	}
}

func TestGap(t *testing.T) {
	c := &class{}
	for _, f := range []flags{flagDetect | flagCRS2, flagCRS2, flagCRS2, flagDetect} {
		c.rows = append(c.rows, &row{attack: true, flags: f})
	}
	if got := c.gap(); got != 25 {
		t.Errorf("gap = %v points, want 25", got)
	}
}
