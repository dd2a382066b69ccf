package emulator

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// maxLine is where a line without an end is cut, in bytes; CloudWatch cuts
// events there too.
const maxLine = 256 * 1024

// output turns what a process writes into a pipe into the lines of its log.
type output struct {
	file  *os.File
	raw   syscall.RawConn
	split splitter

	mu   sync.Mutex // one reader at a time, so that lines are in order
	rest []byte     // an unfinished line
	emit func(line string)
}

// splitter cuts one line from the start of p. It returns how many bytes that
// took, 0 when p holds no whole line yet.
type splitter func(p []byte) (line []byte, used int)

// newOutput returns the reader and the end to give to the process.
func newOutput(split splitter, emit func(line string)) (*output, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	raw, err := r.SyscallConn()
	if err != nil {
		return nil, nil, fmt.Errorf("making a pipe: %w", err)
	}
	return &output{file: r, raw: raw, split: split, emit: emit}, w, nil
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
	done := 0
	for {
		line, used := o.split(o.rest[done:])
		if used == 0 {
			break
		}
		done += used
		o.emit(string(line))
	}
	o.rest = append(o.rest[:0], o.rest[done:]...)
}

// splitLines is the splitter of stdout and stderr.
func splitLines(p []byte) (line []byte, used int) {
	end := bytes.IndexByte(p, '\n')
	switch {
	case end >= 0 && end <= maxLine:
		return p[:end], end + 1
	case len(p) >= maxLine:
		return p[:maxLine], maxLine
	}
	return nil, 0
}

// splitFrames is the splitter of the descriptor that _LAMBDA_TELEMETRY_LOG_FD
// names, by which the managed runtimes log messages of several lines. A frame
// is a type, a length, a time in µs if the type's second bit is set, and text:
// https://github.com/aws/aws-lambda-nodejs-runtime-interface-client. The time
// is not used. What is no frame is taken for text.
func splitFrames(p []byte) (line []byte, used int) {
	const head = 8
	if len(p) < head {
		return nil, 0
	}
	kind, size := binary.BigEndian.Uint32(p), int(binary.BigEndian.Uint32(p[4:]))
	if kind>>16 != 0xa55a || size > maxLine {
		return p, len(p)
	}
	start := head
	if kind&2 != 0 {
		start += 8
	}
	if len(p) < start+size {
		return nil, 0
	}
	return bytes.TrimSuffix(p[start:start+size], []byte("\n")), start + size
}
