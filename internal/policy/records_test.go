package policy_test

import (
	"fmt"
	"math"
	"testing"

	"gatehouse/internal/policy"
)

func TestRecordsAreRead(t *testing.T) {
	p, err := policy.Parse([]byte(`
version: 1
records:
  logs: false
  level: warn
  sample: 0.25
  event: none
  masks: {defaults: false, paths: [a.b, "**.c", 'd["e f"][*].*', "[0].g"], headers: x-key, patterns: 'x([0-9]+)'}
`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{NoLogs:true Level:warn Sample:0.25 NoEvent:true Masks:{Defaults:false Paths:[a.b **.c d["e f"][*].* [0].g] Headers:[x-key] Patterns:[x([0-9]+)]}}`
	if got := fmt.Sprintf("%+v", p.Records); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	if r := policy.Default().Records; r.NoLogs || r.Level != policy.LevelNone || r.Sample != 1 || r.NoEvent || !r.Masks.Defaults {
		t.Errorf("the defaults: %+v", r)
	}
}

// A sample is about as large as it says, the same each time, and holds what belongs to
// no invocation.
func TestSampled(t *testing.T) {
	for _, part := range []float64{0, 0.01, 0.25, 0.9, 1} {
		r := policy.Records{Sample: part}
		const n = 20_000
		var in float64
		for i := range n {
			id := fmt.Sprintf("8f507cfc-aaaa-4697-b07a-%012x", i)
			sent := r.Sampled(id)
			if sent {
				in++
			}
			if again := (&policy.Records{Sample: part}).Sampled(id); again != sent {
				t.Fatalf("%s: not the same twice", id)
			}
		}
		if sigma := math.Sqrt(n * part * (1 - part)); math.Abs(in-n*part) > 5*sigma {
			t.Errorf("sample %v: %v of %d", part, in, n)
		}
		if !r.Sampled("") {
			t.Error("what belongs to no invocation is left out")
		}
	}
}
