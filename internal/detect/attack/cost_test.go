package attack_test

import (
	"encoding/json"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// A benign event costs no allocation once the engine has its buffers. With the race
// detector a pool forgets some of what it holds, so the least of many runs counts.
func TestBenignEventsAllocateNothing(t *testing.T) {
	_, benign := envelopePayloads(t)
	order := map[string]any{"note": benign[0], "items": []any{map[string]any{"sku": "AB-12", "n": 2}}}
	text, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string][]byte{
		"1 KB":                benignEvent(1 << 10),
		"64 KB":               benignEvent(64 << 10),
		"JSON in SQS":         []byte(records("aws:sqs", "body", string(text))),
		"Kinesis":             []byte(kinesis(string(text))),
		"API Gateway, base64": []byte(restEvent(b64(string(text)), "a=1&b=K%C3%B6ln")),
		"a form":              []byte(object("body", "name="+q(benign[0])+"&city=K%C3%B6ln")),
	}
	for name, event := range events {
		var e attack.Engine
		var r detect.Result
		least := 1.0
		for range 100 {
			least = min(least, testing.AllocsPerRun(1, func() {
				r.Reset()
				e.Inspect(event, e.Source(event), &r, nil)
			}))
		}
		if least > 0 || len(r.Findings) > 0 {
			t.Errorf("%s: %v allocations and %d findings, want none", name, least, len(r.Findings))
		}
	}
}
