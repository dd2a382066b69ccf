package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// detection says what scripts/bench detect measures, and how.
type detection struct {
	data, floors string // paths
	sets         string // names with commas between; "" means all
	ours         bool   // no yardsticks
	full         bool   // Coraza judges every row, not a sample
	cost         bool   // nothing but costs
	halves       bool   // even and odd rows apart
	misses       string // "SET/CLASS" whose wrong rows are printed

	rows    []*row
	classes []*class
	columns []column
}

// column is one judge's in the table.
type column struct {
	name string
	flag flags
	some bool // it judged a sample
}

// define declares the flags.
func (d *detection) define(f *flag.FlagSet) {
	f.StringVar(&d.data, "data", "", "`folder` of the data sets")
	f.StringVar(&d.floors, "floors", "", "`path` of the engine's floors")
	f.StringVar(&d.sets, "sets", "", "detect: these data `sets` only, with commas between")
	f.BoolVar(&d.ours, "ours", false, "detect: no yardsticks, no costs")
	f.BoolVar(&d.full, "full", false, "detect: Coraza judges every row, not a sample")
	f.BoolVar(&d.halves, "halves", false, "detect: even and odd rows apart too")
	f.BoolVar(&d.cost, "cost", false, "detect: the costs only")
	f.StringVar(&d.misses, "misses", "", "detect: print the rows of `SET/CLASS` that are judged wrongly")
}

// measure judges the data sets, and what the engine costs.
func (d *detection) measure(p programs, n int) (*Report, error) {
	report := &Report{Bench: "detect"}
	if !d.cost {
		if err := d.judgeSets(report); err != nil {
			return nil, err
		}
	}
	var all []cost
	if !d.ours {
		benignCosts(report)
		if err := weigh(report, p, n); err != nil {
			return nil, err
		}
		all = costs(report)
		judgeCosts(report, all)
	}
	report.table = func(out io.Writer) { d.print(out, report, all) }
	return report, nil
}

// judgeSets judges the data sets.
func (d *detection) judgeSets(report *Report) error {
	names, err := d.names()
	if err != nil {
		return err
	}
	floors, err := readFloors(d.floors)
	if err != nil {
		return err
	}
	rows, absent, err := readSets(d.data, names)
	if err != nil {
		return err
	}
	for _, name := range absent {
		report.Skipped = append(report.Skipped, fmt.Sprintf("no data set %q in %s", name, d.data))
	}
	d.rows, d.classes = rows, classesOf(rows)
	d.columns = []column{{"ours block", flagBlock, false}, {"ours detect", flagDetect, false}}
	forEach(rows, judgeOurs)
	d.judge(report, floors)
	if !d.ours {
		if err := d.yardsticks(); err != nil {
			return err
		}
		d.judgeBeside(report, floors)
	}
	d.addRows(report)
	return nil
}

// names are the sets to read.
func (d *detection) names() ([]string, error) {
	if set, _, ok := strings.Cut(d.misses, "/"); ok && d.sets == "" {
		d.sets = set
	} else if d.misses != "" && !ok {
		return nil, fmt.Errorf("-misses %q: want SET/CLASS", d.misses)
	}
	if d.sets == "" {
		return dataSets, nil
	}
	names := strings.Split(d.sets, ",")
	for _, name := range names {
		if !slices.Contains(dataSets, name) {
			return nil, fmt.Errorf("no data set %q, there are %s", name, strings.Join(dataSets, ", "))
		}
	}
	return names, nil
}

// forEach gives every row to a judge, of which there is one on each core.
func forEach(rows []*row, newJudge func() func(*row)) {
	const few = 64
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			judge := newJudge()
			for {
				from := int(next.Add(few)) - few
				if from >= len(rows) {
					return
				}
				for _, r := range rows[from:min(from+few, len(rows))] {
					judge(r)
				}
			}
		})
	}
	wg.Wait()
}

// judgeOurs asks the engine, in both profiles.
func judgeOurs() func(*row) {
	block, weak := attack.Engine{Profile: attack.Block}, attack.Engine{Profile: attack.Detect}
	var result detect.Result
	return func(r *row) {
		event := r.event()
		result.Reset()
		weak.Inspect(event, weak.Source(event), &result, nil)
		for i := range result.Findings {
			r.flags |= flagDetect
			r.rule = result.Findings[i].RuleID
		}
		result.Reset()
		block.Inspect(event, block.Source(event), &result, nil)
		for i := range result.Findings {
			if !result.Findings[i].Weak {
				r.flags |= flagBlock
				r.rule = result.Findings[i].RuleID
			}
		}
	}
}

// sampleOf is how many rows of a class Coraza judges, which takes milliseconds for
// each.
const sampleOf = 2000

// yardsticks asks the others.
func (d *detection) yardsticks() error {
	waf, err := newWAF()
	if err != nil {
		return err
	}
	var some []*row
	for _, c := range d.classes {
		if n := sampleOf; !d.full && len(c.rows) > n {
			c = c.evenly(n)
		}
		some = append(some, c.rows...)
	}
	forEach(d.rows, judgeLibinjection)
	forEach(some, judgeCRS(waf))
	d.columns = append(d.columns,
		column{"libinjection", flagLibinjection, false}, column{"CRS paranoia 1", flagCRS1, true}, column{"CRS paranoia 2", flagCRS2, true})
	return nil
}

// addRows adds every figure of the table to the report, in percent of rows
// flagged.
func (d *detection) addRows(report *Report) {
	for _, c := range d.classes {
		for _, col := range d.columns {
			n, wrong := d.part(c, col).count(col.flag)
			flagged := percent(wrong, n)
			if c.attack() {
				flagged = 100 - flagged
			}
			row := report.Add(col.name, c.set+"/"+c.name, "flagged", "%", []float64{flagged})
			row.N = n
			report.Rows[len(report.Rows)-1] = row
		}
	}
}

// part is what of c the judge of col saw.
func (d *detection) part(c *class, col column) *class {
	if !col.some {
		return c
	}
	return c.only(func(_ int, r *row) bool { return r.flags&sampled != 0 })
}

func percent(part, of int) float64 { return 100 * float64(part) / float64(max(of, 1)) }

// battery is how many of sqlmap's plain rows stand for one run of it.
const battery = 1300

// find returns the rows that a floor is about; nil where they are absent.
func (d *detection) find(f *floor) *class {
	if f.set == "sqlmap" && f.class == "battery" {
		plain := d.find(&floor{set: f.set, class: "sqli"})
		if plain == nil {
			return nil
		}
		return plain.evenly(battery)
	}
	for _, c := range d.classes {
		if c.set == f.set && c.name == f.class {
			return c
		}
	}
	return nil
}

// evenly returns n rows of c at equal distances; all where there are fewer.
func (c *class) evenly(n int) *class {
	if len(c.rows) <= n {
		return c
	}
	some := &class{set: c.set, name: c.name}
	for i := range n {
		some.rows = append(some.rows, c.rows[i*len(c.rows)/n])
	}
	return some
}

// judge adds the goals.
func (d *detection) judge(report *Report, floors []floor) {
	profiles := map[string]flags{"block": flagBlock, "detect": flagDetect}
	for _, f := range floors {
		c := d.find(&f)
		if c == nil {
			continue
		}
		n, wrong := c.count(profiles[f.profile])
		what := "flagged"
		if c.attack() {
			what = "missed"
		}
		report.Judge(fmt.Sprintf("%s: %s of %s/%s, n %d", f.profile, what, f.set, f.class, n), float64(wrong), f.atMost(n))
	}
}

// print writes the tables for people.
func (d *detection) print(out io.Writer, report *Report, costs []cost) {
	if !d.cost {
		d.printSets(out)
	}
	if !d.ours {
		printWeights(out, report)
		printCosts(out, costs)
	}
}

// printSets writes the share flagged and, in brackets, how many rows are judged
// wrongly.
func (d *detection) printSets(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "set\tclass\tn\twrong is")
	for _, col := range d.columns {
		if col.flag == flagCRS1 {
			fmt.Fprint(w, "\tof which")
		}
		fmt.Fprintf(w, "\t%s", col.name)
		if d.halves {
			fmt.Fprint(w, "\teven rows\todd rows")
		}
	}
	fmt.Fprintln(w)
	for _, c := range d.classes {
		d.line(w, c)
	}
	_ = w.Flush() // out is a terminal
	fmt.Fprintln(out, "percent flagged (rows judged wrongly)")
	d.printMisses(out)
	fmt.Fprintln(out)
}

func (d *detection) line(w io.Writer, c *class) {
	wrong := "flagged"
	if c.attack() {
		wrong = "missed"
	}
	fmt.Fprintf(w, "%s\t%s\t%d\t%s", c.set, c.name, len(c.rows), wrong)
	for _, col := range d.columns {
		if col.flag == flagCRS1 {
			fmt.Fprintf(w, "\t%d", len(d.part(c, col).rows))
		}
		fmt.Fprintf(w, "\t%s", d.part(c, col).cell(col.flag))
		if d.halves {
			half := func(odd int) *class {
				return d.part(c.only(func(i int, _ *row) bool { return i%2 == odd }), col)
			}
			fmt.Fprintf(w, "\t%s\t%s", half(0).cell(col.flag), half(1).cell(col.flag))
		}
	}
	fmt.Fprintln(w)
}

func (c *class) cell(f flags) string {
	if len(c.rows) == 0 {
		return "-"
	}
	n, wrong := c.count(f)
	flagged := wrong
	if c.attack() {
		flagged = n - wrong
	}
	return fmt.Sprintf("%.2f (%d)", percent(flagged, n), wrong)
}

// printMisses prints every row of the chosen class that a profile of ours judges
// wrongly. They are other people's: to be read, not to be kept.
func (d *detection) printMisses(out io.Writer) {
	if d.misses == "" {
		return
	}
	set, name, _ := strings.Cut(d.misses, "/")
	for _, c := range d.classes {
		if c.set != set || c.name != name {
			continue
		}
		for i, r := range c.rows {
			if block, weak := r.wrong(flagBlock), r.wrong(flagDetect); block || weak {
				fmt.Fprintf(out, "%6d %-12s %s %q\n", i, wrongIn(block, weak), r.rule, r.text)
			}
		}
	}
}

func wrongIn(block, weak bool) string {
	switch {
	case block && weak:
		return "both"
	case block:
		return "block"
	}
	return "detect"
}
