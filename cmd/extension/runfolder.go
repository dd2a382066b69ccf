package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// runFolder is the folder that outlives a reset of the sandbox, 0700. The
// function runs as the same user, so nothing in it is trusted.
type runFolder string

// openRunFolder takes dir into use. The ready file of an earlier start goes
// first of all: the wrapper must not find what no longer holds. Whatever else the
// function left there is put right and no reason to stop, or the function could
// have the next start of its sandbox go on without us.
func openRunFolder(dir string) (runFolder, error) {
	f := runFolder(dir)
	if err := takeBack(dir); err != nil {
		return f, fmt.Errorf("run folder: %w", err)
	}
	return f, f.unready()
}

// takeBack makes a folder of ours with mode 0700 of whatever dir is.
func takeBack(dir string) error {
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		err = os.Remove(dir) // a link, not what it leads to
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err = os.Lstat(dir); err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("%q is not a folder of ours", dir)
	}
	return os.Chmod(dir, 0o700)
}

func (f runFolder) path(name string) string { return filepath.Join(string(f), name) }

// unready takes the ready file away.
func (f runFolder) unready() error {
	if err := f.clear("ready"); err != nil {
		return fmt.Errorf("removing the ready file: %w", err)
	}
	return nil
}

// clear takes away what has that name, a whole folder too. What cannot be removed,
// because somebody shut a folder in it, is moved aside.
func (f runFolder) clear(name string) error {
	err := os.RemoveAll(f.path(name))
	if err == nil || errors.Is(err, syscall.ENOTDIR) { // not even a run folder
		return nil
	}
	return os.Rename(f.path(name), f.path(name+"."+newSandboxID()))
}

// ready tells the wrapper where we listen: key=value lines. It must come after
// the listeners are bound, and whole: the wrapper may read at any moment.
func (f runFolder) ready(values [][2]string) error {
	var text strings.Builder
	for _, kv := range values {
		if kv[1] != "" {
			text.WriteString(kv[0] + "=" + kv[1] + "\n")
		}
	}
	tmp := f.path("ready.new")
	if err := f.write("ready.new", []byte(text.String())); err != nil {
		return err
	}
	if err := os.Rename(tmp, f.path("ready")); err != nil {
		return fmt.Errorf("writing the ready file: %w", err)
	}
	return nil
}

// write makes a file anew, 0600, and follows no link that somebody left there.
func (f runFolder) write(name string, data []byte) error {
	_ = f.clear(name) // O_EXCL says if it is still there
	file, err := os.OpenFile(f.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if _, err := file.Write(data); err != nil {
		_ = file.Close() // the first error counts
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// writeIn makes a folder anew with one file in it.
func (f runFolder) writeIn(dir, name string, data []byte) error {
	_ = f.clear(dir) // Mkdir says if it is still there
	if err := os.Mkdir(f.path(dir), 0o700); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return runFolder(f.path(dir)).write(name, data)
}

// sandbox returns who this sandbox is: its id, kept over resets, and how often
// it has started. Where the file is missing or spoilt, a new life begins.
func (f runFolder) sandbox() (id string, generation int, err error) {
	text := f.peek("sandbox")
	id, count, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	generation, cerr := strconv.Atoi(count)
	if raw, herr := hex.DecodeString(id); herr != nil || len(raw) != 8 || cerr != nil || generation < 1 {
		id, generation = newSandboxID(), 0
	}
	generation++
	return id, generation, f.write("sandbox", fmt.Appendf(nil, "%s %d\n", id, generation))
}

// peek reads a small file, or nothing: it waits for no pipe and follows no link
// that somebody left in the file's place.
func (f runFolder) peek(name string) []byte {
	file, err := os.OpenFile(f.path(name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }() // only read
	text, _ := io.ReadAll(io.LimitReader(file, 64))
	return text
}

func newSandboxID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
