package leak_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

// many makes n secrets of 40 characters, as keys are.
func many(n int) []leak.Secret {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	random := rand.New(rand.NewPCG(1, 2))
	secrets := make([]leak.Secret, n)
	for i := range secrets {
		v := make([]byte, 40)
		for j := range v {
			v[j] = alphabet[random.IntN(len(alphabet))]
		}
		secrets[i] = leak.Secret{Name: fmt.Sprintf("KEY_%d", i), Value: v, Fingerprint: "abcdef012345"}
	}
	return secrets
}

// body makes orders in JSON of about that many bytes, each another one.
func body(size int) []byte {
	names := []string{"Anne O'Brien", "Bo Li", "Chiara Rossi", "Dörte Müller", "Efua Mensah-Owusu", "Fatima Al-Sayed"}
	notes := []string{"Please leave it at the door", "Ring twice, then wait", "", "Fragile: two glasses, one bowl", "For the 3rd floor"}
	random := rand.New(rand.NewPCG(5, 6))
	out := make([]byte, 0, size+200)
	for i := 0; len(out) < size; i++ {
		out = fmt.Appendf(out, `{"id":"%08x-%06d","customer":%q,"total":%.2f,"items":[%d,%d],"note":%q},`, random.Uint32(), i,
			names[random.IntN(len(names))], random.Float64()*200, random.IntN(9000), random.IntN(90), notes[random.IntN(len(notes))])
	}
	return out
}

func BenchmarkNew(b *testing.B) {
	secrets := many(20)
	b.ReportAllocs()
	for b.Loop() {
		leak.New(secrets)
	}
}

func BenchmarkScanner(b *testing.B) {
	for _, short := range []bool{false, true} {
		secrets := many(20)
		if short {
			secrets[0].Value = secrets[0].Value[:8]
		}
		s := leak.New(secrets)
		text := body(4 << 20)
		b.Run(fmt.Sprintf("short=%v", short), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				sc := s.Scanner(leak.Stream{})
				for r := bytes.NewReader(text); r.Len() > 0; {
					var chunk [32 << 10]byte
					n, _ := io.ReadFull(r, chunk[:])
					if _, f := sc.Write(chunk[:n]); f != nil {
						b.Fatal(f)
					}
				}
			}
		})
	}
}

// BenchmarkDecode has all that is done to a body: what it may be written in, the
// secrets and vendors' tokens.
func BenchmarkDecode(b *testing.B) {
	s := leak.New(many(20))
	random := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 750<<10)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for _, row := range []struct {
		name string
		text []byte
	}{
		{"json", body(1 << 20)},
		{"base64", []byte(`{"image":"` + base64.StdEncoding.EncodeToString(noise) + `"}`)},
		{"noise", noise},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.SetBytes(int64(len(row.text)))
			b.ReportAllocs()
			for b.Loop() {
				sc := leak.Decode(detect.Outlet{Place: "body"}, nil, s.Touches, func() detect.Scanner {
					return s.Scanner(leak.Stream{})
				})
				for r := bytes.NewReader(row.text); r.Len() > 0; {
					var chunk [32 << 10]byte
					n, _ := io.ReadFull(r, chunk[:])
					if _, f := sc.Write(chunk[:n]); f != nil {
						b.Fatal(f)
					}
				}
			}
		})
	}
}

func BenchmarkMask(b *testing.B) {
	s := leak.New(many(20))
	for _, size := range []int{1 << 10, 256 << 10} {
		text := string(body(size))
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if s.Mask(text) != text {
					b.Fatal("something was masked")
				}
			}
		})
	}
}
