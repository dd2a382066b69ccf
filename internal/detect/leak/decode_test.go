package leak_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

// shared is set, made once.
var shared = sync.OnceValue(set)

// decoding is a scanner for a body in encoding that looks for set's secrets.
func decoding(encoding string) detect.Gapped {
	s := shared()
	return leak.Decode(detect.Outlet{Host: "evil.test", Place: "body", Encoding: encoding}, nil, s.Touches,
		func() detect.Scanner { return s.Scanner(leak.Stream{}) }).(detect.Gapped)
}

// noise is text that compresses, and bytes that do not.
func noise(n int) string {
	random := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, `{"id":%d,"name":"visitor %d"}`, random.Uint64(), random.IntN(1000))
	}
	return b.String()
}

func written(text string, w func(io.Writer) io.WriteCloser) string {
	var b bytes.Buffer
	z := w(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

func gzipped(text string) string {
	return written(text, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

func zlibbed(text string) string {
	return written(text, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
}

func deflated(text string) string {
	return written(text, func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 9); return z })
}

func brotlied(text string) string {
	return written(text, func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) })
}

func zstded(text string) string {
	return written(text, func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z })
}

func zipped(text string, method uint16) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, content := range []string{"read me", text} {
		w, _ := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("data/%d", len(content)), Method: method})
		_, _ = io.WriteString(w, content)
	}
	_ = z.Close()
	return b.String()
}

func tarred(text string) string {
	var b bytes.Buffer
	z := tar.NewWriter(&b)
	for _, name := range []string{"empty", "data"} {
		content := text[:len(text)*(len(name)%5)/4]
		_ = z.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))})
		_, _ = io.WriteString(z, content)
	}
	_ = z.Close()
	return b.String()
}

func wrapped(text, end string) string {
	var b strings.Builder
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString([]byte(text))), 76) {
		b.Write(line)
		b.WriteString(end)
	}
	return b.String()
}

// percentAll escapes every byte.
func percentAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

// hiddenZip is a zip whose only member, read from its front, is a stored block of
// deflate's in which the members of another lie; its directory comes last, and tells a
// reader of those.
func hiddenZip(text string) string {
	inner := zipped(text, zip.Deflate)
	var b strings.Builder
	for len(inner) > 0 {
		n := min(len(inner), 60_000)
		b.WriteString("\x00")
		b.Write(binary.LittleEndian.AppendUint16(nil, uint16(n)))
		b.Write(binary.LittleEndian.AppendUint16(nil, ^uint16(n)))
		b.WriteString(inner[:n])
		inner = inner[n:]
	}
	header := []byte("PK\x03\x04\x14\x00\x08\x00\x08\x00")
	header = append(header, make([]byte, 16)...)
	header = append(header, 1, 0, 0, 0, 'a')
	return string(header) + b.String() + "\x01\x00\x00\xff\xff" // the last block holds nothing
}

var packings = []struct {
	name, encoding, chain string
	pack                  func(string) string
}{
	{"gzip bare", "", "gzip", gzipped},
	{"gzip", "gzip", "gzip", gzipped},
	{"x-gzip", "x-gzip", "gzip", gzipped},
	{"gzip, two members", "", "gzip", func(s string) string { return gzipped("first") + gzipped(s) }},
	{"gzip that says it is brotli", "br", "gzip", gzipped},
	{"zlib bare", "", "zlib", zlibbed},
	{"deflate as zlib", "deflate", "deflate", zlibbed},
	{"deflate as it is", "deflate", "deflate", deflated},
	{"brotli", "br", "br", brotlied},
	{"zstd", "zstd", "zstd", zstded},
	{"zstd bare", "", "zstd", zstded},
	{"zstd, two frames", "", "zstd", func(s string) string { return zstded("first") + zstded(s) }},
	{"zstd behind a skippable frame", "zstd", "zstd", func(s string) string { return zstded("") + "\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zstded(s) }},
	{"zip", "", "zip", func(s string) string { return zipped(s, zip.Deflate) }},
	{"tar, gzip", "", "gzip", // tar leaves what is in it as it is
		func(s string) string { return gzipped(tarred(s)) }},
	{"gzip in tar", "", "tar gzip", func(s string) string { return tarred(gzipped(s)) }},
	{"gzip in a stored zip", "", "zip gzip", func(s string) string { return zipped(gzipped(s), zip.Store) }},
	{"gzip in base64", "", "base64 gzip", func(s string) string {
		return `{"data":"` + base64.StdEncoding.EncodeToString([]byte(gzipped(s))) + `","more":"text that follows it"}`
	}},
	{"zlib in base64, wrapped", "", "base64 zlib", func(s string) string { return "X: y\r\n\r\n" + wrapped(zlibbed(s), "\r\n") }},
	{"zstd in base64, wrapped in JSON", "", "base64 zstd", func(s string) string { return `{"a":"` + wrapped(zstded(s), `\n`) + `"}` }},
	{"zip in a data URL", "", "base64 zip", func(s string) string {
		return "data:application/zip;base64," + base64.StdEncoding.EncodeToString([]byte(zipped(s, zip.Deflate)))
	}},
	{"gzip in base64url behind a path", "", "base64 gzip", func(s string) string {
		return "GET /api/v1/things/" + base64.RawURLEncoding.EncodeToString([]byte(gzipped(s)))
	}},
	{"gzip in hex", "", "hex gzip", func(s string) string { return "x=" + hex.EncodeToString([]byte(gzipped(s))) }},
	{"gzip in base32", "", "base32 gzip", func(s string) string { return "x=" + base32.StdEncoding.EncodeToString([]byte(gzipped(s))) }},
	{"base64 in gzip in base64 in gzip", "", "gzip base64 gzip", func(s string) string {
		return gzipped("k=" + base64.StdEncoding.EncodeToString([]byte(gzipped(s))))
	}},
	{"gzip behind a picture", "", "gzip", func(s string) string { return "\xff\xd8\xff\xe0\x00\x10JFIF\x00" + gzipped(s) }},
	{"zip behind a script", "", "zip", func(s string) string { return "#!/bin/sh\nexec unzip \"$0\"\n" + zipped(s, zip.Deflate) }},
	{"zstd behind 70,000 bytes", "", "zstd", func(s string) string { return strings.Repeat("\x00\x01\x02", 23_334) + zstded(s) }},
	{"gzip, every byte escaped, in a form", "", "url gzip", func(s string) string { return "user=a%40b.test&data=" + percentAll(gzipped(s)) }},
	{"zip in what another zip's member is compressed to", "", "zip zip", hiddenZip},
	{"percent, twice", "", "url url", func(s string) string { return percentAll(percentAll(s)) }},
	{"percent, three times", "", "url url url", func(s string) string { return percentAll(percentAll(percentAll(s))) }},
	{"HTML", "", "separated decimal", func(s string) string {
		var b strings.Builder
		for i := range len(s) {
			fmt.Fprintf(&b, "&#%d;", s[i])
		}
		return b.String()
	}},
	{"gzip behind a blank line", "", "gzip", func(s string) string {
		return "--bb\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n" + gzipped(s) + "\r\n--bb\r\n\r\nplain\r\n--bb--\r\n"
	}},
	{"base64 of zstd behind other bytes", "", "base64 zstd", func(s string) string {
		return "a=1&v=" + base64.RawURLEncoding.EncodeToString([]byte("k:"+zstded(s))) + "&z=2"
	}},
	{"base32 of gzip behind other bytes, in a path", "", "base32 gzip", func(s string) string {
		return "/a/b/" + base32.StdEncoding.EncodeToString([]byte("key: "+gzipped(s))) + "/c"
	}},
	{"zip behind a blank line, the second", "", "zip", func(s string) string {
		return "--bb\r\nA: b\r\n\r\nplain\r\n--bb\r\nA: b\r\n\r\n" + zipped(s, zip.Deflate) + "\r\n--bb--\r\n"
	}},
	{"two codings", "gzip, br", "br gzip", func(s string) string { return brotlied(gzipped(s)) }},
	{"zips, one in the other", "", "zip zip zip zip", func(s string) string {
		for range 4 {
			s = zipped(s, zip.Deflate)
		}
		return s
	}},
}

func TestDecodeFindsASecret(t *testing.T) {
	for _, tt := range packings {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{0, 300, 20_000} { // alone, it may stand in a stream as it is
				packed := []byte(tt.pack(noise(size) + awsKey + noise(size)))
				for _, cuts := range [][]byte{nil, {0}, {200, 3, 90}} {
					cleared, f := stream(decoding(tt.encoding), packed, cuts)
					if f == nil || f.Object != "AWS_SECRET_ACCESS_KEY" || size > 0 && strings.Join(f.DecodeChain, " ") != tt.chain {
						t.Fatalf("%d bytes round it, cut by %v: %+v, want the key in %s", size, cuts, f, tt.chain)
					}
					if !bytes.HasPrefix(packed, cleared) || len(cleared) == len(packed) {
						t.Fatalf("%d of %d bytes were cleared", len(cleared), len(packed))
					}
				}
			}
		})
	}
}

func TestDecodePassesTheRest(t *testing.T) {
	for _, tt := range packings {
		packed := []byte(tt.pack(noise(20_000)))
		for _, cuts := range [][]byte{nil, {0}, {255}} {
			sc := decoding(tt.encoding)
			cleared, f := stream(sc, packed, cuts)
			if f != nil || !bytes.Equal(cleared, packed) {
				t.Errorf("%s cut by %v: %+v, %d of %d bytes cleared", tt.name, cuts, f, len(cleared), len(packed))
			}
			if reason, n := sc.Uninspected(); n != 0 && tt.encoding != "br" {
				t.Errorf("%s: %d bytes were not looked into: %s", tt.name, n, reason)
			}
		}
	}
}

// What has been flushed by who compresses it leaves at once.
func TestDecodeHoldsNothingBack(t *testing.T) {
	for _, tt := range []struct {
		encoding string
		open     func(io.Writer) interface {
			io.Writer
			Flush() error
		}
	}{
		{"gzip", func(w io.Writer) interface {
			io.Writer
			Flush() error
		} {
			return gzip.NewWriter(w)
		}},
		{"br", func(w io.Writer) interface {
			io.Writer
			Flush() error
		} {
			return brotli.NewWriter(w)
		}},
		{"zstd", func(w io.Writer) interface {
			io.Writer
			Flush() error
		} {
			z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
			return z
		}},
	} {
		var b bytes.Buffer
		w, sc := tt.open(&b), decoding(tt.encoding)
		for i := range 20 {
			fmt.Fprintf(w, "message %d, and what is in it\n", i)
			_ = w.Flush()
			n, f := sc.Write(b.Bytes())
			if n != b.Len() || f != nil {
				t.Errorf("%s: message %d: %d of %d bytes cleared, %+v", tt.encoding, i, n, b.Len(), f)
			}
			b.Reset()
		}
	}
}

func TestDecodeCountsWhatItCannotLookInto(t *testing.T) {
	cut := func(s string) string { return s[:len(s)*2/3] }
	for _, tt := range []struct{ name, encoding, body, reason string }{
		{"cut gzip", "gzip", cut(gzipped(noise(5000))), "malformed"},
		{"broken gzip", "gzip", gzipped("x")[:10] + strings.Repeat("\xff", 100), "malformed"},
		{"cut brotli", "br", cut(brotlied(noise(5000))), "malformed"},
		{"cut zstd", "zstd", cut(zstded(noise(5000))), "malformed"},
		{"no gzip at all", "gzip", noise(100), "malformed"},
		{"one that nobody knows", "exi", noise(100), "encoding"},
		{"a bomb", "", gzipped(strings.Repeat("0", 4<<20)), "budget"},
		{"too much", "gzip", gzipped(noise(maxInflated + 1<<20)), "budget"},
		{"too deep", "", gzipped(gzipped(gzipped(gzipped(gzipped(gzipped(gzipped("x"))))))), "depth"},
	} {
		sc := decoding(tt.encoding)
		cleared, f := stream(sc, []byte(tt.body), nil)
		if f != nil || len(cleared) != len(tt.body) {
			t.Errorf("%s: %+v, %d of %d bytes cleared", tt.name, f, len(cleared), len(tt.body))
		}
		if reason, n := sc.Uninspected(); reason != tt.reason || n == 0 {
			t.Errorf("%s: %d bytes not looked into: %q, want %q", tt.name, n, reason, tt.reason)
		}
	}
}

const maxInflated = 8 << 20

func TestDecodeSharesMemory(t *testing.T) {
	m := &leak.Memory{Limit: 5 << 20}
	body := []byte(brotlied(noise(1000)))
	open := func() detect.Gapped {
		return leak.Decode(detect.Outlet{Place: "body", Encoding: "br"}, m, nil, func() detect.Scanner { return set().Scanner(leak.Stream{}) }).(detect.Gapped)
	}
	first, second := open(), open()
	first.Write(body)
	second.Write(body)
	if reason, _ := first.Uninspected(); reason != "" {
		t.Errorf("the first was not looked into: %s", reason)
	}
	if reason, _ := second.Uninspected(); reason != "memory" {
		t.Errorf("the second was not looked into because of %q, want memory", reason)
	}
	first.Close()
	second.Close()
	if m.Used() != 0 {
		t.Errorf("%d bytes are still taken", m.Used())
	}
}
