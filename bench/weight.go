package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// usualWeighings is how often the two programs are started.
const usualWeighings = 31

// weighed is what starts of one program showed.
type weighed struct {
	name, path            string
	inits, cpu, rss, used []float64
	packages              map[string]bool // that have an init
}

// weigh measures what the engine adds to a small program: time before main, CPU
// time of the whole process, memory, size.
func weigh(report *Report, p programs, n int) error {
	if n == 0 {
		n = usualWeighings
	}
	with, without := &weighed{name: "with the engine", path: p.engine}, &weighed{name: "without", path: p.noengine}
	if err := without.start(nil, false); err != nil { // learns its packages
		return err
	}
	base := without.packages
	*without = weighed{name: without.name, path: without.path}
	for range n {
		for _, w := range []*weighed{without, with} {
			if err := w.start(base, true); err != nil {
				return err
			}
		}
	}
	inits := report.Add(with.name, "init of packages that the other has not", "start", "ms", with.inits)
	c1, c0 := report.Add(with.name, "process", "start", "ms CPU", with.cpu), report.Add(without.name, "process", "start", "ms CPU", without.cpu)
	report.Add(with.name, "resident", "start", "kB", with.rss)
	report.Add(without.name, "resident", "start", "kB", without.rss)
	m1, m0 := report.Add(with.name, "resident", "after 100 events", "kB", with.used), report.Add(without.name, "resident", "after 100 events", "kB", without.used)
	report.Judge("cost: ms of CPU before main, the least", inits.Min, wantInit)
	report.Judge("cost: ms of CPU of a whole process more, the median", c1.P50-c0.P50, wantInit)
	report.Judge("cost: kB resident more after 100 events, the median", m1.P50-m0.P50, wantMemory)
	return weighBinary(report, with, without)
}

func weighBinary(report *Report, with, without *weighed) error {
	var kB [2]float64
	for i, w := range []*weighed{with, without} {
		info, err := os.Stat(w.path)
		if err != nil {
			return fmt.Errorf("size of the program %s: %w", w.name, err)
		}
		kB[i] = float64(info.Size()) / 1000
		report.Add(w.name, "binary", "-", "kB", kB[i:i+1])
	}
	report.Judge("cost: kB of binary more", kB[0]-kB[1], wantBinary)
	return nil
}

// start runs the program three times: traced, plain, and with 100 events. Without
// sample it only learns what packages it has.
func (w *weighed) start(base map[string]bool, sample bool) error {
	trace, _, _, err := w.run("0", "GODEBUG=inittrace=1")
	if err != nil {
		return err
	}
	var ms float64
	ms, w.packages = initTime(trace, base)
	if !sample {
		return nil
	}
	_, cpu, rss, err := w.run("0")
	if err != nil {
		return err
	}
	_, _, used, err := w.run("100")
	if err != nil {
		return err
	}
	w.inits, w.cpu, w.rss, w.used = append(w.inits, ms), append(w.cpu, cpu), append(w.rss, rss), append(w.used, used)
	return nil
}

// run returns what the program wrote to standard error, its CPU time in ms, and
// its memory in kB.
func (w *weighed) run(n string, env ...string) (trace string, cpu, rss float64, err error) {
	cmd := exec.Command(w.path, n)
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", 0, 0, fmt.Errorf("running the program %s: %w: %s", w.name, err, &errs)
	}
	rss, _ = strconv.ParseFloat(strings.TrimSpace(string(out)), 64) // 0 where it cannot tell
	return errs.String(), ms(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()), rss, nil
}

var initLine = regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, (\S+) ms clock`)

// initTime adds up what the runtime says of the inits of packages that base does
// not have, in ms.
func initTime(trace string, base map[string]bool) (total float64, packages map[string]bool) {
	packages = make(map[string]bool)
	for _, m := range initLine.FindAllStringSubmatch(trace, -1) {
		packages[m[1]] = true
		if took, err := strconv.ParseFloat(m[2], 64); err == nil && !base[m[1]] {
			total += took
		}
	}
	return total, packages
}
