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
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// FuzzDecode holds any bytes, cut in any way, to the same verdict, and to leaving
// unchanged where there is none.
func FuzzDecode(f *testing.F) {
	for _, tt := range packings {
		f.Add([]byte(tt.pack("x"+awsKey)), tt.encoding, []byte{3})
		f.Add([]byte(tt.pack(noise(200))), tt.encoding, []byte{0})
	}
	f.Fuzz(func(t *testing.T, body []byte, encoding string, cuts []byte) { alike(t, body, encoding, cuts) })
}

// alike has body judged whole and in parts, and returns whether a secret was found, or
// something was not looked into.
func alike(t *testing.T, body []byte, encoding string, cuts []byte) (found, gap bool) {
	t.Helper()
	d := decoding(encoding)
	whole, want := stream(d, body, nil)
	parts, got := stream(decoding(encoding), body, cuts)
	if (want == nil) != (got == nil) {
		t.Fatalf("cut by %v: %+v, in one piece %+v", cuts, got, want)
	}
	if want == nil && (!bytes.Equal(whole, body) || !bytes.Equal(parts, body)) {
		t.Fatalf("%d and %d of %d bytes were cleared", len(whole), len(parts), len(body))
	}
	reason, _ := d.Uninspected()
	return want != nil, reason != ""
}

// What others make of a packed body. Each of the functions below packs text round a
// secret, damages a byte, and holds that what undo can still read was found, or is said
// to have been left out.

func FuzzGzip(f *testing.F) {
	fuzzPacking(f, "gzip", gzipped, func(b []byte) ([]byte, error) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		return read(z, err)
	})
}

func FuzzZlib(f *testing.F) {
	fuzzPacking(f, "deflate", zlibbed, func(b []byte) ([]byte, error) {
		z, err := zlib.NewReader(bytes.NewReader(b))
		return read(z, err)
	})
}

func FuzzDeflate(f *testing.F) {
	fuzzPacking(f, "deflate", deflated, func(b []byte) ([]byte, error) { return read(flate.NewReader(bytes.NewReader(b)), nil) })
}

func FuzzBrotli(f *testing.F) {
	fuzzPacking(f, "br", brotlied, func(b []byte) ([]byte, error) { return read(brotli.NewReader(bytes.NewReader(b)), nil) })
}

func FuzzZstd(f *testing.F) {
	fuzzPacking(f, "zstd", zstded, func(b []byte) ([]byte, error) {
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return read(z, nil)
	})
}

func FuzzZip(f *testing.F) {
	fuzzPacking(f, "", func(s string) string { return zipped(s, zip.Deflate) }, func(b []byte) (all []byte, err error) {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return nil, err
		}
		for _, member := range z.File {
			r, err := member.Open()
			content, err := read(r, err)
			if err != nil {
				return nil, err
			}
			all = append(all, content...)
		}
		return all, nil
	})
}

func FuzzTar(f *testing.F) {
	fuzzPacking(f, "", func(s string) string { return tarred(gzipped(s)) }, func(b []byte) (all []byte, err error) {
		for z := tar.NewReader(bytes.NewReader(b)); ; {
			if _, err := z.Next(); errors.Is(err, io.EOF) {
				z, err := gzip.NewReader(bytes.NewReader(all))
				return read(z, err)
			} else if err != nil {
				return nil, err
			}
			content, err := read(z, nil)
			if err != nil {
				return nil, err
			}
			all = append(all, content...)
		}
	})
}

func FuzzBase64(f *testing.F) {
	fuzzText(f, base64.StdEncoding.EncodeToString, base64.StdEncoding.DecodeString)
}

func FuzzBase32(f *testing.F) {
	fuzzText(f, base32.StdEncoding.EncodeToString, base32.StdEncoding.DecodeString)
}

func FuzzHex(f *testing.F) { fuzzText(f, hex.EncodeToString, hex.DecodeString) }

func FuzzPercent(f *testing.F) {
	fuzzPacking(f, "", percentAll, func(b []byte) ([]byte, error) {
		text, err := url.PathUnescape(string(b))
		return []byte(text), err
	})
}

// fuzzText is fuzzPacking for gzip that is written as text.
func fuzzText(f *testing.F, encode func([]byte) string, decode func(string) ([]byte, error)) {
	const name = "data="
	pack := func(s string) string { return name + encode([]byte(gzipped(s))) }
	fuzzPacking(f, "", pack, func(b []byte) ([]byte, error) {
		text, ok := bytes.CutPrefix(b, []byte(name))
		if !ok {
			return nil, errors.New("another name")
		}
		packed, err := decode(string(text))
		if err != nil {
			return nil, err
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		return read(z, err)
	})
}

func read(r io.Reader, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, 4<<20))
}

func fuzzPacking(f *testing.F, encoding string, pack func(string) string, undo func([]byte) ([]byte, error)) {
	f.Add("before", "after", []byte{3}, uint16(0), byte(0))
	f.Add(noise(300), noise(3000), []byte{0, 100}, uint16(7), byte(1))
	f.Add("", noise(70), []byte{}, uint16(12), byte(0x80))
	f.Fuzz(func(t *testing.T, before, after string, cuts []byte, at uint16, damage byte) {
		if len(before)+len(after) > 32<<10 {
			return // what is bounded by amount is another test's
		}
		body := []byte(pack(before + awsKey + after))
		if damage == 0 {
			if found, _ := alike(t, body, encoding, cuts); !found {
				t.Fatalf("%d bytes round the secret: not found", len(before)+len(after))
			}
			return
		}
		body[int(at)%len(body)] ^= damage
		found, gap := alike(t, body, encoding, cuts)
		text, err := undo(body)
		if err == nil && bytes.Contains(text, []byte(awsKey)) && !found && !gap {
			t.Fatalf("with byte %d damaged, it can be read and was not found", int(at)%len(body))
		}
	})
}
