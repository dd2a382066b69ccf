package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/record"
)

// Findings are with Splunk within a second of the verdict and before the freeze,
// whatever waits; the rest comes when GATEHOUSE_FLUSH says, at SHUTDOWN at last.
func TestFlushModes(t *testing.T) {
	const quick = 30
	tests := []struct {
		name, mode  string
		least, most int // posts of quick invocations without findings
	}{
		{"end", "end", quick, 2 * quick},
		{"default", "", manyInvocations, 2 * quick / 3}, // the first ones are few
		{"adaptive", "adaptive", manyInvocations, 2 * quick / 3},
		{"periodic", "periodic", 1, 5},
		{"shutdown", "shutdown", 1, 3}, // the health record
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCollector(t)
			env := c.env()
			env["GATEHOUSE_FLUSH"] = tt.mode
			g := start(t, "func", setup{attach: wrapper, env: env})
			for i := range quick {
				g.invoke(t, fmt.Sprintf(`{"Say":"line %d"}`, i))
			}
			if n := c.count(); n < tt.least || n > tt.most {
				t.Errorf("%d posts for %d invocations, want %d to %d", n, quick, tt.least, tt.most)
			}
			before, lines := time.Now(), c.kind(record.Log)
			g.invoke(t, sqlmap)
			eventually(t, "the attack", func() bool { return c.kind(record.Attack) == 1 })
			if took := time.Since(before); took > time.Second {
				t.Errorf("the attack took %v", took)
			}
			if now := c.kind(record.Log); tt.mode == "shutdown" && now != 0 || now < lines {
				t.Errorf("%d lines arrived, %d before", now, lines)
			}
			if err := g.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := c.kind(record.Log); n < quick {
				t.Errorf("%d lines arrived in the end, want %d", n, quick)
			}
			if a := g.balance(t, c); len(a.spooled) != 0 || a.ended.Lost != 0 {
				t.Errorf("on disk %v, %+v", a.spooled, a.ended)
			}
		})
	}
}

// What waits is bounded while the function runs, too: a burst of lines goes at once.
func TestABurstIsSentWhileTheFunctionRuns(t *testing.T) {
	c := newCollector(t)
	env := c.env()
	env["GATEHOUSE_FLUSH"] = "periodic"
	g := start(t, "func", setup{attach: wrapper, env: env})
	g.invoke(t, `{}`)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.invoke(t, fmt.Sprintf(`{"Do":"sleep","Ms":3000,"Say":%q,"Lines":3000}`, strings.Repeat("word ", 40)))
	}()
	eventually(t, "lines before the end", func() bool { return c.kind(record.Log) > 500 })
	select {
	case <-done:
		t.Error("the invocation was over already")
	default:
	}
	<-done
	if err := g.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.balance(t, c)
}
