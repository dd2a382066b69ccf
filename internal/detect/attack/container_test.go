package attack_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"slices"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/attack"
)

// zipped is b as gzip.
func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What is inflated is bounded in all: a bomb in a bomb gets what the outer one
// left of 32 MiB.
func TestInflatedIsBounded(t *testing.T) {
	zeros := make([]byte, 17<<20)
	bomb := zipped(t, zeros)
	outer := base64.StdEncoding.EncodeToString(zipped(t, append(bomb[:len(bomb):len(bomb)], zeros...)))
	inner := base64.StdEncoding.EncodeToString(bomb)
	for _, tt := range []struct {
		name, event string
		gap         bool
	}{
		{"one", `["` + inner + `"]`, false},
		{"one in the other", `["` + outer + `"]`, true},
	} {
		e := attack.Engine{Budget: func(int) int { return 1 << 30 }}
		var r detect.Result
		e.Inspect([]byte(tt.event), e.Source([]byte(tt.event)), &r, nil)
		gap := slices.ContainsFunc(r.Gaps, func(g detect.Gap) bool { return g.Reason == "budget" })
		if gap != tt.gap || r.Exhausted {
			t.Errorf("%s: gaps %+v, exhausted %v, work %d", tt.name, r.Gaps, r.Exhausted, r.Work)
		}
	}
}
