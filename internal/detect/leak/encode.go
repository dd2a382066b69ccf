package leak

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is one form of one secret.
type pattern struct {
	text   []byte
	secret int      // index into Set.secrets
	chain  []string // how the secret is encoded, outermost first; nil as it is
}

// encoder returns the ways in which v is written in one encoding.
type encoder func(v []byte) [][]byte

// forms are what a secret is expected in; a form that does not differ from one
// before costs nothing. The inner name of a chain is applied first.
var forms = [...]struct {
	chain  []string
	encode []encoder // outermost first
}{
	{nil, nil},
	{[]string{"url"}, []encoder{urls}},
	{[]string{"url"}, []encoder{urlAll}},
	{[]string{"json"}, []encoder{jsons}},
	{[]string{"json"}, []encoder{jsonsForHTML}},
	{[]string{"url", "url"}, []encoder{urls, urls}},
	{[]string{"url", "json"}, []encoder{urls, jsons}},
	{[]string{"base64"}, []encoder{base64s}},
	{[]string{"base64", "json"}, []encoder{base64s, jsons}},
	{[]string{"url", "base64"}, []encoder{urls, base64s}},
	{[]string{"hex"}, []encoder{hexes}},
}

// patternsOf returns every form of every secret that is long enough, without
// duplicates.
func patternsOf(secrets []Secret) []pattern {
	var patterns []pattern
	seen := make(map[string]bool)
	for i := range secrets {
		if len(secrets[i].Value) < minSecret {
			continue
		}
		for _, f := range &forms {
			for _, text := range apply(f.encode, secrets[i].Value) {
				if len(text) >= minSecret && !seen[string(text)] {
					seen[string(text)] = true
					patterns = append(patterns, pattern{text: text, secret: i, chain: f.chain})
				}
			}
		}
	}
	return patterns
}

// apply encodes v by the last of encode first.
func apply(encode []encoder, v []byte) [][]byte {
	texts := [][]byte{v}
	for _, e := range slices.Backward(encode) {
		var next [][]byte
		for _, t := range texts {
			for _, encoded := range e(t) {
				next = appendNew(next, encoded)
			}
		}
		texts = next
	}
	return texts
}

// appendNew appends text to texts unless it is there already.
func appendNew(texts [][]byte, text []byte) [][]byte {
	for _, t := range texts {
		if bytes.Equal(t, text) {
			return texts
		}
	}
	return append(texts, text)
}

// lowered returns patterns in lower case.
func lowered(patterns []pattern) []pattern {
	out := make([]pattern, 0, len(patterns))
	seen := make(map[string]bool)
	for _, p := range patterns {
		p.text = bytes.ToLower(p.text)
		if !seen[string(p.text)] {
			seen[string(p.text)] = true
			out = append(out, p)
		}
	}
	return out
}

// urlSafe are the characters beside letters and digits that encoders leave as
// they are: RFC 3986 and Go; Java and browsers' forms; encodeURIComponent;
// Python's quote; encodeURI.
var urlSafe = [...]string{"-_.~", "-_.*", "-_.!~*'()", "-_.~/", "-_.!~*'();,/?:@&=+$#"}

// hexDigits are both cases of what percent-encoding writes.
var hexDigits = [...]string{"0123456789ABCDEF", "0123456789abcdef"}

// urls percent-encodes v as the common encoders do; nothing where v has only
// letters and digits.
func urls(v []byte) [][]byte {
	if !slices.ContainsFunc(v, func(c byte) bool { return !alphanumeric(c) }) {
		return nil
	}
	var out [][]byte
	for _, digits := range hexDigits {
		for _, safe := range urlSafe {
			e := percent(v, digits, safe)
			out = append(out, e)
			if bytes.IndexByte(v, ' ') >= 0 {
				out = append(out, bytes.ReplaceAll(e, []byte("%20"), []byte("+")))
			}
		}
	}
	return out
}

// urlAll percent-encodes every byte of v.
func urlAll(v []byte) [][]byte {
	var out [][]byte
	for _, digits := range hexDigits {
		e := make([]byte, 0, 3*len(v))
		for _, c := range v {
			e = append(e, '%', digits[c>>4], digits[c&15])
		}
		out = append(out, e)
	}
	return out
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// percent writes v with every byte but letters, digits and those in safe as %XX.
func percent(v []byte, digits, safe string) []byte {
	out := make([]byte, 0, len(v)+16)
	for _, c := range v {
		if alphanumeric(c) || strings.IndexByte(safe, c) >= 0 {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return out
}

// jsons escapes v as the inside of a JSON string: the least that must be, with
// \/, with <, > and & as \u003c (encoding/json), and in ASCII throughout (Python).
func jsons(v []byte) [][]byte {
	return [][]byte{
		jsonEscape(v, "", false, false), jsonEscape(v, "", true, false),
		jsonEscape(v, "<>&", false, false), jsonEscape(v, "", false, true),
	}
}

// jsonsForHTML escapes v as Gson and System.Text.Json do.
func jsonsForHTML(v []byte) [][]byte {
	return [][]byte{jsonEscape(v, "<>&='", false, false), dotnet(v)}
}

// dotnet escapes v as .NET does: all that is not ASCII, and what HTML knows and +,
// in hex of capitals.
func dotnet(v []byte) []byte {
	out := jsonEscape(bytes.ReplaceAll(v, []byte(`"`), []byte{0}), "'&<>+`", false, true)
	out = bytes.ReplaceAll(out, []byte(`\u0000`), []byte(`\u0022`))
	for i := 0; i+6 <= len(out); i++ {
		switch {
		case out[i] != '\\':
		case out[i+1] == 'u':
			copy(out[i+2:], bytes.ToUpper(out[i+2:i+6]))
			i += 5
		default:
			i++
		}
	}
	return out
}

func jsonEscape(v []byte, extra string, slash, ascii bool) []byte {
	const short = "\bb\ff\nn\rr\tt\"\"\\\\"
	var out []byte
	for i := 0; i < len(v); {
		c := v[i]
		r, n := utf8.DecodeRune(v[i:])
		k := bytes.IndexByte([]byte(short), c)
		switch {
		case k >= 0 && k%2 == 0:
			out = append(out, '\\', short[k+1])
		case c == '/' && slash:
			out = append(out, `\/`...)
		case c < ' ' || bytes.IndexByte([]byte(extra), c) >= 0:
			out = appendU16(out, rune(c))
		case ascii && n > 1 && r < 0x10000:
			out = appendU16(out, r)
		default:
			out = append(out, v[i:i+n]...)
		}
		i += n
	}
	return out
}

func appendU16(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// base64s returns what of v's base64 does not depend on its neighbours, for each
// of the three ways in which v may lie across groups of three bytes, in the
// standard and in the URL alphabet.
func base64s(v []byte) [][]byte {
	var out [][]byte
	for _, enc := range [...]*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for k := range 3 {
			padded := append(make([]byte, k, k+len(v)), v...)
			text := enc.AppendEncode(nil, padded)
			out = append(out, text[(8*k+5)/6:8*len(padded)/6])
		}
	}
	return out
}

// hexes returns v in hex, in both cases.
func hexes(v []byte) [][]byte {
	lower := hex.AppendEncode(nil, v)
	return [][]byte{lower, bytes.ToUpper(lower)}
}
