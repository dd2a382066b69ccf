package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"

	"github.com/corazawaf/libinjection-go"
)

// What the engine may cost.
const (
	wantInit    = 0.5    // ms of CPU, before main
	wantSmall   = 10.0   // µs for a benign event of 1 KB
	wantAllocs  = 0.0    // for it
	wantBig     = 6.0    // ms for one of 1 MB
	wantMemory  = 1000.0 // kB resident more
	wantBinary  = 1000.0 // kB more
	wantGrowth  = 1.2    // times what a byte costs at 64 KB, at 6 MB
	wantHostile = 20.0   // times what a byte of a benign event costs
	small       = 64 << 10
	large       = 6 << 20
)

// cost is what one kind of input costs.
type cost struct {
	kind
	small, large float64 // ns for each byte, the least of some runs
	valid        float64 // of json.Valid at the large size
	exhausted    bool
}

// growth is what a byte costs in much over what it costs in little.
func (c *cost) growth() float64 { return c.large / c.small }

// probe runs the engine as the extension does.
type probe struct {
	engine attack.Engine
	result detect.Result
}

func (p *probe) inspect(event []byte) {
	p.result.Reset()
	p.engine.Inspect(event, p.engine.Source(event), &p.result, nil)
}

// batch is how much of f is measured at once at least.
const batch = 10 * time.Millisecond

// spent is the CPU time of f: the least of n batches of calls, and of as many as
// fit into 50 ms.
func spent(n int, f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	calls := 0
	for began := cpuTime(); cpuTime()-began < batch; calls++ {
		f()
	}
	least := time.Duration(1<<63 - 1)
	for began := time.Now(); n > 0 || time.Since(began) < 50*time.Millisecond; n-- {
		before := cpuTime()
		for range calls {
			f()
		}
		least = min(least, (cpuTime()-before)/time.Duration(calls))
	}
	return least
}

// costs measures every kind at two sizes, beside json.Valid over the same bytes.
func costs(report *Report) []cost {
	var all []cost
	var p probe
	perByte := func(event []byte, f func([]byte)) float64 {
		return float64(spent(3, func() { f(event) })) / float64(len(event))
	}
	for _, k := range kinds() {
		little, much := k.event(small), k.event(large)
		c := cost{kind: k, small: perByte(little, p.inspect), large: perByte(much, p.inspect)}
		c.exhausted = p.result.Exhausted
		c.valid = perByte(much, func(b []byte) { json.Valid(b) })
		report.Add("ours", k.name, "64 KB", "ns/byte", []float64{c.small})
		report.Add("ours", k.name, "6 MB", "ns/byte", []float64{c.large})
		report.Add("json.Valid", k.name, "6 MB", "ns/byte", []float64{c.valid})
		all = append(all, c)
	}
	return all
}

// judgeCosts adds the goals of all kinds: the worst of each.
func judgeCosts(report *Report, all []cost) {
	growth := slices.MaxFunc(all, func(a, b cost) int { return compare(a.growth(), b.growth()) })
	report.Judge(fmt.Sprintf("cost: ns/byte at 6 MB over 64 KB, worst of %d kinds: %s", len(all), growth.name), growth.growth(), wantGrowth)
	hostile := slices.DeleteFunc(slices.Clone(all), func(c cost) bool { return !c.hostile })
	worst := slices.MaxFunc(hostile, func(a, b cost) int { return compare(a.worst(), b.worst()) })
	report.Judge(fmt.Sprintf("cost: ns/byte over %s, worst of %d hostile kinds: %s", all[0].name, len(hostile), worst.name), worst.worst()/all[0].large, wantHostile)
	exhausted := 0.0
	for _, c := range all {
		if c.exhausted && !c.hostile {
			exhausted++
		}
	}
	report.Judge("cost: benign kinds whose 6 MB exhaust the budget", exhausted, 0)
}

func (c *cost) worst() float64 { return max(c.small, c.large) }

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// printCosts writes a line for each kind.
func printCosts(out io.Writer, all []cost) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "ns/byte\t64 KB\t6 MB\tover 64 KB\tover %s\tover json.Valid\t\n", all[0].name)
	for _, c := range all {
		marks := ""
		if c.growth() > wantGrowth {
			marks += " grows"
		}
		if c.hostile && c.worst() > wantHostile*all[0].large {
			marks += " dear"
		}
		if c.exhausted {
			marks += " budget exhausted"
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%.1f\t%.1f\t%s\n", c.name, c.small, c.large, c.growth(), c.worst()/all[0].large, c.large/c.valid, marks)
	}
	_ = w.Flush() // out is a terminal
	fmt.Fprintln(out)
}

// printWeights writes the rows that are not of a kind or a data set.
func printWeights(out io.Writer, report *Report) {
	some := &Report{Bench: "cost"}
	for _, row := range report.Rows {
		if row.Unit != "ns/byte" && row.Unit != "%" {
			some.Rows = append(some.Rows, row)
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	some.printRows(w)
	_ = w.Flush() // out is a terminal
}

// benignCosts measures a benign event of 1 KB, beside two yardsticks, and one of
// 1 MB.
func benignCosts(report *Report) {
	var p probe
	little, much := event(1<<10), event(1<<20)
	leaves := (&row{whole: true, text: string(little)}).strings()
	us := func(f func()) float64 { return float64(spent(9, f)) / 1e3 }
	ours := us(func() { p.inspect(little) })
	report.Add("ours", "benign event", "1 KB", "µs", []float64{ours})
	valid := us(func() { json.Valid(little) })
	report.Add("json.Valid", "benign event", "1 KB", "µs", []float64{valid})
	report.Add("ours", "benign event", "1 KB", "times json.Valid", []float64{ours / valid})
	report.Add("libinjection", "every key and string of it", "1 KB", "µs", []float64{us(func() {
		for _, s := range leaves {
			_, _ = libinjection.IsSQLi(s)
			_ = libinjection.IsXSS(s)
		}
	})})
	allocs := allocations(1000, func() { p.inspect(little) })
	report.Add("ours", "benign event", "1 KB", "allocations", []float64{allocs})
	big := us(func() { p.inspect(much) }) / 1e3
	report.Add("ours", "benign event", "1 MB", "ms", []float64{big})
	report.Add("ours", "benign event", "1 MB", "times json.Valid", []float64{big / us(func() { json.Valid(much) }) * 1e3})
	report.Judge("cost: µs for a benign event of 1 KB", ours, wantSmall)
	report.Judge("cost: allocations for it", allocs, wantAllocs)
	report.Judge("cost: ms for a benign event of 1 MB", big, wantBig)
}

// allocations is how often f allocates, on average.
func allocations(n int, f func()) float64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / uint64(n))
}
