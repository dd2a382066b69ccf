// Package corpus is what a thief in a function does to get its secrets out: how they
// are written, where they are put, and when they go. It is the project's own, after
// the shapes of real incidents, and shares no code with what is to find it.
package corpus

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// Encoding is one way to write a secret.
type Encoding struct {
	ID     string // of the list that the corpus is made after: "E1"
	Name   string
	Binary bool // what comes out is no text: for bodies alone
	// Seen is false where only who knows a key, or nobody, can undo it: nothing is
	// expected to find it.
	Seen bool
	// Header is the Content-Encoding that says so; "" for none.
	Header string
	Encode func(s string) string
	// Decode undoes it, as far as what arrived goes; nil for what the search for
	// substrings needs no help with.
	Decode func(s string) string
}

// Encodings are all of them.
var Encodings = []Encoding{
	{ID: "E0", Name: "none", Seen: true, Encode: same, Decode: same},
	{ID: "E0", Name: "environment", Seen: true, Encode: func(s string) string { return "PATH=/usr/bin:/bin\nLANG=en_US.UTF-8\nTOKEN=" + s + "\nHOME=/root\n" }, Decode: same},
	{ID: "E0", Name: "object", Seen: true, Encode: object, Decode: unobject},
	{ID: "E1", Name: "base64", Seen: true, Encode: b64, Decode: unb64},
	{ID: "E1", Name: "base64+1", Seen: true, Encode: func(s string) string { return b64("x" + s) }, Decode: unb64},
	{ID: "E1", Name: "base64+2", Seen: true, Encode: func(s string) string { return b64("{\"" + s + "\"}") }, Decode: unb64},
	{ID: "E2", Name: "base64url", Seen: true, Encode: func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("k:" + s)) }, Decode: unb64},
	{ID: "E3", Name: "base64x2", Seen: true, Encode: func(s string) string { return b64(b64(s)) }, Decode: func(s string) string { return unb64(unb64(s)) }},
	{ID: "E3", Name: "base64x3", Seen: true, Encode: func(s string) string { return b64(b64(b64("a=" + s))) }, Decode: func(s string) string { return unb64(unb64(unb64(s))) }},
	{ID: "E4", Name: "hex", Seen: true, Encode: func(s string) string { return hex.EncodeToString([]byte(s)) }, Decode: unhex},
	{ID: "E4", Name: "HEX", Seen: true, Encode: func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }, Decode: unhex},
	{ID: "E4", Name: "hex with colons", Seen: true, Encode: func(s string) string { return spaced(hex.EncodeToString([]byte(s)), 2, ":") }, Decode: unhex},
	{ID: "E5", Name: "base32", Seen: true, Encode: func(s string) string { return base32.StdEncoding.EncodeToString([]byte("z" + s)) }, Decode: unb32},
	{ID: "E6", Name: "ascii85", Seen: true, Encode: a85, Decode: una85},
	{ID: "E7", Name: "percent", Seen: true, Encode: percent, Decode: unpercent},
	{ID: "E7", Name: "percent twice", Seen: true, Encode: func(s string) string { return strings.ReplaceAll(percent(s), "%", "%25") }, Decode: func(s string) string { return unpercent(unpercent(s)) }},
	{ID: "E8", Name: "JSON escapes", Seen: true, Encode: jsonEscapes, Decode: unjson},
	{ID: "E9", Name: "gzip", Binary: true, Seen: true, Header: "gzip", Encode: gz, Decode: ungz},
	{ID: "E9", Name: "bare gzip", Binary: true, Seen: true, Encode: gz, Decode: ungz},
	{ID: "E9", Name: "deflate", Binary: true, Seen: true, Header: "deflate", Encode: deflate, Decode: undeflate},
	{ID: "E9", Name: "br", Binary: true, Seen: true, Header: "br", Encode: br, Decode: unbr},
	{ID: "E9", Name: "zstd", Binary: true, Seen: true, Header: "zstd", Encode: zst, Decode: unzst},
	{ID: "E9", Name: "bare zstd", Binary: true, Seen: true, Encode: zst, Decode: unzst},
	{ID: "E9", Name: "base64 of gzip", Seen: true, Encode: func(s string) string { return b64(gz(s)) }, Decode: func(s string) string { return ungz(unb64(s)) }},
	{ID: "E10", Name: "zip", Binary: true, Seen: true, Encode: zipped, Decode: unzip},
	{ID: "E10", Name: "tar", Binary: true, Seen: true, Encode: tarred, Decode: same},
	{ID: "E10", Name: "tar.gz", Binary: true, Seen: true, Encode: func(s string) string { return gz(tarred(s)) }, Decode: ungz},
	{ID: "E11", Name: "reversed", Seen: true, Encode: reverse, Decode: reverse},
	{ID: "E11", Name: "reversed base64", Seen: true, Encode: func(s string) string { return reverse(b64(s)) }, Decode: func(s string) string { return unb64(reverse(s)) }},
	{ID: "E12", Name: "rot13", Seen: true, Encode: rot13, Decode: rot13},
	{ID: "E13", Name: "xor", Binary: true, Seen: true, Encode: xor, Decode: xor},
	{ID: "E14", Name: "substituted base64", Encode: func(s string) string { return rot13(b64(s)) }, Decode: func(s string) string { return unb64(rot13(s)) }},
	{ID: "E16", Name: "spaces inserted", Seen: true, Encode: func(s string) string { return spaced(s, 4, " ") }, Decode: func(s string) string { return strings.ReplaceAll(s, " ", "") }},
	{ID: "E16", Name: "wrapped base64", Seen: true, Encode: func(s string) string { return spaced(b64(strings.Repeat("filler, ", 20)+s), 20, "\n") }, Decode: unb64},
	{ID: "E17", Name: "case folded", Seen: true, Encode: strings.ToLower, Decode: same},
	{ID: "E18", Name: "hash", Encode: func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }, Decode: same},
	{ID: "E19", Name: "AES", Binary: true, Encode: sealed, Decode: same},
	{ID: "E20", Name: "UTF-16LE", Binary: true, Seen: true, Encode: func(s string) string { return wide(s, false) }, Decode: narrow},
	{ID: "E20", Name: "UTF-16BE", Binary: true, Seen: true, Encode: func(s string) string { return wide(s, true) }, Decode: narrow},
}

// EncodingOf returns the encoding with that name, or the one that a name like
// "base64 of hex" says: what is outermost comes first.
func EncodingOf(name string) *Encoding {
	for i := range Encodings {
		if Encodings[i].Name == name {
			return &Encodings[i]
		}
	}
	first, rest, ok := strings.Cut(name, " of ")
	if !ok {
		panic("no encoding " + name)
	}
	outer, inner := EncodingOf(first), EncodingOf(rest)
	return &Encoding{
		ID: outer.ID, Name: name, Binary: outer.Binary || inner.Binary && keeps(first), Seen: outer.Seen && inner.Seen, Header: outer.Header,
		Encode: func(s string) string { return outer.Encode(inner.Encode(s)) },
		Decode: func(s string) string { return inner.Decode(outer.Decode(s)) },
	}
}

// keeps reports whether what is no text stays none in that encoding.
func keeps(name string) bool {
	return slices.Contains([]string{"none", "environment", "object", "reversed", "rot13", "spaces inserted"}, name)
}

func same(s string) string { return s }
func b64(s string) string  { return base64.StdEncoding.EncodeToString([]byte(s)) }

// unb64 decodes as much of s as there is, in either alphabet, whatever stands between.
func unb64(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		case strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", r):
			return r
		}
		return -1
	}, s)
	if len(s)%4 == 1 { // half a byte
		s = s[:len(s)-1]
	}
	out, _ := base64.RawStdEncoding.DecodeString(s)
	return string(out)
}

func unhex(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return r
		}
		return -1
	}, s)
	out, _ := hex.DecodeString(s[:len(s)&^1])
	return string(out)
}

func unb32(s string) string {
	s = strings.ToUpper(strings.TrimRight(s, "="))
	if n := len(s) % 8; n == 1 || n == 3 || n == 6 { // a part of a byte
		s = s[:len(s)-1]
	}
	out, _ := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s)
	return string(out)
}

func a85(s string) string {
	out := make([]byte, ascii85.MaxEncodedLen(len(s)))
	return string(out[:ascii85.Encode(out, []byte(s))])
}

func una85(s string) string {
	out := make([]byte, len(s)+8)
	n, _, _ := ascii85.Decode(out, []byte(s), true)
	return string(out[:n])
}

// object is the environment as a member of an object of JSON.
func object(s string) string {
	text, err := json.Marshal(map[string]string{"PATH": "/usr/bin:/bin", "TOKEN": s, "HOME": "/root"})
	if err != nil {
		panic(err) // it is strings
	}
	return string(text)
}

// unobject undoes what is escaped in strings of JSON.
func unobject(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch {
		case s[i] == 'n':
			b.WriteByte('\n')
		case s[i] == 'u' && i+4 < len(s):
			if c, err := hex.DecodeString(s[i+3 : i+5]); err == nil {
				b.Write(c)
				i += 4
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

func unpercent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.Write(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func jsonEscapes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, `\u%04x`, s[i])
	}
	return b.String()
}

func unjson(s string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(s, `\u00`) {
		if len(part) >= 2 {
			if c, err := hex.DecodeString(part[:2]); err == nil {
				b.Write(c)
			}
		}
	}
	return b.String()
}

// lines stand round a secret in what is packed, so that there is something to pack: of
// a few letters alone a packer makes a block of literals.
const lines = "2026-01-01T00:00:00Z INFO an honest line of a log, as a file has many\n2026-01-01T00:00:01Z INFO an honest line of a log, as a file has many\n" +
	"2026-01-01T00:00:02Z WARN an honest line of a log, as a file has some\n"

func packed(s string, open func(io.Writer) io.WriteCloser) string {
	var b bytes.Buffer
	w := open(&b)
	_, _ = io.WriteString(w, lines+"some text before it: "+s+"\nand some after it\n"+lines)
	_ = w.Close()
	return b.String()
}

// unpacked reads as much as there is.
func unpacked(s string, open func(io.Reader) (io.Reader, error)) string {
	r, err := open(strings.NewReader(s))
	if err != nil {
		return ""
	}
	out, _ := io.ReadAll(r) // up to where it was cut
	return string(out)
}

func gz(s string) string {
	return packed(s, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

func ungz(s string) string {
	return unpacked(s, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
}

func deflate(s string) string {
	return packed(s, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
}

func undeflate(s string) string {
	return unpacked(s, func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) })
}

func br(s string) string {
	return packed(s, func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) })
}

func unbr(s string) string {
	return unpacked(s, func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil })
}

func zst(s string) string {
	return packed(s, func(w io.Writer) io.WriteCloser {
		z, err := zstd.NewWriter(w)
		if err != nil {
			panic(err) // no options
		}
		return z
	})
}

func unzst(s string) string {
	return unpacked(s, func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) })
}

func zipped(s string) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, _ := w.Create("readme.txt")
	_, _ = io.WriteString(f, lines+"nothing here, nothing here, nothing here")
	f, _ = w.Create("env.txt")
	_, _ = io.WriteString(f, lines+"KEY="+s+"\n"+lines)
	_ = w.Close()
	return b.String()
}

// unzip reads the members one after the other, as far as they go: it needs no list of
// them at the end.
func unzip(s string) string {
	const head = 30
	var b strings.Builder
	for {
		i := strings.Index(s, "PK\x03\x04")
		if i < 0 || len(s) < i+head {
			return b.String()
		}
		s = s[i:]
		from := head + int(s[26]) + int(s[27])<<8 + int(s[28]) + int(s[29])<<8
		if from < len(s) {
			_, _ = io.Copy(&b, flate.NewReader(strings.NewReader(s[from:])))
		}
		s = s[head:]
	}
}

func tarred(s string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: "env", Size: int64(len(s)), Mode: 0o600})
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func reverse(s string) string {
	b := []byte(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func rot13(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return 'a' + (r-'a'+13)%26
		case r >= 'A' && r <= 'Z':
			return 'A' + (r-'A'+13)%26
		}
		return r
	}, s)
}

func xor(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] ^= 0xa7
	}
	return string(b)
}

func spaced(s string, n int, by string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += n {
		if i > 0 {
			b.WriteString(by)
		}
		b.WriteString(s[i:min(len(s), i+n)])
	}
	return b.String()
}

func sealed(s string) string {
	key := sha256.Sum256([]byte("the thief's"))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key is 32 bytes
	}
	iv := sha256.Sum256([]byte(s))
	out := make([]byte, len(s))
	cipher.NewCTR(block, iv[:16]).XORKeyStream(out, []byte(s))
	return string(iv[:16]) + string(out)
}

func wide(s string, big bool) string {
	var b strings.Builder
	for i := range len(s) {
		if big {
			b.WriteByte(0)
		}
		b.WriteByte(s[i])
		if !big {
			b.WriteByte(0)
		}
	}
	return b.String()
}

func narrow(s string) string { return strings.ReplaceAll(s, "\x00", "") }
