package leak_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

// stream writes text to sc in pieces whose lengths cuts gives in turn, and returns
// what was cleared and the finding.
func stream(sc detect.Scanner, text, cuts []byte) (cleared []byte, f *detect.Finding) {
	waiting := 0 // bytes of text written and not cleared
	at := 0
	for i := 0; at < len(text); i++ {
		n := len(text) - at
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[i%len(cuts)]))
		}
		var c int
		c, f = sc.Write(text[at : at+n])
		if f != nil {
			return cleared, f
		}
		from := at - waiting
		at += n
		waiting += n - c
		cleared = append(cleared, text[from:from+c]...)
	}
	if f = sc.Close(); f == nil {
		cleared = append(cleared, text[at-waiting:]...)
	}
	return cleared, f
}

func TestScannerHoldsBackOnlyABeginning(t *testing.T) {
	sc := set().Scanner(leak.Stream{})
	steps := []struct {
		write   string
		cleared int
		found   bool
	}{
		{"hello ", 6, false},
		{awsKey[:7], 7, false},        // too short to be worth waiting for
		{awsKey[7:11], 0, false},      // these wait, the seven are gone
		{"!", 0, false},               // which may stand between
		{"x" + awsKey[:11], 6, false}, // no secret after all
		{awsKey[11:12], 0, true},
	}
	for _, st := range steps {
		cleared, f := sc.Write([]byte(st.write))
		if cleared != st.cleared || (f != nil) != st.found {
			t.Errorf("Write(%q) = %d, %v, want %d, found %v", st.write, cleared, f, st.cleared, st.found)
		}
	}
	if cleared, f := sc.Write([]byte("more")); cleared != 0 || f == nil {
		t.Errorf("Write after a finding = %d, %v, want 0 and the finding", cleared, f)
	}
}

func TestScannerAllows(t *testing.T) {
	sc := set().Scanner(leak.Stream{Allowed: func(name string) bool { return name == "AWS_SECRET_ACCESS_KEY" }})
	if n, f := sc.Write([]byte("k=" + awsKey)); f != nil || n != len(awsKey)+2 {
		t.Errorf("Write of an allowed secret = %d, %+v", n, f)
	}
	if _, f := sc.Write([]byte(" " + password)); f == nil || f.Object != "DB" {
		t.Errorf("Write of the other secret = %+v", f)
	}
}

func TestScannerSeesNames(t *testing.T) {
	for _, name := range []string{
		strings.ToLower(strings.NewReplacer("/", "", "+", "").Replace(awsKey)),
		strings.ToLower(base64.RawURLEncoding.EncodeToString([]byte(awsKey))),
		strings.ToUpper(hex.EncodeToString([]byte(awsKey[:20]))) + "." + hex.EncodeToString([]byte(awsKey[20:])),
		strings.ToLower(base32.StdEncoding.EncodeToString([]byte(awsKey)))[:20] + "." + strings.ToLower(base32.StdEncoding.EncodeToString([]byte(awsKey)))[20:40],
	} {
		if _, f := set().Scanner(leak.Stream{}).Write([]byte(name + ".evil.test")); f == nil {
			t.Errorf("nothing was found in %q", name)
		}
	}
}

// FuzzScanner holds a stream, however it is cut, to the one-shot verdict, and what was
// cleared to seven bytes of a secret that stands in it.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("hello "), uint8(0), []byte(" world"), []byte{3})
	f.Add([]byte(awsKey[:11]), uint8(2), []byte("AAAA"), []byte{0})
	f.Add([]byte(awsKey[:9]), uint8(14), []byte(awsKey), []byte{7, 1, 30})
	s := set()
	var written []string
	var known [][]int
	for _, thief := range thieves {
		written = append(written, thief.write(awsKey))
		known = append(known, dependence(thief.write, awsKey))
	}
	written = append(written, url.QueryEscape(password), awsKey[:11], awsKey[:9])
	known = append(known, nil, nil, nil)
	f.Fuzz(func(t *testing.T, before []byte, which uint8, after, cuts []byte) {
		i := int(which) % len(written)
		text := bytes.Join([][]byte{before, []byte(written[i]), after}, nil)
		want := s.Find(text)
		cleared, got := stream(s.Scanner(leak.Stream{}), text, cuts)
		if (want == nil) != (got == nil) {
			t.Fatalf("stream of %q cut by %v = %v, one shot %v", text, cuts, got, want)
		}
		if want == nil {
			if known[i] != nil || !bytes.Equal(cleared, text) {
				t.Fatalf("cleared %q of %q", cleared, text)
			}
			return
		}
		left := 0
		for _, last := range known[i] {
			if last < len(cleared)-len(before) {
				left++
			}
		}
		if !bytes.HasPrefix(text, cleared) || left > 7 {
			t.Fatalf("cleared %d bytes, %d of the secret, which begins at %d", len(cleared), left, len(before))
		}
	})
}
