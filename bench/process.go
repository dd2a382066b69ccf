package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// process is a running program of the comparison.
type process struct {
	cmd *exec.Cmd
	// Began is the time just before it was started.
	Began time.Time

	said *os.File // what it printed
	dir  string   // a folder of its own, removed at the end
}

// launch starts a program, within the share where that is not nil, with an
// environment of its own. The caller ends it.
func launch(s *share, program string, env []string, args ...string) (*process, error) {
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	said, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return nil, fmt.Errorf("making a file for what it prints: %w", err)
	}
	p := &process{cmd: exec.Command(program, args...), said: said, dir: dir}
	p.cmd.Env = append([]string{"GATEHOUSE_RUN_DIR=" + filepath.Join(dir, "run")}, env...) // env may say another
	p.cmd.Stdout, p.cmd.Stderr = said, said
	if err := s.start(p); err != nil {
		p.clean()
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	return p, nil
}

// peak is the most memory that the process had resident, in kB; 0 where this
// system does not say.
func (p *process) peak() float64 { return p.status("VmHWM:") }

// status is a figure of the process in kB, as Linux calls it.
func (p *process) status(name string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0 // no /proc, or gone
	}
	_, rest, _ := bytes.Cut(status, []byte(name))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	kB, err := strconv.ParseFloat(string(bytes.TrimSpace(line)), 64)
	if err != nil {
		return 0
	}
	return kB
}

// end kills the process and returns the CPU time that it took from its start.
func (p *process) end() time.Duration {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
	p.clean()
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// wait waits for the process to end by itself.
func (p *process) wait(limit time.Duration) error {
	ended := make(chan struct{})
	go func() { // ends with the process
		_ = p.cmd.Wait() // how it ended does not count
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("it has not ended %v after SHUTDOWN", limit)
	}
}

// output is the last of what the process printed, for an error.
func (p *process) output() string {
	text, err := os.ReadFile(p.said.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-1024):])
}

func (p *process) clean() {
	p.said.Close()
	_ = os.RemoveAll(p.dir) // in the system's folder for such
}

// sandboxEnv is what Lambda tells an extension.
func sandboxEnv(api string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(),
		"AWS_LAMBDA_RUNTIME_API=" + api,
		"AWS_LAMBDA_FUNCTION_NAME=bench", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "TZ=:UTC",
		"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"AWS_SESSION_TOKEN=AQoEXAMPLEH4aoAH0gNCAPyJxz4BlCFFxWNE1OPTgk5TthT",
	}
}

// free finds n ports of loopback on which nobody listens.
func free(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
