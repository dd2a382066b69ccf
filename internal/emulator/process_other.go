//go:build !linux

package emulator

import "syscall"

// ownGroup makes a child lead a process group.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
