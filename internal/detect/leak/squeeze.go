package leak

import (
	"fmt"
	"slices"
	"strings"
)

// squeezer says what is left of each byte of a text without anything but letters,
// in lower case, and digits: 0 is nothing. What was wrapped, dashed, spaced, or put
// into the labels of a host name is together again in that.
type squeezer [256]byte

func newSqueezer() (z squeezer) {
	for c := range z {
		if alphanumeric(byte(c)) {
			z[c] = byte(c)
			if isUpper(byte(c)) {
				z[c] |= 0x20
			}
		}
	}
	return z
}

// squeeze appends what is left of text.
func (z *squeezer) squeeze(dst, text []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(text))[:n+len(text)]
	out := dst[n:]
	k := 0
	for ; len(text) >= 8; text = text[8:] {
		o, t := (*[8]byte)(out[k:]), (*[8]byte)(text)
		j := 0
		for _, c := range t {
			q := z[c]
			o[j&7] = q
			j += int(q >> 5 & 1) // set in lower-case letters and digits
		}
		k += j
	}
	for _, c := range text {
		q := z[c]
		out[k] = q
		k += int(q >> 5 & 1)
	}
	return dst[:n+k]
}

// squeezed returns what is left of the patterns whose characters survive it, and of
// bytes written as numbers.
func squeezed(patterns []pattern, secrets []Secret, targets []target) []pattern {
	z := newSqueezer()
	seen := make(map[string]bool)
	var out []pattern
	add := func(p pattern) {
		p = z.pattern(&p)
		t := &targets[p.secret]
		enough := len(p.text) >= minAlarm || len(p.chain) == 0 && len(p.text)*4 >= t.length*3 && !t.whole
		if len(p.text) >= gram && enough && !seen[string(p.text)] {
			seen[string(p.text)] = true
			out = append(out, p)
		}
	}
	for i := range patterns {
		switch strings.Join(patterns[i].chain, " ") {
		case "", "base64", "hex", "base32", "base64 base64", "reversed", "rot13", "base64 json":
			add(patterns[i])
		}
	}
	for i := range secrets {
		if len(secrets[i].Value) < minSecret {
			continue
		}
		v := secrets[i].Value[:min(len(secrets[i].Value), maxSecret)]
		add(numbers(v, i, "x%02x", "hex"))
		add(numbers(v, i, "0x%02x", "hex"))
		add(numbers(v, i, "%d", "decimal"))
	}
	return out
}

// numbers returns v with each byte in the format.
func numbers(v []byte, secret int, format, name string) pattern {
	p := pattern{secret: secret, chain: []string{name}}
	for i, c := range v {
		p.text = fmt.Appendf(p.text, format, c)
		for len(p.table) < len(p.text) {
			p.table = append(p.table, int32(i)*one+one*3/4)
		}
	}
	for i := range p.table {
		if i == 0 || p.table[i] != p.table[i-1] {
			p.table[i] -= one * 3 / 4
		}
	}
	p.table = append(p.table, int32(len(v))*one)
	return p
}

// separated is how a secret is written that was found without what stood between.
const separated = "separated"

// pattern returns what is left of p.
func (z *squeezer) pattern(p *pattern) pattern {
	q := pattern{secret: p.secret, chain: append([]string{separated}, p.chain...)}
	last := p.at(0)
	for i, c := range p.text {
		if z[c] != 0 {
			q.text = append(q.text, z[c])
			q.table = append(q.table, p.at(i))
			last = p.at(i + 1)
		}
	}
	q.table = append(q.table, last)
	return q
}
