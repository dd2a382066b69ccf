package main

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// written is a text of which s[lo:hi] says nothing but a secret: what stands beside it
// depends on the secret's neighbours, too.
type written struct {
	s      string
	lo, hi int
}

// way is one way to write a text, in as many variants as there are.
type way func(written) []written

// each writes every byte by itself.
func each(f func(c byte) string) way {
	return func(w written) []written {
		var b strings.Builder
		at := make([]int, 0, len(w.s)+1)
		for i := range len(w.s) {
			at = append(at, b.Len())
			b.WriteString(f(w.s[i]))
		}
		at = append(at, b.Len())
		return []written{{b.String(), at[w.lo], at[w.hi]}}
	}
}

// whole writes the text in one piece where what is beside the secret does not matter to
// how it is written.
func whole(f func(s string) string) way {
	return func(w written) []written {
		before, secret := f(w.s[:w.lo]), f(w.s[w.lo:w.hi])
		return []written{{before + secret + f(w.s[w.hi:]), len(before), len(before) + len(secret)}}
	}
}

func anyOf(ways ...way) way {
	return func(w written) (all []written) {
		for _, f := range ways {
			all = append(all, f(w)...)
		}
		return all
	}
}

// packed writes in characters of so many bits, behind 0 to n-1 other bytes.
func packed(encode func([]byte) string, bits, n int) way {
	return func(w written) (all []written) {
		for k := range n {
			s := encode([]byte("<->-<"[:k] + w.s + "~"))
			all = append(all, written{s, (8*(k+w.lo) + bits - 1) / bits, 8 * (k + w.hi) / bits})
		}
		return all
	}
}

// base85 writes four bytes as five characters of alphabet.
func base85(alphabet string) way {
	return func(w written) (all []written) {
		for k := range 4 {
			text := []byte("<->"[:k] + w.s + "~~~")
			var b strings.Builder
			for i := 0; i+4 <= len(text); i += 4 {
				var group [5]byte
				n := binary.BigEndian.Uint32(text[i:])
				for j := range group {
					group[4-j] = alphabet[n%85]
					n /= 85
				}
				b.Write(group[:])
			}
			all = append(all, written{b.String(), (k + w.lo + 3) / 4 * 5, (k + w.hi) / 4 * 5})
		}
		return all
	}
}

func backwards(w written) []written {
	b := []byte(w.s)
	slices.Reverse(b)
	return []written{{string(b), len(b) - w.hi, len(b) - w.lo}}
}

func hexed(format string) way { return each(func(c byte) string { return fmt.Sprintf(format, c) }) }

func quoted(escapeHTML bool) way {
	return whole(func(s string) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escapeHTML)
		_ = e.Encode(s) // a string always encodes
		return strings.TrimSuffix(b.String(), "\"\n")[1:]
	})
}

func wide(order binary.AppendByteOrder) way {
	return whole(func(s string) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	})
}

// The ways that docs/leaks.md and detect/leak name, written anew: a mistake of theirs is
// none of these.
var (
	percents = anyOf(whole(url.QueryEscape), whole(url.PathEscape), whole(smallDigits), hexed("%%%02X"), hexed("%%%02x"))
	percent  = anyOf(whole(url.QueryEscape), whole(url.PathEscape), whole(smallDigits))
	escapes  = anyOf(quoted(true), quoted(false),
		whole(func(s string) string { // in ASCII
			var b strings.Builder
			for _, u := range utf16.Encode([]rune(s)) {
				switch c := rune(u); {
				case c == '"' || c == '\\':
					b.WriteString(`\` + string(c))
				case c < ' ' || c > '~':
					fmt.Fprintf(&b, `\u%04x`, c)
				default:
					b.WriteRune(c)
				}
			}
			return b.String()
		}),
		whole(func(s string) string { return strings.NewReplacer(`"`, `\"`, `\`, `\\`, "/", `\/`).Replace(s) }))
	units = anyOf(
		whole(func(s string) string { return escapedUnits(s, `\u%04x`) }),
		whole(func(s string) string { return escapedUnits(s, `\u%04X`) }))
	base64s = anyOf(packed(base64.StdEncoding.EncodeToString, 6, 3), packed(base64.RawURLEncoding.EncodeToString, 6, 3))
	base32s = anyOf(packed(base32.StdEncoding.EncodeToString, 5, 5), packed(base32.HexEncoding.EncodeToString, 5, 5),
		packed(func(b []byte) string { return strings.ToLower(base32.StdEncoding.EncodeToString(b)) }, 5, 5))
	base85s = anyOf(
		base85("!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu"),
		base85("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"),
		base85("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"))
	hexes  = anyOf(hexed("%02x"), hexed("%02X"))
	rotate = each(func(c byte) string {
		if l := c | 0x20; l >= 'a' && l <= 'z' {
			c = c&0x20 | 'A' + (l-'a'+13)%26
		}
		return string([]byte{c})
	})
	wides = anyOf(wide(binary.LittleEndian), wide(binary.BigEndian))
)

// smallDigits is url.QueryEscape with %3f for %3F.
func smallDigits(s string) string {
	var b strings.Builder
	for i, part := range strings.Split(url.QueryEscape(s), "%") {
		if i > 0 {
			b.WriteString("%" + strings.ToLower(part[:2]))
			part = part[2:]
		}
		b.WriteString(part)
	}
	return b.String()
}

// escapedUnits writes every unit of UTF-16 by itself.
func escapedUnits(s, format string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, format, u)
	}
	return b.String()
}

// encodings are the ways and those within each other, the inner one first; differs says
// that what they write is never as in a way before.
var encodings = []struct {
	name    string
	ways    []way
	differs bool
}{
	{"plain", nil, true},
	{"percent", []way{percents}, false},
	{"percent twice", []way{percents, whole(url.QueryEscape)}, false},
	{"percent of JSON", []way{escapes, percent}, false},
	{"JSON", []way{escapes}, false},
	{"JSON throughout", []way{units}, true},
	{"base64", []way{base64s}, true},
	{"base64 twice", []way{base64s, base64s}, true},
	{"base64 three times", []way{packed(base64.StdEncoding.EncodeToString, 6, 3), packed(base64.StdEncoding.EncodeToString, 6, 3), packed(base64.StdEncoding.EncodeToString, 6, 3)}, true},
	{"base64 of JSON", []way{escapes, base64s}, false},
	{"percent of base64", []way{base64s, percent}, false},
	{"hex", []way{hexes}, true},
	{"base64 of hex", []way{hexes, base64s}, true},
	{"hex of base64", []way{base64s, hexes}, true},
	{"base32", []way{base32s}, true},
	{"base85", []way{base85s}, false},
	{"reversed", []way{backwards}, true},
	{"base64 of reversed", []way{backwards, base64s}, true},
	{"reversed base64", []way{base64s, backwards}, true},
	{"rot13", []way{rotate}, true},
	{"UTF-16", []way{wides}, true},
	{"base64 of UTF-16", []way{wides, base64s}, true},
}

// minNeedle is the shortest text that says a secret, in bytes; what is shorter may be
// chance.
const minNeedle = 8

// needle is one way to write one secret.
type needle struct {
	secret, how string
	written
}

func (n *needle) text() string { return n.s[n.lo:n.hi] }

// needles are all ways to write value.
func needles(secret, value string) (all []needle) {
	seen := make(map[string]bool)
	for _, e := range encodings {
		texts := []written{{value, 0, len(value)}}
		for _, f := range e.ways {
			var next []written
			for _, w := range texts {
				next = append(next, f(w)...)
			}
			texts = next
		}
		for _, w := range texts {
			if n := (needle{secret, e.name, w}); w.hi-w.lo >= minNeedle && !seen[n.text()] {
				seen[n.text()] = true
				all = append(all, n)
			}
		}
	}
	return all
}

// piece is how much of a secret in a row is one too much, as it is.
const piece = 12

// haystack finds needles in what was captured: as they are, as they stand in JSON, in
// JSON in JSON, and on a page, and every piece of a secret. Case does not count.
type haystack struct {
	all    []needle
	begins map[uint64][]int // by their first eight bytes, in lower case
	filter [1 << 13]uint64
}

func newHaystack(secrets map[string]string) *haystack {
	h := &haystack{begins: make(map[uint64][]int)}
	seen := make(map[string]bool)
	add := func(n needle) {
		n.written = written{string(lower([]byte(n.text()))), 0, n.hi - n.lo}
		if seen[n.s] || len(n.s) < minNeedle {
			return
		}
		seen[n.s] = true
		key := binary.LittleEndian.Uint64([]byte(n.s))
		h.begins[key] = append(h.begins[key], len(h.all))
		bit := slot(key)
		h.filter[bit>>6] |= 1 << (bit & 63)
		h.all = append(h.all, n)
	}
	for name, value := range secrets {
		for _, n := range needles(name, value) {
			add(n)
			for _, w := range anyOf(escapes, whole(html.EscapeString))(n.written) {
				add(needle{name, n.how + ", escaped", w})
				for _, w := range anyOf(escapes, whole(html.EscapeString))(w) {
					add(needle{name, n.how + ", escaped twice", w})
				}
			}
		}
		for i := 0; i+piece <= len(value); i++ {
			add(needle{name, "a piece", written{value, i, i + piece}})
		}
	}
	return h
}

// slot is where in a haystack's filter a key stands.
func slot(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> 45 }

// find returns the needles in text.
func (h *haystack) find(text []byte) map[*needle]int {
	found := make(map[*needle]int)
	text = lower(text)
	for i := 0; i+minNeedle <= len(text); i++ {
		key := binary.LittleEndian.Uint64(text[i:])
		if bit := slot(key); h.filter[bit>>6]>>(bit&63)&1 == 0 {
			continue
		}
		for _, at := range h.begins[key] {
			if n := &h.all[at]; bytes.HasPrefix(text[i:], []byte(n.s)) {
				found[n] = i
			}
		}
	}
	return found
}

// lower is text with the letters of ASCII small, each byte in its place.
func lower(text []byte) []byte {
	small := bytes.Clone(text)
	for i, c := range small {
		if c >= 'A' && c <= 'Z' {
			small[i] = c | 0x20
		}
	}
	return small
}

// Every needle is found in what surrounds it, and none of them where a character of it is
// another.
func TestHaystackFindsEveryNeedle(t *testing.T) {
	h := newHaystack(planted)
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 4<<10)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	if found := h.find(noise); len(found) > 0 {
		t.Errorf("in nothing there are %d needles", len(found))
	}
	hows := make(map[string]int)
	for i := range h.all {
		n := &h.all[i]
		at := random.IntN(len(noise))
		text := slices.Concat(noise[:at], []byte(n.s), noise[at:])
		if found, ok := h.find(text)[n]; !ok || found != at {
			t.Errorf("%s of %s is not found at %d: %q", n.how, n.secret, at, n.s)
		}
		text[at+len(n.s)/2] ^= 0x80
		if _, ok := h.find(text)[n]; ok {
			t.Errorf("%s of %s is found where it is not: %q", n.how, n.secret, n.s)
		}
		hows[n.secret+"/"+n.how]++
	}
	for name := range planted {
		for _, e := range encodings {
			if e.differs && hows[name+"/"+e.name] == 0 {
				t.Errorf("no needle is %s of %s", e.name, name)
			}
		}
	}
	t.Logf("%d needles", len(h.all))
}
