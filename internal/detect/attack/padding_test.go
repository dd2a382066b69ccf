package attack_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// Text in front of an attack that is made to cost much must not use up the budget
// before the attack is reached.
func TestPaddingHidesNothing(t *testing.T) {
	const payload = `1' UNION SELECT password FROM users -- `
	pads := map[string]string{
		"all rungs": "a=b%253D%2527%2520x%26c%3Dd＇",
		"forms":     "a=b%26c%3Dd%2526e%253Df",
		"percent":   strings.Repeat("%2525", 12),
		"base64":    "WVdGaFlXRmhZV0ZoWVdGaFlXRmhZV0ZoWVdGaFlXRmg=",
	}
	for name, pad := range pads {
		for _, n := range []int{100, 1000, 8000} {
			message, err := json.Marshal(map[string]any{"p": slicesOf(pad, n), "q": payload})
			if err != nil {
				t.Fatal(err)
			}
			event, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
				"EventSource": "aws:sns", "Sns": map[string]string{"Message": string(message)},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			var e attack.Engine
			var r detect.Result
			e.Inspect(event, e.Source(event), &r, nil)
			if len(r.Findings) == 0 {
				t.Errorf("%s, %d times: nothing found in %d bytes with %d of work, exhausted %v", name, n, len(event), r.Work, r.Exhausted)
			}
		}
	}
}

func slicesOf(s string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = s
	}
	return list
}

// What costs a string its share of the budget, or fills the list of findings, costs
// no other string anything: so an attack behind it, that takes two steps to undo, is
// found.
func TestWhatCostsMuchHidesNothingBehindIt(t *testing.T) {
	attack := b64("a=1&q=" + q(`1' UNION SELECT password FROM users -- `))
	bomb := gz(strings.Repeat("a", 8<<20))
	tests := map[string]struct {
		hostile   any
		exhausted bool
	}{
		"a gzip bomb":              {b64(bomb), true},
		"many gzip bombs":          {slicesOf(b64(bomb), 100), true},
		"a bomb in base64 twice":   {b64(b64(bomb)), true},
		"a zlib bomb":              {b64(zl(strings.Repeat("a", 8<<20))), true},
		"weak signs by thousands":  {slicesOf("cat /etc/passwd", 3000), false},
		"a weak sign and no other": {"cat /etc/passwd", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			event := []byte(encode(map[string]any{"comment": tt.hostile, "q": attack}))
			r := inspect(t, event)
			if !profiles["block"].flagged(r) || r.Exhausted != tt.exhausted {
				t.Errorf("%d findings with %d of work for %d bytes, exhausted %v; gaps %+v", len(r.Findings), r.Work, len(event), r.Exhausted, r.Gaps)
			}
			if r.Work > 40*len(event)+1<<20 {
				t.Errorf("work = %d for %d bytes", r.Work, len(event))
			}
		})
	}
}

// A bomb is judged as far as it is inflated.
func TestWhatABombBeginsWithIsJudged(t *testing.T) {
	bomb := gz(`{"q":"1' UNION SELECT password FROM users -- ","pad":"` + strings.Repeat("a", 8<<20) + `"}`)
	r := inspect(t, []byte(object("data", b64(bomb))))
	if !profiles["block"].flagged(r) || !r.Exhausted {
		t.Errorf("findings %+v, exhausted %v", r.Findings, r.Exhausted)
	}
}
