package emulator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

// work is a folder for what is built once for all tests.
var work string

func TestMain(m *testing.M) {
	var err error
	if work, err = os.MkdirTemp("", "emulator-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(work) // a leftover does no harm
	os.Exit(code)
}

// build makes the function and the extension.
var build = sync.OnceValue(func() error {
	for _, name := range []string{"func", "ext"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(work, name), "./testdata/"+name)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	return nil
})

func program(t *testing.T, name string) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(work, name)
}

// layer makes a folder for /opt that holds the bare extension under the given
// names.
func layer(t *testing.T, extensions ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "extensions"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range extensions {
		if err := os.Link(program(t, "ext"), filepath.Join(dir, "extensions", name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// logged collects lines.
type logged struct {
	mu    sync.Mutex
	lines []emulator.Line
}

func (l *logged) add(line emulator.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, line := range l.lines {
		b.WriteString(line.Text + "\n")
	}
	return b.String()
}

// start runs the test function as c says, and stops it with the test.
func start(t *testing.T, c emulator.Config) (*emulator.Lambda, *logged) {
	t.Helper()
	log := &logged{}
	c.Log = log.add
	if c.Command == nil {
		c.Command = []string{program(t, "func")}
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	l, err := emulator.Start(t.Context(), c)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := l.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", log)
		}
	})
	return l, log
}

func invoke(t *testing.T, l *emulator.Lambda, event string) *emulator.Output {
	t.Helper()
	return invokeWith(t, l, emulator.Input{Event: []byte(event)})
}

func invokeWith(t *testing.T, l *emulator.Lambda, in emulator.Input) *emulator.Output {
	t.Helper()
	out, err := l.Invoke(t.Context(), in)
	if err != nil {
		t.Fatalf("Invoke(%s): %v", in.Event, err)
	}
	return out
}

// settled waits until the running invocation is over and its end is logged.
func settled(t *testing.T, l *emulator.Lambda) {
	t.Helper()
	if err := l.Init(t.Context()); err != nil {
		t.Fatalf("Init: %v", err)
	}
}

// eventually polls ok for up to 10 s.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// inOrder fails unless text has all parts, one after the other.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Errorf("%q is missing, or too early, in:\n%s", part, text)
			return
		}
		rest = after
	}
}

// sent is a telemetry event as it arrived.
type sent struct {
	Time   time.Time
	Type   string
	Record json.RawMessage
}

// received reads the events that an extension wrote to its EXT_SINK.
func received(t *testing.T, sink string) []sent {
	t.Helper()
	f, err := os.Open(sink)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var events []sent
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e sent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("event %q: %v", lines.Bytes(), err)
		}
		events = append(events, e)
	}
	return events
}

// types lists the events' types.
func types(events []sent) string {
	var list []string
	for _, e := range events {
		list = append(list, e.Type)
	}
	return strings.Join(list, " ")
}
