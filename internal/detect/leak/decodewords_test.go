package leak_test

import (
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

type form struct {
	name  string
	write func(string) string
}

func reverse(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

func mapBytes(s string, f func(byte) byte) string {
	b := []byte(s)
	for i := range b {
		b[i] = f(b[i])
	}
	return string(b)
}

var containers = []form{
	{"base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"base64url", func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{"hex", func(s string) string { return hex.EncodeToString([]byte(s)) }},
	{"HEX", func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }},
	{"base32", func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) }},
	{"reversed base64", func(s string) string { return reverse(base64.RawStdEncoding.EncodeToString([]byte(s))) }},
	{"reversed hex", func(s string) string { return reverse(hex.EncodeToString([]byte(s))) }},
}

var contents = append([]form{
	{"plain", func(s string) string { return s }},
	{"reversed", reverse},
	{"rot13", func(s string) string { return strings.Map(rot13, s) }},
	{"xor", func(s string) string { return mapBytes(s, func(c byte) byte { return c ^ 0x5a }) }},
	{"utf16", func(s string) string { return strings.Join(strings.Split(s, ""), "\x00") + "\x00" }},
	{"ascii85", func(s string) string {
		b := make([]byte, ascii85.MaxEncodedLen(len(s)))
		return string(b[:ascii85.Encode(b, []byte(s))])
	}},
	{"json", func(s string) string { return `{"key":"` + s + `"}` }},
	{"json in base64", func(s string) string { return containers[0].write(`{"password":"` + s + `"}`) }},
}, containers...)

// TestDecodeFindsFormsInForms puts one encoding in another.
func TestDecodeFindsFormsInForms(t *testing.T) {
	const harmless = "not/a/secret/of/anybody/but/text/all/the"
	for _, outer := range containers {
		for _, inner := range contents {
			for _, around := range []string{"%s", `{"a":"%s"}`, "/v1/%s?x=y", "/all/of/%s/x", "id-%s", `{"list":["abcdefghijklmnopqrstuvwxyz0123456789","%s"]}`} {
				for _, cuts := range [][]byte{nil, {0}, {30, 2}} {
					text := fmt.Sprintf(around, outer.write(inner.write(awsKey)))
					cleared, f := stream(decoding(""), []byte(text), cuts)
					if f == nil || f.Object != "AWS_SECRET_ACCESS_KEY" {
						t.Errorf("%s of %s in %s, cut by %v: %+v", outer.name, inner.name, around, cuts, f)
						continue
					}
					if left := max(0, len(cleared)-strings.Index(around, "%s")); left*2 >= len(text) {
						t.Errorf("%s of %s in %s, cut by %v: %d of %d characters left", outer.name, inner.name, around, cuts, left, len(text))
					}
				}
				text := fmt.Sprintf(around, outer.write(inner.write(harmless)))
				sc := decoding("")
				if cleared, f := stream(sc, []byte(text), []byte{7, 0}); f != nil || string(cleared) != text {
					t.Errorf("%s of %s in %s, harmless: %+v, %d of %d bytes", outer.name, inner.name, around, f, len(cleared), len(text))
				}
				if reason, n := sc.Uninspected(); n > 0 {
					t.Errorf("%s of %s in %s, harmless: %d bytes, %s", outer.name, inner.name, around, n, reason)
				}
			}
		}
	}
}
