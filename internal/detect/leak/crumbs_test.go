package leak_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect/leak"
)

// pieces cuts v into pieces of n characters.
func pieces(v string, n int) (out []string) {
	for p := range slices.Chunk([]byte(v), n) {
		out = append(out, string(p))
	}
	return out
}

// TestCrumbs carries a key off in pieces that are each too short to be told one's, a
// message for each line of what a case writes, and counts how much of it has left.
func TestCrumbs(t *testing.T) {
	const key = "q7Vt2LkXz9/Hb4RwSg1+Ny8JcPf3MdTe5ZaUoW0K"
	set := leak.New([]leak.Secret{{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(key), Fingerprint: "f0f0"}})
	numbered := func(format string) func([]string) string {
		return func(pieces []string) string {
			var b strings.Builder
			for i, p := range pieces {
				fmt.Fprintf(&b, format, i, p)
			}
			return b.String()
		}
	}
	in := func(wrap func([]string) string, order func([]string)) func([]string) string {
		return func(pieces []string) string {
			order(pieces)
			return wrap(pieces)
		}
	}
	encoded := func(wrap func([]string) string, encode func([]byte) string) func([]string) string {
		return func(pieces []string) string {
			for i := range pieces {
				pieces[i] = encode([]byte(pieces[i]))
			}
			return wrap(pieces)
		}
	}
	shuffle := func(p []string) {
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(p), func(i, k int) { p[i], p[k] = p[k], p[i] })
	}
	each := numbered("/v1/items?c=%d:%s\n")
	for name, write := range map[string]func([]string) string{
		"one text":          func(p []string) string { return strings.Join(p, " | ") },
		"members":           numbered(`"field_%d":%q,`),
		"elements":          numbered("<f%d>%s</f>"),
		"lines of one text": numbered("key%d: %s;"),
		"behind a number":   each,
		"a path":            numbered("/px/%d/%s.gif\n"),
		"places that vary":  numbered("/?p%[1]d=%[2]s\n"),
		"behind noise":      numbered("/?noise=" + strings.Repeat("0f", 300) + "&p%[1]d=%[2]s\n"),
		"words before":      numbered("user%d_%s\n"),
		"the last first":    in(each, slices.Reverse[[]string]),
		"shuffled":          in(each, shuffle),
		"reversed":          func(p []string) string { return each(pieces(backwards(strings.Join(p, "")), len(p[0]))) },
		"base64": func(p []string) string {
			return each(pieces(base64.StdEncoding.EncodeToString([]byte(strings.Join(p, ""))), len(p[0])))
		},
		"hex of each":          encoded(each, hex.EncodeToString),
		"base64 of each":       encoded(each, base64.RawURLEncoding.EncodeToString),
		"in much JSON of ours": func(p []string) string { return inJSON(p) },
	} {
		for _, n := range []int{4, 5, 6, 7} {
			t.Run(fmt.Sprint(name, "/", n), func(t *testing.T) {
				var crumbs leak.Crumbs
				left := "" // what has left
				for message := range strings.Lines(write(pieces(key, n))) {
					s := set.Crumbs(&crumbs, "evil.test", nil)
					for _, c := range pieces(message, 5) {
						if _, f := s.Write([]byte(c)); f != nil {
							if f.Object != "AWS_SECRET_ACCESS_KEY" || strings.Contains(f.Matched, key[:4]) {
								t.Errorf("%+v", f)
							}
							break
						}
						left += c
					}
				}
				if got := seen(left, pieces(key, n)); got >= 12+n {
					t.Errorf("%d bytes have left:\n%s", got, left)
				}
			})
		}
	}
}

// seen counts the characters of pieces that stand in text, in any form that TestCrumbs
// writes.
func seen(text string, of []string) (n int) {
	for _, p := range of {
		for _, form := range []string{p, backwards(p), hex.EncodeToString([]byte(p)), base64.RawURLEncoding.EncodeToString([]byte(p))} {
			if strings.Contains(text, form) {
				n += len(p)
				break
			}
		}
	}
	return n
}

// inJSON puts pieces into records of a log, each a message of its own.
func inJSON(pieces []string) string {
	var b strings.Builder
	for i, p := range pieces {
		line, _ := json.Marshal(map[string]any{
			"level": "info", "message": "the order was taken", "order": 4711 + i, "trace": p, "tags": []string{"eu-west-1", "checkout"},
		})
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// TestCrumbsByChance sends much that is generated, but of no secret, to one site.
func TestCrumbsByChance(t *testing.T) {
	set := manySecrets(60)
	random := rand.New(rand.NewPCG(7, 11))
	raw := make([]byte, 3<<10)
	forms := map[string]func() []byte{
		"base64": func() []byte { return base64.StdEncoding.AppendEncode(nil, raw) },
		"hex":    func() []byte { return hex.AppendEncode(nil, raw) },
		"JSON": func() []byte {
			return fmt.Appendf(nil, `{"trace":%q,"id":"%x","n":%d}`, base64.RawURLEncoding.EncodeToString(raw[:12]), raw[:16], raw[0])
		},
		"bytes": func() []byte { return raw },
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			var crumbs leak.Crumbs
			for range 2000 {
				for i := range raw {
					raw[i] = byte(random.Uint32())
				}
				s := set.Crumbs(&crumbs, "api.example", nil)
				if _, f := s.Write(form()); f != nil {
					t.Fatalf("%+v", f)
				}
			}
		})
	}
}

// manySecrets is a set of n keys that are like AWS's.
func manySecrets(n int) *leak.Set {
	random := rand.New(rand.NewPCG(3, 5))
	secrets := make([]leak.Secret, n)
	for i := range secrets {
		raw := make([]byte, 30)
		for k := range raw {
			raw[k] = byte(random.Uint32())
		}
		secrets[i] = leak.Secret{Name: fmt.Sprint("KEY_", i), Value: base64.StdEncoding.AppendEncode(nil, raw), Fingerprint: "f"}
	}
	return leak.New(secrets)
}
