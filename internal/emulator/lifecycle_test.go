package emulator_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/emulator"
)

// aws-lambda-go's SIGTERM option registers an extension inside the runtime.
func TestExtensionInsideTheRuntime(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Env: map[string]string{"SIGTERM": "bye"}})
	invoke(t, l, `{}`)
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, log.String(), "EXTENSION\tName: GoLangEnableSIGTERM\tState: Ready\tEvents: []", "REPORT", "bye")
}

// Without an extension the runtime is killed without a word.
func TestRuntimeAloneGetsNoSIGTERM(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Command: []string{"/bin/sh", "-c", `trap 'echo term' TERM; exec 2>&1; "$0"; exit`, program(t, "func")}})
	invoke(t, l, `{}`)
	if err := l.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "term\n") {
		t.Error("it got SIGTERM")
	}
}

func TestShutdownKillsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{Timeout: time.Minute})
	settled(t, l)
	done := make(chan *emulator.Output)
	go func() {
		out, err := l.Invoke(context.Background(), emulator.Input{Event: []byte(`{"Say":"begun","Do":"sleep","Ms":60000}`)})
		if err != nil {
			t.Errorf("Invoke: %v", err)
		}
		done <- out
	}()
	eventually(t, "the invocation", func() bool { return strings.Contains(log.String(), "begun") })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Shutdown(ctx); err == nil {
		t.Error("Shutdown says that all went well")
	}
	if out := <-done; !strings.Contains(string(out.Payload), "Sandbox.Failure") {
		t.Errorf("payload %s", out.Payload)
	}
}

func TestCPUShare(t *testing.T) {
	t.Parallel()
	l, log := start(t, emulator.Config{CPUShare: true, MemoryMB: 256, Timeout: 10 * time.Second})
	if out := invoke(t, l, `{"a":1}`); string(out.Payload) != `{"a":1}` {
		t.Errorf("payload %s", out.Payload)
	}
	group := string(invoke(t, l, `{"Do":"file","Message":"/proc/self/cgroup"}`).Payload)
	limited := strings.Contains(group, "/gatehouse-")
	if said := strings.Count(log.String(), "the CPU share is not limited: "); limited == (said == 1) {
		t.Errorf("limited %v, said so %d times; cgroups %s", limited, said, group)
	}
}
