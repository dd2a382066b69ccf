package leak_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/detect/leak"
)

// send sends text to host as one request, and reports whether it may.
func send(set *leak.Set, ledger *leak.Ledger, host, text string) bool {
	sc := set.Scanner(leak.Stream{Host: host, Ledger: ledger, Allowed: func(name string) bool {
		return name == "STRIPE" && host == "api.stripe.test"
	}})
	_, f := sc.Write([]byte(text))
	return f == nil && sc.Close() == nil
}

func TestPartsAddUp(t *testing.T) {
	stripe := string(stolen[3].Value)
	tests := []struct {
		name  string
		sent  []string // "host text"
		first int      // that is refused, from 0; -1: none
	}{
		{"eight bytes a time", []string{"a.test k=" + awsKey[:8], "a.test k=" + awsKey[8:16]}, 1},
		{"the same ones again", []string{"a.test " + awsKey[:8], "a.test " + awsKey[:8], "a.test " + awsKey[:9], "a.test " + awsKey[:11]}, -1},
		{"in one request", []string{"a.test a=" + awsKey[:8] + "&b=" + awsKey[20:28]}, 0},
		{"in different forms", []string{"a.test " + hex.EncodeToString([]byte(awsKey[:9])), "a.test " + backwards(awsKey[20:29])}, 1},
		{"half of a short one", []string{"a.test x" + string(stolen[1].Value[:8])}, 0},
		{"below one domain", []string{"x1.a.test " + awsKey[:8], "x2.a.test " + awsKey[8:16]}, 1},
		{"in labels", []string{awsKeyHex[:18] + ".a.test " + awsKeyHex[:18], awsKeyHex[18:36] + ".a.test " + awsKeyHex[18:36]}, 1},
		{"to others", []string{"a.test " + awsKey[:8], "b.test " + awsKey[8:16]}, -1},
		{"below co.uk", []string{"a.co.uk " + awsKey[:8], "b.co.uk " + awsKey[8:16]}, -1},
		{"of different secrets", []string{"a.test " + awsKey[:8], "a.test " + string(stolen[4].Value[:8])}, -1},
		{"pieces of four are not seen", []string{"a.test a=" + awsKey[:4] + "&b=" + awsKey[4:8] + "&c=" + awsKey[8:12]}, -1},
		{"where it may go", []string{"api.stripe.test " + stripe, "api.stripe.test " + stripe[24:], "a.test " + stripe[24:32]}, -1},
		{"what all keys of the account have", []string{"a.test pk_live_" + stripe[8:24], "a.test sk_live_51Hq7ZcK2bVtYw9L"}, -1},
	}
	set := leak.New(stolen)
	for _, tt := range tests {
		var ledger leak.Ledger
		first := -1
		for i, s := range tt.sent {
			host, text, _ := strings.Cut(s, " ")
			if !send(set, &ledger, host, text) {
				first = i
				break
			}
		}
		if first != tt.first {
			t.Errorf("%s: refused at %d, want %d", tt.name, first, tt.first)
		}
	}
}

var awsKeyHex = hex.EncodeToString([]byte(awsKey))

func TestSplitIsSaid(t *testing.T) {
	set := leak.New(stolen)
	var ledger leak.Ledger
	send(set, &ledger, "a.test", awsKey[:8])
	sc := set.Scanner(leak.Stream{Host: "a.test", Ledger: &ledger})
	_, f := sc.Write([]byte("x=" + backwards(awsKey[20:30])))
	if f == nil || !slices.Equal(f.DecodeChain, []string{"split", "reversed"}) || strings.Contains(f.Matched, backwards(awsKey[20:28])) {
		t.Errorf("found %+v", f)
	}
}

// TestLedgerBound fills a ledger, and goes round it with many hosts.
func TestLedgerBound(t *testing.T) {
	set := leak.New(stolen)
	var ledger leak.Ledger
	if !send(set, &ledger, "first.test", awsKey[:8]) {
		t.Fatal("eight bytes were refused")
	}
	for i := range 2000 {
		if !send(set, &ledger, fmt.Sprintf("host%d.test", i), "k="+awsKey[:8]) {
			t.Fatalf("the same eight bytes were refused at host %d", i)
		}
	}
	if n := ledger.Sites(); n > 256 {
		t.Errorf("%d sites are remembered", n)
	}
	if send(set, &ledger, "first.test", awsKey[8:16]) {
		t.Error("what the first host got is forgotten")
	}
	if send(set, &ledger, "never.seen.test", awsKey[8:16]) {
		t.Error("a new host starts afresh when others are forgotten")
	}
}

// TestLedgerCovers sends a part of each of many secrets to each of many hosts: what it
// remembers is bounded, not only where a host is new.
func TestLedgerCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	secrets := make([]leak.Secret, 100)
	for i := range secrets {
		secrets[i] = leak.Secret{Name: fmt.Sprint("KEY_", i), Value: fmt.Appendf(nil, "%x%x", random.Uint64(), random.Uint64())}
	}
	set := leak.New(secrets)
	var ledger leak.Ledger
	for i := range secrets {
		for host := range 60 {
			if !send(set, &ledger, fmt.Sprintf("h%d.test", host), string(secrets[i].Value[:8])) {
				t.Fatalf("part of secret %d was refused at host %d", i, host)
			}
		}
	}
	if n := ledger.Covers(); n > 4096+100 {
		t.Errorf("%d covers are remembered", n)
	}
	if send(set, &ledger, "h0.test", string(secrets[0].Value[8:16])) {
		t.Error("what the first host got is forgotten")
	}
}

func TestLedgerIsSafe(t *testing.T) {
	set := leak.New(stolen)
	var ledger leak.Ledger
	var mu sync.Mutex
	passed := 0
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			if send(set, &ledger, "a.test", awsKey[8*i:8*i+8]) {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if passed != 1 {
		t.Errorf("%d pieces of eight bytes left at the same time, want 1", passed)
	}
}

// TestPartsAreQuiet sends what a function sends all day.
func TestPartsAreQuiet(t *testing.T) {
	set := leak.New(append([]leak.Secret{
		{Name: "JWT", Value: []byte("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiMTIzIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEjXk0")},
		{Name: "WORDS", Value: []byte("correct horse battery staple")},
		{Name: "WEAK", Value: []byte("MyPassword123")},
		{Name: "SLACK", Value: []byte("xoxb-2748591723-8172635409-QkZ7pTv2Lm9XsRw4Jd8NcYbE")},
		{Name: "GITHUB", Value: []byte("ghp_zQWBuTSOoRi4A9spHcVYkxkJ0mLq17aBcDeF")},
		{Name: "PIN", Value: []byte("8273645190")},
		{Name: "DASHED", Value: []byte("Tr0ub4dor-EXAMPLE-9x")},
	}, stolen...))
	random := rand.New(rand.NewPCG(7, 8))
	text := []string{
		prose(200 << 10),
		"Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiNDU2In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
		"sk_live_99ZpQ4rT7uVw2XyA8bC6dE3f", "pk_live_51Hq7ZcK2bVtYw9LmPxR4s", "ghp_anotherTokenOfSomebodyElse0123456789",
		"https://hooks.slack.com/services/T00000000/B00000000", "xoxb-2748591723-8172635409-AnotherTokenOfTheTeam",
		"enter my password, then 123", "the correct way to feed a horse", `{"password":"********","user":"MyPassword"}`,
		"wJalrXUtnFE is not enough", "collector.example", "OR.EXAMPLE", strings.Repeat("A", 5000), strings.Repeat("/", 5000), strings.Repeat("01", 5000),
		"prod true us-east-1 10 orders-api 00000000-0000-0000-0000-000000000000",
	}
	for range 40 {
		b := make([]byte, 32<<10)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		text = append(text, string(b), hex.EncodeToString(b), b64(string(b)), fmt.Sprint([]int8{int8(b[0]), int8(b[1])}, text[0][:b[2]]))
	}
	var ledger leak.Ledger
	for _, s := range text {
		if sc := set.Scanner(leak.Stream{Host: "a.test", Ledger: &ledger}); true {
			_, f := sc.Write([]byte(s))
			if f == nil {
				f = sc.Close()
			}
			if f != nil {
				t.Errorf("in %.60q: %+v", s, f)
			}
		}
	}
	if n := ledger.Sites(); n > 1 {
		t.Errorf("%d sites", n)
	}
}

// FuzzParts sends pieces of a secret, in any order and form, to one host: however
// they are cut, it never gets 12 different bytes.
func FuzzParts(f *testing.F) {
	f.Add([]byte{0, 8, 0, 8, 8, 1, 20, 9, 2}, []byte{3, 1})
	f.Add([]byte{0, 40, 3, 5, 11, 5}, []byte{0})
	set := leak.New(stolen[:1])
	f.Fuzz(func(t *testing.T, pieces, cuts []byte) {
		var ledger leak.Ledger
		got := map[int]bool{}
		for ; len(pieces) >= 3; pieces = pieces[3:] {
			from := int(pieces[0]) % len(awsKey)
			to := min(len(awsKey), from+int(pieces[1])%20)
			if to-from < 8 {
				continue // not seen, as the package says
			}
			thief := []func(string) string{
				func(v string) string { return v }, backwards, b64, func(v string) string { return hex.EncodeToString([]byte(v)) },
			}[pieces[2]%4]
			text := thief(awsKey[from:to])
			cleared, found := stream(set.Scanner(leak.Stream{Host: "a.test", Ledger: &ledger}), []byte("{"+text+"}"), cuts)
			if found != nil {
				if len(cleared) > len(text) {
					t.Fatalf("%d bytes of %q have left", len(cleared), text)
				}
				continue
			}
			for i := from; i < to; i++ {
				got[i] = true
			}
		}
		if len(got) >= 12 {
			t.Fatalf("%d bytes have left", len(got))
		}
	})
}
