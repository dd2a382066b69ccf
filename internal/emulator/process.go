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
	cmd     *exec.Cmd
	outputs []*output
	writers []*os.File
	exited  chan struct{} // closed when it is gone and its output was read
}

// program is what to start. Its stdout and stderr share a pipe, so that their
// order is kept.
type program struct {
	argv   []string
	dir    string
	env    map[string]string
	group  *cpuGroup
	framed bool // gets descriptor 3 for messages of several lines
	emit   func(line string)
	// exit is called once, from the goroutine that waits, after the last line
	// and before exited is closed, with words like "exit status 1" or
	// "signal: killed".
	exit func(status string)
}

// startProcess starts p.
func startProcess(prog program) (*process, error) {
	p := &process{exited: make(chan struct{})}
	splitters := []splitter{splitLines}
	if prog.framed {
		splitters = append(splitters, splitFrames)
		prog.env["_LAMBDA_TELEMETRY_LOG_FD"] = "3"
	}
	for _, split := range splitters {
		out, writer, err := newOutput(split, prog.emit)
		if err != nil {
			p.closeWriters()
			p.closeOutputs()
			return nil, err
		}
		p.outputs, p.writers = append(p.outputs, out), append(p.writers, writer)
	}
	p.cmd = exec.Command(prog.argv[0], prog.argv[1:]...)
	p.cmd.Dir, p.cmd.Env = prog.dir, environ(prog.env)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.ExtraFiles = p.writers[0], p.writers[0], p.writers[1:]
	p.cmd.SysProcAttr = ownGroup()
	started := make(chan error)
	go p.run(prog.group, started, prog.exit) // ends with the process
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", prog.argv[0], err)
	}
	return p, nil
}

// run starts the process and waits for it on one thread, because the kernel
// ties a child's death signal and its cgroup to the thread that started it.
func (p *process) run(group *cpuGroup, started chan<- error, exit func(status string)) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	err := group.start(p.cmd)
	p.closeWriters()
	if err != nil {
		p.closeOutputs()
		started <- err
		return
	}
	for _, out := range p.outputs {
		go out.run() // ends when the pipe is closed below
	}
	started <- nil
	_ = p.cmd.Wait()          // the state says it all
	p.signal(syscall.SIGKILL) // whatever it left behind in its group
	p.closeOutputs()
	exit(p.cmd.ProcessState.String())
	close(p.exited)
}

// drain emits what was printed until now.
func (p *process) drain() {
	for _, out := range p.outputs {
		out.drain()
	}
}

// closeWriters closes our copies; the child has its own.
func (p *process) closeWriters() {
	for _, w := range p.writers {
		_ = w.Close() // nothing was written through it
	}
}

func (p *process) closeOutputs() {
	for _, out := range p.outputs {
		out.close()
	}
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
