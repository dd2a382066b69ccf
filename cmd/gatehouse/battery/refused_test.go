package battery_test

import (
	"slices"
	"testing"

	"gatehouse/cmd/gatehouse/battery"
	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// refused reports whether the event firewall may refuse message.
func refused(e *attack.Engine, message string) bool {
	event := battery.SNS(message, "1")
	var r detect.Result
	e.Inspect(event, e.Source(event), &r, nil)
	return slices.ContainsFunc(r.Findings, func(f detect.Finding) bool { return !f.Weak })
}

// The battery is refused whole, rows drawn with another seed, too, and nothing
// benign is.
func TestBatteryIsRefused(t *testing.T) {
	var e attack.Engine
	for seed, n := range map[uint64]int{battery.Seed: battery.Size, 7: 4000} {
		for _, a := range battery.Draw(seed, n) {
			if !refused(&e, a.Text) {
				t.Errorf("seed %d: %s, %s: %q passes", seed, a.Technique, a.Database, a.Text)
			}
		}
	}
	for _, text := range append(battery.Benign(1000), battery.Hard()...) {
		if refused(&e, text) {
			t.Errorf("%q is refused", text)
		}
	}
}
