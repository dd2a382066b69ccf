package leak

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// pattern is one form of one secret.
type pattern struct {
	text    []byte
	secret  int      // index into Set.secrets
	chain   []string // how the secret is encoded, outermost first; nil as it is
	spacing int      // of its grams

	// Which byte of the secret a byte of text belongs to: table, where there is one,
	// else bias + i×step; see at.
	bias, step int32
	table      []int32
}

// one is one byte of a secret in the fixed point of pattern.at.
const one = 1 << 16

// at returns where in the secret text[i:] begins, in units of 1/one bytes: in base64
// it may be in the middle of a byte.
func (p *pattern) at(i int) int32 {
	if p.table != nil {
		return p.table[i]
	}
	return p.bias + int32(i)*p.step
}

// atFraction is at for a place between two bytes of text, in units of 1/one bytes.
func (p *pattern) atFraction(x int64) int32 {
	if p.table == nil {
		return p.bias + int32(x*int64(p.step)>>16)
	}
	i := min(int(x>>16), len(p.table)-1)
	at := p.table[i]
	if rest := x & (one - 1); rest != 0 && i+1 < len(p.table) {
		at += int32(int64(p.table[i+1]-at) * rest >> 16)
	}
	return at
}

// touched returns which bytes of the secret text[from:to] holds some bits of: from lo
// on those before hi.
func (p *pattern) touched(from, to int) (lo, hi int) {
	const slack = one / 64 // of the fixed point
	a, b := p.at(from), p.at(to)
	if a > b {
		a, b = b, a
	}
	return int(a+slack) >> 16, int(b+one-1-slack) >> 16
}

// escapes reports whether p is a secret of which only some bytes are escaped: what
// is between these is found as it is.
func (p *pattern) escapes() bool {
	return len(p.chain) > 0 && (p.chain[0] == "url" || p.chain[0] == "json") && p.table != nil &&
		len(p.text) < 2*int(p.table[len(p.text)]>>16)
}

// escapeIn reports whether an escape begins or ends in text[from:to].
func (p *pattern) escapeIn(from, to int) bool {
	return bytes.ContainsAny(p.text[max(0, from-2):to], "%\\")
}

// encoder returns the ways in which the text of p is written in one encoding.
type encoder func(p *pattern) []pattern

// form is one way in which a secret is written.
type form struct {
	chain  []string
	encode []encoder // outermost first
}

// forms are what a secret is expected in; a form that does not differ from one
// before costs nothing.
var forms = [...]form{
	{nil, nil},
	{[]string{"url"}, []encoder{urls}},
	{[]string{"url"}, []encoder{urlAll}},
	{[]string{"json"}, []encoder{jsons}},
	{[]string{"json"}, []encoder{jsonAll}},
	{[]string{"url", "url"}, []encoder{urls, urls}},
	{[]string{"url", "url"}, []encoder{urls, urlAll}},
	{[]string{"url", "json"}, []encoder{urls, jsons}},
	{[]string{"base64"}, []encoder{base64s}},
	{[]string{"base64", "json"}, []encoder{base64s, jsons}},
	{[]string{"url", "base64"}, []encoder{urls, base64s}},
	{[]string{"hex"}, []encoder{hexes}},
	{[]string{"base64", "base64"}, []encoder{base64s, base64s}},
	{[]string{"base64", "base64", "base64"}, []encoder{base64s, base64s, base64s}},
	{[]string{"base32"}, []encoder{base32s}},
	{[]string{"ascii85"}, []encoder{base85s}},
	{[]string{"reversed"}, []encoder{reversed}},
	{[]string{"base64", "reversed"}, []encoder{base64s, reversed}},
	{[]string{"reversed", "base64"}, []encoder{reversed, base64s}},
	{[]string{"rot13"}, []encoder{rot13}},
	{[]string{"utf-16"}, []encoder{utf16s}},
	{[]string{"base64", "utf-16"}, []encoder{base64s, utf16s}},
	{[]string{"base64", "hex"}, []encoder{base64s, hexes}},
	{[]string{"hex", "base64"}, []encoder{hexes, base64s}},
}

// fewForms is from which length on a secret has no patterns of what Decode undoes anyway,
// not even for masks, in bytes.
const fewForms = 1 << 10

// maxSecret is how much of a value is looked for, in bytes.
const maxSecret = 8 << 10

// patternsOf returns every form of every secret that is long enough, without
// duplicates.
func patternsOf(secrets []Secret) []pattern {
	var patterns []pattern
	seen := make(map[string]bool)
	for i := range secrets {
		v := secrets[i].Value
		if len(v) < minSecret {
			continue
		}
		raw := pattern{text: v[:min(len(v), maxSecret)], secret: i, step: one}
		for k := range forms {
			if len(v) > fewForms && undoneAnyway(forms[k].chain) {
				continue // texts of megabytes
			}
			for _, p := range apply(forms[k].encode, raw) {
				if len(p.text) >= minSecret && !seen[string(p.text)] {
					seen[string(p.text)] = true
					p.chain = forms[k].chain
					patterns = append(patterns, p)
				}
			}
		}
	}
	compact(patterns)
	return patterns
}

// leastLine is how long a line of a secret is that is masked where it stands alone.
const leastLine = 16

// linesOf returns the lines of secrets that have some, as private keys do: who prints one
// prints line by line, and the log has no more of it together. Words are no secret alone.
func linesOf(secrets []Secret) (patterns []pattern) {
	for i := range secrets {
		v := secrets[i].Value[:min(len(secrets[i].Value), maxSecret)]
		at := 0
		for line := range bytes.Lines(v) {
			text := bytes.TrimRight(line, "\r\n")
			if len(text) >= leastLine && len(line) < len(v) && isRandom(string(text)) {
				patterns = append(patterns, pattern{text: text, secret: i, bias: int32(at) * one, step: one})
			}
			at += len(line)
		}
	}
	return patterns
}

// compact puts the texts and tables of patterns next to each other: the garbage
// collector has two objects to look at then, and not thousands each time.
func compact(patterns []pattern) {
	bytes, places := 0, 0
	for i := range patterns {
		bytes += len(patterns[i].text)
		places += len(patterns[i].table)
	}
	texts, tables := make([]byte, 0, bytes), make([]int32, 0, places)
	for i := range patterns {
		p := &patterns[i]
		at := len(texts)
		texts = append(texts, p.text...)
		p.text = texts[at:len(texts):len(texts)]
		if p.table != nil {
			at := len(tables)
			tables = append(tables, p.table...)
			p.table = tables[at:len(tables):len(tables)]
		}
	}
}

// apply encodes p by the last of encode first.
func apply(encode []encoder, p pattern) []pattern {
	texts := []pattern{p}
	for _, e := range slices.Backward(encode) {
		var next []pattern
		for i := range texts {
			for _, encoded := range e(&texts[i]) {
				next = appendNew(next, encoded)
			}
		}
		texts = next
	}
	return texts
}

// appendNew appends p to texts unless its text is there already.
func appendNew(texts []pattern, p pattern) []pattern {
	for i := range texts {
		if bytes.Equal(texts[i].text, p.text) {
			return texts
		}
	}
	return append(texts, p)
}

// packed returns p written as text, of which each byte stands for num/den bytes of
// p's text from the byte skip on, in units of 1/den bytes.
func (p *pattern) packed(text []byte, skip, num, den int) pattern {
	q := pattern{text: text, secret: p.secret}
	place := func(i int) int32 { return p.atFraction((int64(skip) + int64(i)*int64(num)) * one / int64(den)) }
	if p.table == nil {
		q.bias = place(0)
		q.step = int32(int64(p.step) * int64(num) / int64(den))
		return q
	}
	q.table = make([]int32, len(text)+1)
	for i := range q.table {
		q.table[i] = place(i)
	}
	return q
}

// escaped returns p written as text, in which some bytes are escaped: mark begins
// an escape.
func (p *pattern) escaped(text []byte, mark byte) pattern {
	q := pattern{text: text, secret: p.secret, table: make([]int32, 0, len(text)+1)}
	for i, n := 0, 0; i < len(text); {
		chars, stands := escape(text[i:], mark)
		for k := range min(chars, len(text)-i) {
			q.table = append(q.table, p.atFraction(int64(min(n*chars+k*stands, len(p.text)*chars))*one/int64(chars)))
		}
		i += chars
		n += stands
	}
	q.table = append(q.table, p.at(len(p.text)))
	return q
}

// escape returns how many bytes of text the escape is that it begins with, and for
// how many it stands; 1 and 1 where it begins with none.
func escape(text []byte, mark byte) (chars, stands int) {
	switch {
	case text[0] != mark:
		return 1, 1
	case mark == '%' && len(text) > 2:
		return 3, 1
	case len(text) > 5 && text[1] == 'u':
		var r rune
		for _, c := range text[2:6] {
			r = r<<4 | rune(unhex(c))
		}
		return 6, max(1, utf8.RuneLen(r))
	case len(text) > 1:
		return 2, 1
	}
	return 1, 1
}

func unhex(c byte) byte {
	if c >= 'A' {
		return c&7 + 9
	}
	return c & 15
}

// urlSafe are the characters beside letters and digits that encoders leave as
// they are: RFC 3986 and Go's queries; Java and browsers' forms; encodeURIComponent;
// Python's quote; encodeURI; Go's path segments, paths and passwords in URLs.
var urlSafe = [...]string{"-_.~", "-_.*", "-_.!~*'()", "-_.~/", "-_.!~*'();,/?:@&=+$#", "-_.~$&+:=@", "-_.~$&+:=@/;,", "-_.~$&+=;,"}

// hexDigits are both cases of what percent-encoding writes.
var hexDigits = [...]string{"0123456789ABCDEF", "0123456789abcdef"}

// urls percent-encodes p as the common encoders do; nothing where it has only
// letters and digits.
func urls(p *pattern) (out []pattern) {
	if !slices.ContainsFunc(p.text, func(c byte) bool { return !alphanumeric(c) }) {
		return nil
	}
	for _, digits := range hexDigits {
		for _, safe := range urlSafe {
			e := p.escaped(percent(p.text, digits, safe), '%')
			out = appendNew(out, e)
			if bytes.IndexByte(p.text, ' ') >= 0 {
				plus := bytes.ReplaceAll(e.text, []byte("%20"), []byte("+"))
				out = appendNew(out, p.escaped(plus, '%'))
			}
		}
	}
	return out
}

// urlAll percent-encodes every byte of p.
func urlAll(p *pattern) (out []pattern) {
	for _, digits := range hexDigits {
		e := make([]byte, 0, 3*len(p.text))
		for _, c := range p.text {
			e = append(e, '%', digits[c>>4], digits[c&15])
		}
		out = append(out, p.escaped(e, '%'))
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

// jsons escapes p as the inside of a JSON string: the least that must be, with
// \/, with <, > and & as \u003c (encoding/json), in ASCII throughout (Python), and
// as Gson and System.Text.Json do.
func jsons(p *pattern) (out []pattern) {
	v := p.text
	for _, e := range [...][]byte{
		jsonEscape(v, "", false, false), jsonEscape(v, "", true, false),
		jsonEscape(v, "<>&", false, false), jsonEscape(v, "", false, true),
		jsonEscape(v, "<>&='", false, false), dotnet(v),
	} {
		if !bytes.Equal(e, v) {
			out = appendNew(out, p.escaped(e, '\\'))
		}
	}
	return out
}

// jsonAll escapes every character of p; nothing where it is no text.
func jsonAll(p *pattern) (out []pattern) {
	for _, format := range [...]string{`\u%04x`, `\u%04X`} {
		q, ok := p.units(func(dst []byte, unit uint16) []byte { return fmt.Appendf(dst, format, unit) })
		if ok {
			out = append(out, q)
		}
	}
	return out
}

// units returns p with every unit of its UTF-16 as appendUnit writes it; ok is whether it
// is text.
func (p *pattern) units(appendUnit func(dst []byte, unit uint16) []byte) (q pattern, ok bool) {
	if !utf8.Valid(p.text) {
		return q, false
	}
	q.secret = p.secret
	for i, r := range string(p.text) {
		before := len(q.text)
		for _, unit := range utf16.AppendRune(nil, r) {
			q.text = appendUnit(q.text, unit)
		}
		from, to := int64(p.at(i)), int64(p.at(i+utf8.RuneLen(r)))
		for k, n := 0, len(q.text)-before; k < n; k++ {
			q.table = append(q.table, int32(from+(to-from)*int64(k)/int64(n)))
		}
	}
	q.table = append(q.table, p.at(len(p.text)))
	return q, true
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

// base64s returns what of p's base64 does not depend on its neighbours, for each
// of the three ways in which p may lie across groups of three bytes, in the
// standard and in the URL alphabet.
func base64s(p *pattern) (out []pattern) {
	for _, enc := range [...]*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for k := range 3 {
			padded := append(make([]byte, k, k+len(p.text)), p.text...)
			text := enc.AppendEncode(nil, padded)
			from := (8*k + 5) / 6
			out = appendNew(out, p.packed(text[from:8*len(padded)/6], 6*from-8*k, 6, 8))
		}
	}
	return out
}

// base32s is base64s for base32 and its five ways, in both cases.
func base32s(p *pattern) (out []pattern) {
	for _, enc := range [...]*base32.Encoding{base32.StdEncoding, base32.HexEncoding} {
		for k := range 5 {
			padded := append(make([]byte, k, k+len(p.text)), p.text...)
			text := enc.WithPadding(base32.NoPadding).AppendEncode(nil, padded)
			from := (8*k + 4) / 5
			text = text[from : 8*len(padded)/5]
			out = append(out, p.packed(text, 5*from-8*k, 5, 8), p.packed(bytes.ToLower(text), 5*from-8*k, 5, 8))
		}
	}
	return out
}

// alphabets85 are those of base85: Adobe's and btoa's ascii85, RFC 1924 and Python's b85encode,
// and ZeroMQ's Z85.
var alphabets85 = [...]string{
	"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu",
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
}

// base85s is base64s for base85 and its four ways: the groups of four bytes that
// lie in p as a whole.
func base85s(p *pattern) (out []pattern) {
	for _, alphabet := range alphabets85 {
		for k := range 4 {
			var text []byte
			for i := k; i+4 <= len(p.text); i += 4 {
				text = append85(text, p.text[i:], alphabet)
			}
			out = append(out, p.packed(text, 5*k, 4, 5))
		}
	}
	return out
}

// append85 appends the first four bytes of v. Four zeros, which ascii85 writes as z,
// are in no secret.
func append85(dst, v []byte, alphabet string) []byte {
	n := binary.BigEndian.Uint32(v)
	var group [5]byte
	for i := range group {
		group[4-i] = alphabet[n%85]
		n /= 85
	}
	return append(dst, group[:]...)
}

// hexes returns p in hex, in both cases.
func hexes(p *pattern) []pattern {
	lower := hex.AppendEncode(nil, p.text)
	return []pattern{p.packed(lower, 0, 1, 2), p.packed(bytes.ToUpper(lower), 0, 1, 2)}
}

// reversed returns p from its end to its beginning.
func reversed(p *pattern) []pattern {
	text := slices.Clone(p.text)
	slices.Reverse(text)
	q := pattern{text: text, secret: p.secret, bias: p.at(len(text)), step: -p.step}
	if p.table != nil {
		q.table = slices.Clone(p.table)
		slices.Reverse(q.table)
	}
	return []pattern{q}
}

// rot13 returns p with its letters moved by half of the alphabet.
func rot13(p *pattern) []pattern {
	text := slices.Clone(p.text)
	for i, c := range text {
		if l := c | 0x20; l >= 'a' && l <= 'z' {
			text[i] = c - l + 'a' + (l-'a'+13)%26
		}
	}
	return []pattern{p.packed(text, 0, 1, 1)}
}

// utf16s returns p in UTF-16; where it is in ASCII, in what both byte orders have.
func utf16s(p *pattern) (out []pattern) {
	text := make([]byte, 0, 2*len(p.text))
	for _, c := range p.text {
		if c >= utf8.RuneSelf {
			return wide(p)
		}
		text = append(text, c, 0)
	}
	return []pattern{p.packed(text[:len(text)-1], 0, 1, 2)}
}

// wide returns p in both byte orders of UTF-16; nothing where it is no text.
func wide(p *pattern) (out []pattern) {
	for _, appendUnit := range [...]func([]byte, uint16) []byte{binary.LittleEndian.AppendUint16, binary.BigEndian.AppendUint16} {
		if q, ok := p.units(appendUnit); ok {
			out = append(out, q)
		}
	}
	return out
}
