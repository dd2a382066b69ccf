package emulator

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A function gets one core for each 1769 MB of memory,
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html.
const (
	megabytesPerCore = 1769
	cpuPeriod        = 20000 // µs, as Lambda's own slices
	leastQuota       = 1000  // µs, the kernel's minimum
)

// cpuGroup is a cgroup that holds the sandbox to a share of a core. A nil one
// holds nobody.
type cpuGroup struct{ dir string }

// limitCPU makes the cgroup, or says in one line of the log why it cannot.
func (l *Lambda) limitCPU() *cpuGroup {
	quota := max(leastQuota, cpuPeriod*l.cfg.MemoryMB/megabytesPerCore)
	g, err := newCPUGroup(quota)
	if err != nil {
		l.journal.note("the CPU share is not limited: " + err.Error())
		return nil
	}
	return g
}

func newCPUGroup(quota int) (*cpuGroup, error) {
	name := fmt.Sprintf("gatehouse-%x", randomBytes(6))
	const root = "/sys/fs/cgroup"
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err == nil && bytes.Contains(controllers, []byte("cpu")) {
		// Already on, or refused: then the write of cpu.max fails and says so.
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu"), 0)
		return makeGroup(filepath.Join(root, name), map[string]string{"cpu.max": fmt.Sprintf("%d %d", quota, cpuPeriod)})
	}
	return makeGroup(filepath.Join(root, "cpu", name), map[string]string{
		"cpu.cfs_period_us": strconv.Itoa(cpuPeriod), "cpu.cfs_quota_us": strconv.Itoa(quota),
	})
}

func makeGroup(dir string, settings map[string]string) (*cpuGroup, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making a cgroup: %w", err)
	}
	g := &cpuGroup{dir: dir}
	for file, value := range settings {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
			g.remove()
			return nil, fmt.Errorf("limiting a cgroup: %w", err)
		}
	}
	return g, nil
}

// add moves p and what it will start into the group. Its first instants were
// outside.
func (g *cpuGroup) add(p *process) {
	if g == nil {
		return
	}
	pid := strconv.Itoa(p.cmd.Process.Pid)
	_ = os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(pid), 0) // it has exited already
}

// remove ends the group, which must be empty.
func (g *cpuGroup) remove() {
	if g != nil {
		_ = os.Remove(g.dir) // a process that escaped from its group keeps it
	}
}

// memoryUsed is the peak of the processes that still run, in MB.
func (s *sandbox) memoryUsed() int {
	kilobytes := 0
	for _, p := range s.processes() {
		kilobytes += peak(p.cmd.Process.Pid)
	}
	return max(1, kilobytes>>10)
}

// peak is the largest resident size that a process has had, in kB; 0 when it
// is gone.
func peak(pid int) int {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB"))) // the kernel's own format
			return n
		}
	}
	return 0
}
