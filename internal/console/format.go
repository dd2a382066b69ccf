package console

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// functions are what templates call. None returns markup.
var functions = template.FuncMap{
	"number":  number,
	"percent": percent,
	"short":   short,
	"clock":   func(t time.Time) string { return t.UTC().Format("15:04:05.000") },
	"date":    func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
	"exact":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000000 UTC") },
	"stamp":   func(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05") },
	"brief":   brief,
	"arn":     splitARN,
	"lasts":   func() any { return lasts },
	"bar":     bar,
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	"dash": func(s string) string { return or(s, "–") },
}

// number groups digits by thousands: 12,345.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// percent shows part of whole. It never rounds to 100 or to 0 what is not.
func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	p := 100 * float64(part) / float64(whole)
	switch {
	case part == whole || part == 0:
		return fmt.Sprintf("%.0f %%", p)
	case p > 99.9:
		return "> 99.9 %"
	case p < 0.1:
		return "< 0.1 %"
	}
	return fmt.Sprintf("%.1f %%", p)
}

// short shows a duration in two or three digits.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < 0: // two clocks
		return "< 1 ms"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// splitARN cuts an ARN before what people look for in it, the function's name.
func splitARN(arn string) [2]string {
	if i := strings.Index(arn, ":function:"); i >= 0 {
		i += len(":function:")
		return [2]string{arn[:i], arn[i:]}
	}
	return [2]string{"", arn}
}

// bar returns the length of a bar for n of at most whole, in parts of 100.
func bar(n int, list []group) int {
	most := 0
	for _, g := range list {
		most = max(most, g.Detections, g.Count*btoi(g.Detections == 0))
	}
	if most == 0 || n == 0 {
		return 0
	}
	return max(2, int(math.Round(100*float64(n)/float64(most))))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
