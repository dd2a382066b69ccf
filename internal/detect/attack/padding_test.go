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
