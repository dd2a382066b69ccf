package leak_test

import (
	"testing"

	"gatehouse/internal/detect/leak"
)

// BenchmarkSweepPiece is what one small piece of a stream costs.
func BenchmarkSweepPiece(b *testing.B) {
	secrets := many(20)
	secrets[0].Value = []byte(token)
	sw := leak.New(secrets).Sweep(leak.Response{Traces: true})
	text := body(1 << 20)
	window := make([]byte, 0, 64<<10)
	keep, at := 0, 0
	for b.Loop() {
		window = append(window[:0], window[len(window)-keep:]...)
		fresh := len(window)
		window = append(window, text[at:at+20]...)
		keep = sw(window, fresh, false).Keep
		at = (at + 20) % (1 << 19)
	}
}

func BenchmarkSweep(b *testing.B) {
	s := leak.New(many(20))
	text := body(4 << 20)
	for _, traces := range []bool{false, true} {
		name := "secrets and keys"
		if traces {
			name += " and traces"
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			window := make([]byte, 0, 64<<10)
			for b.Loop() {
				sw := s.Sweep(leak.Response{Traces: traces})
				keep := 0
				for at := 0; at < len(text); at += 32 << 10 {
					window = append(window[:0], window[len(window)-keep:]...)
					fresh := len(window)
					window = append(window, text[at:min(len(text), at+32<<10)]...)
					swept := sw(window, fresh, false)
					if keep = swept.Keep; len(swept.Hits) > 0 {
						b.Fatal(swept.Hits)
					}
				}
			}
		})
	}
}
