package leak_test

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/detect/leak"
)

// TestTrail sends values one after the other, "host place value", and says what is to be
// looked at.
func TestTrail(t *testing.T) {
	tests := []struct {
		name, sends, want string // of the last
	}{
		{"the first", "a.test q one", ""},
		{"too little", "a.test q one|a.test q two", ""},
		{"pieces", "a.test q one|a.test q two|a.test q three", "onetwothree"},
		{"the same small one, always", "a.test q v1|a.test q v1|a.test q v1|a.test q v1|a.test q v1|a.test q v1", ""},
		{"single bytes", "a.test q 1|a.test q 2|a.test q 3|a.test q 4|a.test q 4|a.test q 4|a.test q 7|a.test q 8", "12344478"},
		{"another place", "a.test q one|a.test q two|a.test p three", ""},
		{"another site", "a.test q one|a.test q two|b.test q three", ""},
		{"below one domain", "1.a.test q one|2.a.test q two|3.a.test q three", "onetwothree"},
		{"always the same", "a.test q constant|a.test q constant", ""},
		{"changing again", "a.test q constant|a.test q constant|a.test q changed", "constantchanged"},
		{"a long one between", "a.test q constant|a.test q " + strings.Repeat("x", 65) + "|a.test q changed", "constantchanged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var trail leak.Trail
			var got []byte
			for send := range strings.SplitSeq(tt.sends, "|") {
				f := strings.Fields(send)
				got = trail.Follow(f[0], f[1], f[2])
			}
			if string(got) != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestTrim: what was found is not found again, but what it ends with may go on.
func TestTrim(t *testing.T) {
	s := shared()
	var trail leak.Trail
	trail.Trim("evil.test", "q", s.Quiet)
	trail.Follow("evil.test", "q", "a=b;")
	trail.Follow("evil.test", "q", awsKey[:33])
	trail.Trim("evil.test", "q", s.Quiet)
	if got := string(trail.Follow("evil.test", "q", awsKey[33:])); got != awsKey[33-7:] {
		t.Errorf("%q, want %q", got, awsKey[33-7:])
	}
}

func TestTrailIsBounded(t *testing.T) {
	var trail leak.Trail
	trail.Follow("kept.test", "q", "first")
	for i := range 5000 {
		trail.Follow(fmt.Sprintf("h%d.test", i), "q", "value")
		if n := trail.Places(); n > 1024 {
			t.Fatalf("%d places after %d hosts", n, i)
		}
		if i%100 == 0 {
			trail.Follow("kept.test", "q", fmt.Sprint(i))
		}
	}
	if got := trail.Follow("kept.test", "q", "last"); !strings.HasSuffix(string(got), "48004900last") || len(got) > 64 {
		t.Errorf("%q", got)
	}
}
