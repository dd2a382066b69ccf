//go:build !linux

package emulator

import "os/exec"

// cpuGroup would hold the sandbox to a share of a core.
type cpuGroup struct{}

func (l *Lambda) limitCPU() *cpuGroup {
	l.journal.note("the CPU share is not limited: this system has no cgroups")
	return nil
}

func (g *cpuGroup) start(cmd *exec.Cmd) error { return cmd.Start() }
func (g *cpuGroup) remove()                   {}

// memoryUsed is not measured here.
func (s *sandbox) memoryUsed() int { return s.cfg.MemoryMB }
