package record_test

import (
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"gatehouse/internal/record"
)

// The library that ids are compared with knows them, their time and their order.
func TestNewIDIsAULID(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		before := time.Now().UnixMilli()
		text := record.NewID()
		id, err := ulid.ParseStrict(text)
		if err != nil || id.String() != text {
			t.Fatalf("%q: %v", text, err)
		}
		if ms := int64(id.Time()); ms < before || ms > time.Now().UnixMilli() {
			t.Errorf("%q was made at %d, not at %d", text, ms, before)
		}
		if seen[text] || strings.HasSuffix(text, strings.Repeat("0", 8)) {
			t.Errorf("%q is not random", text)
		}
		seen[text] = true
	}
}
