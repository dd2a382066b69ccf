package corpus_test

import (
	"strings"
	"testing"

	"gatehouse/test/egress/corpus"
)

// Whoever gets all of what is sent can undo it: else a row would prove nothing.
func TestEncodings(t *testing.T) {
	const secret = "tok_4Zq7Wn1Xc8Vb5Mk2Jh9Gf6Ds3A"
	for _, e := range corpus.Encodings {
		got := e.Decode(e.Encode(secret))
		want := secret
		if e.Name == "case folded" {
			want = strings.ToLower(secret)
		}
		if known := e.Seen || e.ID == "E14"; strings.Contains(got, want) != known {
			t.Errorf("%s: %q came back as %q", e.Name, secret, got)
		}
	}
}

func TestRows(t *testing.T) {
	rows := corpus.Rows()
	if len(rows) < 150+len(corpus.Incidents) {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		_, _ = corpus.PlacementOf(r.Place), corpus.EncodingOf(r.Encoding) // they panic
	}
	t.Logf("%d rows, of which %d are incidents", len(rows), len(corpus.Incidents))
}
