package leak_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

func at(name string) detect.Spot { return detect.Spot{Kind: "query", Name: name, N: -1} }

func always([]byte) bool { return true }

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
				got = trail.Follow(f[0], at(f[1]), f[2], always)
			}
			if string(got) != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestTrailAsks about little: what is round the place where a value begins.
func TestTrailAsks(t *testing.T) {
	var asked []string
	touches := func(text []byte) bool {
		asked = append(asked, string(text))
		return false
	}
	var trail leak.Trail
	for _, v := range []string{"abc", strings.Repeat("x", 40), strings.Repeat("y", 40), "z"} {
		if got := trail.Follow("evil.test", at("q"), v, touches); got != nil {
			t.Errorf("%q", got)
		}
	}
	want := []string{"abcxxxxxxxx", strings.Repeat("x", 24) + "yyyyyyyy", strings.Repeat("y", 24) + "z"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked about %q, want %q", asked, want)
	}
}

// TestTrim: what was found is not found again, but what it ends with may go on.
func TestTrim(t *testing.T) {
	untouched := func(text []byte) bool { return !shared().Touches(text) }
	var trail leak.Trail
	trail.Trim("evil.test", at("q"), untouched)
	trail.Follow("evil.test", at("q"), "a=b;", always)
	trail.Follow("evil.test", at("q"), awsKey[:33], always)
	trail.Trim("evil.test", at("q"), untouched)
	if got := string(trail.Follow("evil.test", at("q"), awsKey[33:], always)); got != awsKey[33-7:] {
		t.Errorf("%q, want %q", got, awsKey[33-7:])
	}
}

func TestTrailIsBounded(t *testing.T) {
	var trail leak.Trail
	trail.Follow("kept.test", at("q"), "first", always)
	for i := range 5000 {
		trail.Follow(fmt.Sprintf("h%d.test", i), at("q"), "value", always)
		if n := trail.Spots(); n > 1024 {
			t.Fatalf("%d places after %d hosts", n, i)
		}
		if i%100 == 0 {
			trail.Follow("kept.test", at("q"), fmt.Sprint(i), always)
		}
	}
	if got := trail.Follow("kept.test", at("q"), "last", always); !strings.HasSuffix(string(got), "48004900last") || len(got) > 64 {
		t.Errorf("%q", got)
	}
}
