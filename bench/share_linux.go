package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// The share of a core that 128 MB buys: 7.2 %, in Lambda's period of 20 ms.
const (
	period = 20000 // µs
	quota  = 1440  // µs
)

// share is a control group that holds programs to 7.2 % of a core. Nil holds
// nothing back.
type share struct {
	dir string
	v2  bool
}

// newShare makes the control group, or says why it cannot. The caller closes it.
func newShare() (*share, error) {
	name := "gatehouse-bench-" + strconv.Itoa(os.Getpid())
	var errs []error
	for _, s := range []*share{{dir: "/sys/fs/cgroup/cpu/" + name}, {dir: "/sys/fs/cgroup/" + name, v2: true}} {
		err := s.make()
		if err == nil {
			return s, nil
		}
		s.close()
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("no control group for a share of a core: %w", errors.Join(errs...))
}

func (s *share) make() error {
	if _, err := os.Stat(filepath.Dir(s.dir)); err != nil {
		return err
	}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		return err
	}
	if s.v2 {
		return s.write("cpu.max", fmt.Sprintf("%d %d", quota, period))
	}
	return errors.Join(s.write("cpu.cfs_period_us", strconv.Itoa(period)), s.write("cpu.cfs_quota_us", strconv.Itoa(quota)))
}

func (s *share) write(file, value string) error {
	return os.WriteFile(filepath.Join(s.dir, file), []byte(value), 0o644)
}

func (s *share) close() {
	if s != nil {
		_ = os.Remove(s.dir) // empty, or never made
	}
}

// start starts p inside the control group from its first instruction on.
func (s *share) start(p *process) error {
	switch {
	case s == nil:
		p.Began = time.Now()
		return p.cmd.Start()
	case s.v2:
		return s.startV2(p)
	}
	return s.startV1(p)
}

// startV2 lets the kernel put the process there as it makes it.
func (s *share) startV2(p *process) error {
	dir, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	p.Began = time.Now()
	return p.cmd.Start()
}

// startV1 goes there with this thread alone, because a process begins in the
// group of the thread that made it, and comes back.
func (s *share) startV1(p *process) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := strconv.Itoa(syscall.Gettid())
	home, err := s.home()
	if err != nil {
		return err
	}
	if err := s.write("tasks", thread); err != nil {
		return err
	}
	p.Began = time.Now()
	started := p.cmd.Start()
	return errors.Join(started, os.WriteFile(home, []byte(thread), 0o644))
}

// home is the file that takes a thread back to where it came from.
func (s *share) home() (string, error) {
	text, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(s.dir), v1Path(string(text)), "tasks"), nil
}
