package emulator

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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
type cpuGroup struct {
	dir     string
	unified bool // version 2
}

// limitCPU makes the cgroup, or says in one line of the log why it cannot.
func (l *Lambda) limitCPU() *cpuGroup {
	quota := max(leastQuota, cpuPeriod*l.cfg.MemoryMB/megabytesPerCore)
	g, err := newCPUGroup(quota)
	if err != nil {
		g.remove()
		l.journal.note("the CPU share is not limited: " + err.Error())
		return nil
	}
	return g
}

// newCPUGroup returns a group with quota µs in each period; on an error too,
// to be removed.
func newCPUGroup(quota int) (*cpuGroup, error) {
	name := fmt.Sprintf("gatehouse-%x", randomBytes(6))
	const root = "/sys/fs/cgroup"
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err == nil && bytes.Contains(controllers, []byte("cpu")) {
		// Already on, or refused: then the write of cpu.max fails and says so.
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu"), 0)
		g := &cpuGroup{dir: filepath.Join(root, name), unified: true}
		return g, g.create("cpu.max", fmt.Sprintf("%d %d", quota, cpuPeriod))
	}
	g := &cpuGroup{dir: filepath.Join(root, "cpu", name)}
	return g, errors.Join(
		g.create("cpu.cfs_period_us", strconv.Itoa(cpuPeriod)),
		g.set("cpu.cfs_quota_us", strconv.Itoa(quota)))
}

// create makes the group with a first setting.
func (g *cpuGroup) create(file, value string) error {
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return fmt.Errorf("making a cgroup: %w", err)
	}
	return g.set(file, value)
}

func (g *cpuGroup) set(file, value string) error {
	if err := os.WriteFile(filepath.Join(g.dir, file), []byte(value), 0); err != nil {
		return fmt.Errorf("limiting a cgroup: %w", err)
	}
	return nil
}

// start starts cmd inside the group, so that its first instruction is limited
// already. The calling goroutine must be locked to its thread for good.
func (g *cpuGroup) start(cmd *exec.Cmd) error {
	if g == nil {
		return cmd.Start()
	}
	if g.unified {
		dir, err := os.Open(g.dir)
		if err != nil {
			return fmt.Errorf("entering the cgroup: %w", err)
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
		return cmd.Start()
	}
	// A child begins where the thread is that makes it.
	thread := strconv.Itoa(syscall.Gettid())
	if err := g.set("tasks", thread); err != nil {
		return err
	}
	defer func() { // or the group could not be removed; the thread does no work any more
		_ = os.WriteFile(filepath.Join(filepath.Dir(g.dir), "tasks"), []byte(thread), 0)
	}()
	return cmd.Start()
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
