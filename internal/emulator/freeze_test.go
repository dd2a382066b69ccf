package emulator_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/emulator"
)

// state is the kernel's letter for what a process does: T is stopped.
func state(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if os.IsNotExist(err) {
		t.Skip("no /proc: the freeze cannot be seen from outside")
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}

func pid(t *testing.T, l *emulator.Lambda) int {
	t.Helper()
	var got struct{ Pid int }
	out := invoke(t, l, `{"Do":"context"}`)
	if err := json.Unmarshal(out.Payload, &got); err != nil {
		t.Fatalf("%s: %v", out.Payload, err)
	}
	return got.Pid
}

func TestFreezeBetweenInvocations(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Layer: layer(t, "watch")})
	first := pid(t, l)
	eventually(t, "the freeze", func() bool { return state(t, first) == "T" })
	said := regexp.MustCompile(`ext pid (\d+)`).FindStringSubmatch(log.String())
	if said == nil {
		t.Fatal("no extension")
	}
	extension, err := strconv.Atoi(said[1])
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the extension's freeze", func() bool { return state(t, extension) == "T" })
	if second := pid(t, l); second != first {
		t.Errorf("process %d, then %d", first, second)
	}
	eventually(t, "the second freeze", func() bool { return state(t, first) == "T" })
}

func TestNoFreeze(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{NoFreeze: true})
	first := pid(t, l)
	settled(t, l)
	if got := state(t, first); got == "T" {
		t.Error("stopped")
	}
}

// A process that dies while frozen is found out by the next invocation.
func TestDeathInSleep(t *testing.T) {
	t.Parallel()
	l, _ := start(t, emulator.Config{})
	first := pid(t, l)
	settled(t, l)
	victim, err := os.FindProcess(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its end", func() bool {
		_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(first)))
		return err != nil
	})
	if second := pid(t, l); second == first {
		t.Error("the dead process answered")
	}
	if got := l.Sandboxes().Resets; got != 1 {
		t.Errorf("%d resets", got)
	}
}
