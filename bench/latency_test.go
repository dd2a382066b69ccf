package main

import "testing"

// TestDialogues holds one of each directly: what was said came back.
func TestDialogues(t *testing.T) {
	s, err := newSink(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	talk, err := newTalker(s)
	if err != nil {
		t.Fatal(err)
	}
	defer talk.close()
	for _, m := range messages {
		d, err := m.open(talk, newTestThrough(s).call, m.text)
		if err != nil {
			t.Errorf("%s, %s: %v", m.kind, m.name, err)
			continue
		}
		for range 3 {
			if took, err := d.once(); err != nil || took <= 0 {
				t.Errorf("%s, %s: took %v, %v", m.kind, m.name, took, err)
			}
		}
		d.end()
	}
	if err := talk.provesInspection(newTestThrough(s)); err != nil {
		t.Errorf("no proxy: %v", err)
	}
	if err := talk.provesInspection(&through{inspects: true, call: newTestThrough(s).call}); err == nil {
		t.Error("nobody stopped the secret, and that passes as inspection")
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[len(hundred)-1-i] = float64(i)
	}
	for _, c := range []struct {
		samples    []float64
		part, want float64
	}{
		{[]float64{3}, 0.99, 3}, {hundred, 0.99, 99}, {hundred, 0.5, 50}, {hundred, 0, 0}, {hundred, 1, 99},
	} {
		if got := percentile(c.samples, c.part); got != c.want {
			t.Errorf("percentile(%v, %v) = %v, want %v", c.samples, c.part, got, c.want)
		}
	}
}
