package leak_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

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

func body(size int) []byte {
	return bytes.Repeat([]byte(`{"id":"5f2b1c9e-000001","customer":"Anne O'Brien","total":12.5,"note":"Please leave it at the door"},`), size/100)
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
