package emulator

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// maxLine is where a line without an end is cut, in bytes; CloudWatch cuts
// events there too.
const maxLine = 256 * 1024

// output turns what a process writes to stdout and stderr into lines. Both
// share one pipe, so that their order is kept.
type output struct {
	file *os.File
	raw  syscall.RawConn

	mu   sync.Mutex // one reader at a time, so that lines are in order
	rest []byte     // an unfinished line
	emit func(line string)
}

// newOutput returns the reader and the end to give to the process.
func newOutput(emit func(line string)) (*output, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	raw, err := r.SyscallConn()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	return &output{file: r, raw: raw, emit: emit}, w, nil
}

// run reads until every writer is gone or close is called.
func (o *output) run() {
	_ = o.raw.Read(o.take) // an error means that the pipe was closed: the end
}

// drain emits all that was written before it was called, an unfinished line
// too. Lambda does the same at the end of an invocation.
func (o *output) drain() {
	_ = o.raw.Control(func(fd uintptr) { o.take(fd) }) // closed: nothing to drain
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.rest) > 0 {
		o.emit(string(o.rest))
		o.rest = o.rest[:0]
	}
}

func (o *output) close() {
	o.drain()
	_ = o.file.Close() // read side: nothing can be lost any more
}

// take reads until the pipe is empty and reports whether it is at its end.
func (o *output) take(fd uintptr) (end bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	buf := make([]byte, 16*1024)
	for {
		n, err := syscall.Read(int(fd), buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err != syscall.EAGAIN
		}
		if n == 0 {
			return true
		}
		o.add(buf[:n])
	}
}

func (o *output) add(p []byte) {
	o.rest = append(o.rest, p...)
	for {
		end := bytes.IndexByte(o.rest, '\n')
		next := end + 1
		if end < 0 && len(o.rest) >= maxLine {
			end, next = maxLine, maxLine
		}
		if end < 0 {
			return
		}
		o.emit(string(o.rest[:end]))
		o.rest = append(o.rest[:0], o.rest[next:]...)
	}
}
