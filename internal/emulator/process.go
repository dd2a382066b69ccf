package emulator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a child in a process group of its own.
type process struct {
	cmd    *exec.Cmd
	out    *output
	writer *os.File
	exited chan struct{} // closed when it is gone and its output was read
}

// startProcess starts argv. emit gets its output; exit is called once, from
// the goroutine that waits, after the last line and before exited is closed,
// with words like "exit status 1" or "signal: killed".
func startProcess(argv []string, dir string, env []string, emit func(string), exit func(status string)) (*process, error) {
	out, writer, err := newOutput(emit)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout, cmd.Stderr = writer, writer
	cmd.SysProcAttr = ownGroup()
	p := &process{cmd: cmd, out: out, writer: writer, exited: make(chan struct{})}
	started := make(chan error)
	go p.run(started, exit) // ends with the process
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	return p, nil
}

// run starts the process and waits for it on one thread, because the kernel
// ties a child's death signal to the thread that started it.
func (p *process) run(started chan<- error, exit func(status string)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	_ = p.writer.Close() // the child has its own copy
	started <- err
	if err != nil {
		p.out.close()
		return
	}
	go p.out.run()            // ends when the pipe is closed below
	_ = p.cmd.Wait()          // the state says it all
	p.signal(syscall.SIGKILL) // whatever it left behind in its group
	p.out.close()
	exit(p.cmd.ProcessState.String())
	close(p.exited)
}

// signal sends sig to the whole group; a group that is gone is no error.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.exited: // its number may be somebody else's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// shellStatus is what a shell's exec answers when a program cannot be started.
func shellStatus(err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}
