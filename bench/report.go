package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Report is what one benchmark found.
type Report struct {
	Bench   string   `json:"bench"`
	Rows    []Row    `json:"rows"`
	Goals   []Goal   `json:"goals"`
	Skipped []string `json:"skipped,omitempty"` // parts that could not run here, and why

	table func(io.Writer) // prints rows better than one line each; nil does that
}

// Row is one figure of one program.
type Row struct {
	Name string  `json:"name"` // the program: "ours"
	What string  `json:"what"` // the figure: "register"
	At   string  `json:"at"`   // the conditions: "full speed", "1 KB"
	Unit string  `json:"unit"` // ms, kB
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99,omitempty"` // where it is asked for
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`
	N    int     `json:"n"`
}

// Goal is one figure that is judged: at most Want, or at least.
type Goal struct {
	What  string  `json:"what"`
	Got   float64 `json:"got"`
	Want  float64 `json:"want"`
	Least bool    `json:"least,omitempty"` // Want is the least, not the most
	OK    bool    `json:"ok"`
}

// Add makes a row of samples.
func (r *Report) Add(name, what, at, unit string, samples []float64) Row {
	row := Row{Name: name, What: what, At: at, Unit: unit, N: len(samples)}
	if len(samples) > 0 {
		row.P50, row.Mean = median(samples), mean(samples)
		row.Min, row.Max = slices.Min(samples), slices.Max(samples)
	}
	r.Rows = append(r.Rows, row)
	return row
}

// Judge adds a goal.
func (r *Report) Judge(what string, got, want float64) {
	r.Goals = append(r.Goals, Goal{What: what, Got: got, Want: want, OK: got <= want})
}

// JudgeLeast adds a goal that is to be reached or passed.
func (r *Report) JudgeLeast(what string, got, want float64) {
	r.Goals = append(r.Goals, Goal{What: what, Got: got, Want: want, Least: true, OK: got >= want})
}

// OK reports whether every goal was reached.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.Goals, func(g Goal) bool { return !g.OK })
}

// Print writes r as a table for people.
func (r *Report) Print(out io.Writer) {
	if r.table != nil {
		r.table(out)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if r.table == nil {
		r.printRows(w)
	}
	fmt.Fprintln(w, "goal\t\t\tgot\twant\t\t\t\t")
	for _, g := range r.Goals {
		fmt.Fprintf(w, "%s\t\t\t%.3f\t%s %.3f\t%s\t\t\t\n", g.What, g.Got, map[bool]string{true: "≥", false: "≤"}[g.Least], g.Want,
			map[bool]string{true: "ok", false: "MISSED"}[g.OK])
	}
	_ = w.Flush() // out is a terminal
	for _, why := range r.Skipped {
		fmt.Fprintf(out, "skipped: %s\n", why)
	}
}

// printRows writes a line for each row.
func (r *Report) printRows(w io.Writer) {
	fmt.Fprintf(w, "%s\twhat\tat\tp50\tmin\tmean\tmax\tunit\tn\n", r.Bench)
	for _, row := range r.Rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%.3f\t%.3f\t%.3f\t%.3f\t%s\t%d\n",
			row.Name, row.What, row.At, row.P50, row.Min, row.Mean, row.Max, row.Unit, row.N)
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t\t")
}

// JSON writes r as one line.
func (r *Report) JSON(out io.Writer) error {
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// median is the middle of samples, which must not be empty.
func median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// percentile is the sample below which part of samples, which must not be empty, lies.
func percentile(samples []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}

func mean(samples []float64) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += s
	}
	return sum / float64(len(samples))
}
