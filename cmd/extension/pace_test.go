package main

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name    string
		mode    flushMode
		between time.Duration // invocations
		n       int
		flushes int
	}{
		{"few", flushAdaptive, time.Minute, 50, 50},
		{"one each second is few", flushAdaptive, time.Second, 50, 50},
		{"many: once a second", flushAdaptive, 10 * ms, 1010, 20},
		{"many, slower", flushAdaptive, 500 * ms, 50, 30},
		{"end", flushEnd, 10 * ms, 100, 100},
		{"periodic", flushPeriodic, 100 * ms, 1000, 10},
		{"periodic, few", flushPeriodic, time.Hour, 10, 10},
		{"shutdown", flushShutdown, time.Hour, 100, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, now, n := pace{mode: tt.mode}, time.Unix(1_800_000_000, 0), 0
			for range tt.n {
				if p.due(now) {
					n++
					p.flushed(now)
				}
				now = now.Add(tt.between)
			}
			if n != tt.flushes {
				t.Errorf("%d flushes, want %d", n, tt.flushes)
			}
		})
	}
}

// A clock that is set back, or a long freeze, makes nothing wait.
func TestPaceOverAJumpOfTheClock(t *testing.T) {
	for _, jump := range []time.Duration{-24 * time.Hour, 24 * time.Hour, -2 * time.Second} {
		p, now := pace{}, time.Unix(1_800_000_000, 0)
		for range 100 {
			if p.due(now) {
				p.flushed(now)
			}
			now = now.Add(time.Millisecond)
		}
		if p.due(now) {
			t.Fatal("due without need")
		}
		if !p.due(now.Add(jump)) {
			t.Errorf("%v: not due", jump)
		}
	}
}

func TestPaceOfAManagedInstance(t *testing.T) {
	for mode, want := range map[flushMode]int{flushAdaptive: 60, flushEnd: 60, flushPeriodic: 6, flushShutdown: 0} {
		p, now, n := pace{mode: mode}, time.Unix(1_800_000_000, 0), 0
		for range 60 {
			if p.ticks(now) {
				n++
				p.flushed(now)
			}
			now = now.Add(time.Second)
		}
		if n != want {
			t.Errorf("mode %d: %d flushes in a minute, want %d", mode, n, want)
		}
	}
}
