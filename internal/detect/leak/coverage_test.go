package leak_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

// thieves write a secret in every way that this package undoes, each with what
// stands next to it.
var thieves = []struct {
	name  string
	write func(v string) string
}{
	{"raw", func(v string) string { return v }},
	{"url", url.QueryEscape},
	{"url, every byte", func(v string) string { return joined(v, "%%%02X", "") }},
	{"url twice", func(v string) string { return url.QueryEscape(url.QueryEscape(v)) }},
	{"json, every character", escapeAll},
	{"hex", func(v string) string { return hex.EncodeToString([]byte(v)) }},
	{"HEX", func(v string) string { return joined(v, "%02X", "") }},
	{"hEx", func(v string) string { return mixed(hex.EncodeToString([]byte(v))) }},
	{"he:x", func(v string) string { return joined(v, "%02x", ":") }},
	{"he x", func(v string) string { return joined(v, "%02x", " ") }},
	{`\xhe\xx`, func(v string) string { return joined(v, `\x%02x`, "") }},
	{"0xhe, 0xx", func(v string) string { return joined(v, "0x%02x", ", ") }},
	{"[1, 2]", func(v string) string { return joined(v, "%d", ", ") }},
	{"base64 at 0", b64},
	{"base64 at 1", func(v string) string { return b64("x" + v + "y") }},
	{"base64 at 2", func(v string) string { return b64("xy" + v + "z") }},
	{"base64url", func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) }},
	{"base64 twice", func(v string) string { return b64("x" + b64("ab"+v)) }},
	{"base64 three times", func(v string) string { return b64("x" + b64("ab"+b64("x"+v))) }},
	{"base64, wrapped", func(v string) string { return split(b64(v), 19, "\r\n") }},
	{"base64, spaced", func(v string) string { return split(b64(v), 4, " ") }},
	{"base32", func(v string) string { return base32.StdEncoding.EncodeToString([]byte(v)) }},
	{"base32, lower case, in labels", func(v string) string {
		return split(strings.ToLower(base32.StdEncoding.EncodeToString([]byte("abc"+v))), 30, ".")
	}},
	{"ascii85", a85},
	{"reversed", backwards},
	{"base64 of reversed", func(v string) string { return b64(backwards(v)) }},
	{"reversed base64", func(v string) string { return backwards(b64(v)) }},
	{"rot13", func(v string) string { return strings.Map(rot13, v) }},
	{"UTF-16", func(v string) string { return string(utf16le(v)) }},
	{"base64 of UTF-16", func(v string) string { return b64(string(utf16le(v))) }},
	{"base64 of hex", func(v string) string { return b64(hex.EncodeToString([]byte(v))) }},
	{"hex of base64", func(v string) string { return hex.EncodeToString([]byte(b64(v))) }},
	{"xor", func(v string) string { return eachByte(v, func(c byte) byte { return c ^ 0xA7 }) }},
	{"shift", func(v string) string { return eachByte(v, func(c byte) byte { return c + 3 }) }},
	{"lower case", strings.ToLower},
	{"upper case", strings.ToUpper},
	{"dashed", func(v string) string { return split(v, 1, "-") }},
	{"spaced", func(v string) string { return split(v, 5, "  \n") }},
}

func joined(v, format, sep string) string {
	var list []string
	for _, c := range []byte(v) {
		list = append(list, fmt.Sprintf(format, c))
	}
	return strings.Join(list, sep)
}

func split(v string, n int, sep string) string {
	var list []string
	for ; len(v) > n; v = v[n:] {
		list = append(list, v[:n])
	}
	return strings.Join(append(list, v), sep)
}

func mixed(v string) string {
	b := []byte(v)
	for i := range b {
		if i%3 == 0 {
			b[i] = bytes.ToUpper(b[i : i+1])[0]
		}
	}
	return string(b)
}

func eachByte(v string, f func(byte) byte) string {
	b := []byte(v)
	for i := range b {
		b[i] = f(b[i])
	}
	return string(b)
}

// stolen are secrets of several lengths and kinds.
var stolen = []leak.Secret{
	{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(awsKey), Fingerprint: "f0f0"},
	{Name: "API_KEY", Value: []byte("q7Rz5KpW2mXv9TbN"), Fingerprint: "abab"},
	{Name: "HEX_KEY", Value: []byte("7d3a2b1c0f9e4a6d4b8f9c1e5f2b1c9e"), Fingerprint: "cdcd"},
	{Name: "STRIPE", Value: []byte("sk_live_51Hq7ZcK2bVtYw9LmPxR4sNd8GfJ3aQe6UhT0oBi"), Fingerprint: "dede"},
	{Name: "LONG", Value: long(1000), Fingerprint: "efef"},
}

func long(n int) []byte {
	random := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.IntN(256))
	}
	return []byte(base64.StdEncoding.EncodeToString(b))[:n]
}

// prose is harmless text of n bytes.
func prose(n int) string {
	const text = `{"id":"5f2b1c9e-000001","customer":"Anne O'Brien","total":12.5,"note":"Please leave it at the door"},`
	return strings.Repeat(text, n/len(text)+1)[:n]
}

// TestBlockedMeans writes every secret in every form, in pieces of many sizes, early
// and late in a stream. Nothing of it has left beyond seven bytes when it is found;
// and where a stream is told to decide again and again, eleven, and less than half.
func TestBlockedMeans(t *testing.T) {
	set := leak.New(stolen)
	random := rand.New(rand.NewPCG(5, 6))
	for k, secret := range stolen {
		for _, thief := range thieves {
			written := thief.write(string(secret.Value))
			known := dependence(thief.write, string(secret.Value))
			places := []int{0, 1 + random.IntN(300), 66<<10 + random.IntN(99)}
			if k > 0 {
				places = places[:2] // to be done in time
			}
			for _, before := range places {
				text := prose(before) + "\"" + written + "\"" + prose(50)
				for _, size := range []int{1, 7, 100, 1 << 20} {
					for _, flush := range []bool{false, true} {
						cleared, f := write(set.Scanner(leak.Stream{}), text, before, size, flush, random)
						left := 0
						for i, last := range known {
							if last < cleared-before-1 && (i >= 24 || secret.Name != "STRIPE") { // whose account is public
								left++
							}
						}
						most := 7
						if flush {
							most = min(11, (len(secret.Value)-1)/2)
						}
						if f == nil || f.Object != secret.Name || left > most {
							t.Errorf("%s %s, %d bytes in, %d at a time, flushed %v: found %+v, %d bytes of the secret have left",
								secret.Name, thief.name, before, size, flush, f, left)
						}
					}
				}
			}
		}
	}
}

// dependence returns where in what is written of v the last byte stands that depends
// on each byte of v: who has it, and what is before, can know that byte. Of a long v,
// those that are far from both ends are left out.
func dependence(write func(string) string, v string) (last []int) {
	whole := write(v)
	for i := range v {
		if i > 40 && i < len(v)-40 {
			continue
		}
		at := -1
		for _, c := range []byte("abwxBCWX14+/-_") {
			if class(c) != class(v[i]) || c == v[i] {
				continue
			}
			other := write(v[:i] + string(rune(c)) + v[i+1:])
			if len(other) != len(whole) {
				continue
			}
			for at = len(whole) - 1; whole[at] == other[at]; at-- {
			}
			break
		}
		if at < 0 {
			panic("nothing like byte " + v[i:i+1])
		}
		last = append(last, at)
	}
	return last
}

func class(c byte) string {
	switch {
	case c >= 'a' && c <= 'z':
		return "lower"
	case c >= 'A' && c <= 'Z':
		return "upper"
	case c >= '0' && c <= '9':
		return "digit"
	case c == '+' || c == '/':
		return "base64"
	}
	return "other"
}

// write writes text to sc, in pieces of about size bytes, the first before quickly.
func write(sc detect.Scanner, text string, before, size int, flush bool, random *rand.Rand) (cleared int, f *detect.Finding) {
	for at := 0; at < len(text); {
		n := size
		if size > 1 && size < 1<<20 {
			n = 1 + random.IntN(size)
		}
		if at+64 < before && size < 1<<20 {
			n = before - 64 - at
		}
		n = min(n, len(text)-at)
		c, f := sc.Write([]byte(text[at : at+n]))
		cleared, at = cleared+c, at+n
		if f == nil && flush && random.IntN(3) == 0 {
			c, f = sc.Flush()
			cleared += c
		}
		if f != nil {
			return cleared, f
		}
	}
	return cleared, sc.Close()
}
