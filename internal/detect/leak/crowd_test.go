package leak_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

// TestCrowd: where long secrets are many, none of them goes without being looked for, nor
// do the short ones behind them.
func TestCrowd(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	value := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[random.IntN(62)]
		}
		return b
	}
	var secrets []leak.Secret
	for i, n := range []int{4000, 1700, 1700, 700, 700, 700, 400, 255, 128, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 40, 40, 24, 16} {
		secrets = append(secrets, leak.Secret{Name: fmt.Sprintf("S%d_%d", i, n), Value: value(n), Fingerprint: "0"})
	}
	s := leak.New(secrets)
	for i := range secrets {
		v := string(secrets[i].Value)
		half := v[len(v)/3 : len(v)/3+(len(v)+1)/2+1]
		for form, text := range map[string]string{
			"plain": v, "half": half, "base64": base64.StdEncoding.EncodeToString([]byte("ab" + v)), "hex": hex.EncodeToString([]byte(v)),
			"reversed": reverse(v), "rot13": strings.Map(rot13, v), "xor": mapBytes(v, func(c byte) byte { return c ^ 0x33 }),
			"base64 twice": base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(v)))),
			"far in":       strings.Repeat("lorem ipsum ", 7000) + v, "half far in": strings.Repeat("lorem ipsum ", 7000) + half,
		} {
			sc := leak.Decode(detect.Outlet{Place: "body"}, nil, s.Touches, func() detect.Scanner { return s.Scanner(leak.Stream{}) })
			_, f := sc.Write([]byte(text))
			if f == nil {
				f = sc.Close()
			}
			if f == nil || f.Object != secrets[i].Name {
				t.Errorf("%s, %s: %+v", secrets[i].Name, form, f)
			}
		}
	}
}
