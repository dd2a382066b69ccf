package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/cmd/gatehouse/battery"
	"gatehouse/internal/console"
	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
)

// managed starts program on a managed instance with so many invocations at once.
func managed(concurrency int, timeout time.Duration) func(*emulator.Config) {
	return func(c *emulator.Config) { c.Concurrency, c.Timeout = concurrency, timeout }
}

// On a managed instance invocations run together, and Lambda tells the extension
// of none: attacks are refused among them, each has its summary, and what is left
// goes out at SHUTDOWN.
func TestManagedInstance(t *testing.T) {
	const together = 8
	g := start(t, "func", setup{attach: wrapper, change: managed(together, 10*time.Second)})
	var wg sync.WaitGroup
	for i := range together {
		wg.Go(func() {
			event, attacks := fmt.Sprintf(`{"Do":"sleep","Ms":300,"Message":"%d"}`, i), i%2 == 1
			if attacks {
				event = fmt.Sprintf(`{"q":"%d' UNION SELECT password FROM users -- "}`, i)
			}
			out, err := g.Invoke(t.Context(), emulator.Input{Event: []byte(event)})
			switch {
			case err != nil:
				t.Error(err)
			case attacks && !strings.Contains(string(out.Payload), "Gatehouse.Refused"):
				t.Errorf("the attack was answered %s", out.Payload)
			case !attacks && string(out.Payload) != event:
				t.Errorf("%s was answered %s", event, out.Payload)
			}
		})
	}
	wg.Wait()
	eventually(t, "the health record, before the end", func() bool { return g.kinds(record.Health) == 1 })
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.kinds(record.Invocation); got != together {
		t.Errorf("%d summaries, want %d", got, together)
	}
	list, err := g.console.Detections(t.Context(), console.Filter{Kind: record.Attack})
	if err != nil || len(list) != together/2 {
		t.Fatalf("%d attacks in the console (%v), want %d", len(list), err, together/2)
	}
	for _, d := range list {
		if d.RequestID == "" || d.Action != "blocked" || !bytes.Contains(d.Raw, []byte("UNION SELECT")) {
			t.Errorf("record %s", d.Raw)
		}
	}
}

// A time-out leaves the instance running, and its invocation closed.
func TestManagedInstanceTellsOfATimeout(t *testing.T) {
	g := start(t, "func", setup{attach: wrapper, change: managed(2, 300*time.Millisecond)})
	if out := g.invoke(t, `{"Do":"sleep","Ms":60000}`); !strings.Contains(string(out.Payload), "Sandbox.Timedout") {
		t.Fatalf("the caller got %s", out.Payload)
	}
	eventually(t, "its summary", func() bool { return g.kinds(record.Invocation) == 1 })
	if out := g.invoke(t, `{"a":1}`); string(out.Payload) != `{"a":1}` {
		t.Errorf("the next event was answered %s", out.Payload)
	}
}

// A managed instance is never halted: the leak is cut, and the record says why no
// more was done.
func TestManagedInstanceIsNotHalted(t *testing.T) {
	g, host := leaky(t, runtimes(t)["Go"], setup{attach: wrapper, change: managed(4, 10*time.Second)}, "handler", "halt")
	out := g.invoke(t, string(battery.SNS(`{"customer":"ada"}`, "one")))
	if out.FunctionError != "" {
		t.Errorf("the caller got %q %s", out.FunctionError, out.Payload)
	}
	expectLeak(t, g, host, "managed")
	list, _ := g.console.Detections(t.Context(), console.Filter{Kind: record.Leak})
	if raw := string(list[0].Raw); !strings.Contains(raw, `"halted":false`) || !strings.Contains(raw, "managed instance") || list[0].Verdict != "cut" {
		t.Errorf("record %s", raw)
	}
	if got := g.Sandboxes(); got.Resets != 0 {
		t.Errorf("%+v: it was reset", got)
	}
}
