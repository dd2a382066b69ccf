package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usualTurns is how often each proxy is loaded in each way.
const usualTurns = 5

// What is wanted of us, as a part of what another does.
const (
	wantTunnel   = 0.95 // of stock goproxy's new connections and MB/s
	wantCPU      = 1.1  // times its CPU for a GB
	wantSquid    = 2    // times what squid does where both inspect
	wantRequests = 0.9  // of goproxy's requests/s where both inspect
	wantResident = 20 << 10
)

// egress measures what the proxy costs that the function's connections go through,
// beside doing without, the least there can be, and other proxies: as a tunnel and
// with TLS inspection.
func egress(p programs, n int) (*Report, error) {
	dir, err := os.MkdirTemp("", "gatehouse-egress-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()     // in the system's folder for such
	if err := os.Chmod(dir, 0o755); err != nil { // a proxy may make itself another user
		return nil, err
	}
	s, err := newSink(dir)
	if err != nil {
		return nil, err
	}
	defer s.close()
	e := &egressPrograms{p, s}
	if p.latency {
		return latency(e, n)
	}
	return loaded(e, n)
}

// loaded loads all of the proxies, n times each.
func loaded(e *egressPrograms, n int) (*Report, error) {
	if n == 0 {
		n = usualTurns
	}
	report := &Report{Bench: "egress"}
	all := openProxies(e, report)
	defer func() {
		for _, t := range all {
			t.close()
		}
	}()
	for i := range n + 1 {
		slices.Reverse(all)
		for _, l := range loads {
			for _, t := range all {
				t.load(&l, i > 0)
			}
		}
	}
	report.egress(all)
	if err := report.storm(e); err != nil {
		return nil, fmt.Errorf("many at once: %w", err)
	}
	if e.long {
		if err := report.long(e); err != nil {
			return nil, fmt.Errorf("a long run: %w", err)
		}
	}
	return report, nil
}

// load loads t in one way for a turn. A proxy that fails is left alone from then on.
func (t *through) load(l *load, counts bool) {
	if t.err != nil {
		return
	}
	before := t.used()
	rate, err := l.run(t.call)
	if err == nil && t.answered != nil {
		err = t.answered()
	}
	if err != nil {
		t.err = t.because(fmt.Errorf("%s: %w", l.name, err))
		return
	}
	if counts {
		t.rate[l.name] = append(t.rate[l.name], rate)
		t.cpu[l.name] = append(t.cpu[l.name], (t.used()-before).Seconds()/(rate*turn.Seconds()))
	}
}

// used is the CPU time that the proxy and its children have had.
func (t *through) used() time.Duration {
	if t.proc == nil {
		return 0
	}
	pid := strconv.Itoa(t.proc.cmd.Process.Pid)
	sum := cpuOf(pid)
	children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	if err != nil {
		return sum // no /proc, or gone
	}
	for _, child := range strings.Fields(string(children)) {
		sum += cpuOf(child)
	}
	return sum
}

// cpuOf is the CPU time of one process, in steps of 10 ms.
func cpuOf(pid string) time.Duration {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64) // the kernel writes numbers
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// egress adds the rows and goals.
func (r *Report) egress(all []*through) {
	by := map[string]*through{}
	for _, t := range all {
		if t.err != nil {
			r.Skipped = append(r.Skipped, t.name+": "+t.err.Error())
			continue
		}
		by[t.name] = t
	}
	slices.SortFunc(all, func(a, b *through) int { return place(a.name) - place(b.name) })
	for _, l := range loads {
		for _, t := range all {
			if by[t.name] != nil {
				r.Add(t.name, l.name, kindOf(t), l.unit, t.rate[l.name])
			}
		}
	}
	for _, t := range all {
		if by[t.name] != nil && t.proc != nil {
			r.Add(t.name, "CPU for a GB down", kindOf(t), "s", scaled(t.cpu["download"], 1e3))
			r.Add(t.name, "CPU for a GB up", kindOf(t), "s", scaled(t.cpu["upload"], 1e3))
			r.Add(t.name, "CPU for a connection", kindOf(t), "µs", scaled(t.cpu["new connections"], 1e6))
			r.Add(t.name, "resident, peak", kindOf(t), "kB", []float64{t.proc.peak()})
		}
	}
	r.egressGoals(by)
}

func (r *Report) egressGoals(by map[string]*through) {
	ours, inspecting := by["ours"], by["ours, inspecting"]
	if other := by["goproxy"]; ours != nil && other != nil {
		r.atLeast(ours, other, "new connections", wantTunnel)
		r.atLeast(ours, other, "download", wantTunnel)
		r.atLeast(ours, other, "upload", wantTunnel)
		for _, l := range []string{"download", "upload"} {
			r.Judge("ours: CPU for a GB of "+l+" over goproxy's", mean(ours.cpu[l])/mean(other.cpu[l]), wantCPU)
		}
	}
	if other := by["squid bump"]; inspecting != nil && other != nil {
		r.atLeast(inspecting, other, "new connections", wantSquid)
		r.atLeast(inspecting, other, "download", wantSquid)
		r.atLeast(inspecting, other, "upload", wantSquid)
	}
	if other := by["goproxy MITM, 100 idle"]; inspecting != nil && other != nil {
		r.atLeast(inspecting, other, "requests", wantRequests)
	}
	for _, t := range []*through{ours, inspecting} {
		if t != nil {
			r.Judge(t.name+": kB resident with 8 clients", t.proc.peak(), wantResident)
		}
	}
}

// atLeast judges that ours does want times what other does, by the median.
func (r *Report) atLeast(ours, other *through, load string, want float64) {
	got := median(ours.rate[load]) / median(other.rate[load])
	r.JudgeLeast(ours.name+": "+load+" over "+other.name+"'s", got, want)
}

func kindOf(t *through) string {
	if t.inspects {
		return "inspecting"
	}
	return "tunnel"
}

func place(name string) int {
	for i, p := range proxies {
		if p.name == name {
			return i
		}
	}
	return len(proxies)
}

func scaled(samples []float64, by float64) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = s * by
	}
	return out
}
