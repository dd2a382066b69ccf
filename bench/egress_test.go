package main

import (
	"testing"
)

// TestLoads loads the sink directly: what a turn counts has arrived.
func TestLoads(t *testing.T) {
	s, err := newSink(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := newTestThrough(s).works(); err != nil {
		t.Fatal(err)
	}
	for _, l := range loads {
		rate, err := l.run(newTestThrough(s).call)
		if err != nil || rate <= 0 {
			t.Errorf("%s: %v %s, %v", l.name, rate, l.unit, err)
		}
	}
}

func newTestThrough(s *sink) *through {
	return &through{call: newCaller("", s.addr, s.roots)}
}

func TestLeastGoal(t *testing.T) {
	var r Report
	r.JudgeLeast("reached", 2, 2)
	if !r.OK() {
		t.Error("a goal that was reached counts as missed")
	}
	r.JudgeLeast("missed", 1.9, 2)
	if r.OK() {
		t.Error("a goal that was missed counts as reached")
	}
}
