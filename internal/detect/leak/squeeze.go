package leak

import (
	"encoding/binary"
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

// squeeze appends what is left of text. Eight bytes are put together in a register,
// as bytes that are left out move what follows by nothing.
func (z *squeezer) squeeze(dst, text []byte) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(text)+8)[:n+len(text)+8]
	out := dst[n:]
	k := 0
	for ; len(text) >= 8; text = text[8:] {
		t := (*[8]byte)(text)
		a, b, c, d := z[t[0]], z[t[1]], z[t[2]], z[t[3]]
		b1 := width(a)
		c1 := b1 + width(b)
		d1 := c1 + width(c)
		low := uint64(a) | uint64(b)<<(b1&63) | uint64(c)<<(c1&63) | uint64(d)<<(d1&63)
		half := d1 + width(d)
		a, b, c, d = z[t[4]], z[t[5]], z[t[6]], z[t[7]]
		b1 = width(a)
		c1 = b1 + width(b)
		d1 = c1 + width(c)
		high := uint64(a) | uint64(b)<<(b1&63) | uint64(c)<<(c1&63) | uint64(d)<<(d1&63)
		binary.LittleEndian.PutUint64(out[k:], low|high<<(half&63))
		k += int(half+d1+width(d)) / 8
	}
	for _, c := range text {
		q := z[c]
		out[k] = q
		k += int(width(q) / 8)
	}
	return dst[:n+k]
}

// width is how many bits of what is left q is: 8, or 0 where it is nothing.
func width(q byte) uint8 { return q >> 2 & 8 } // set in lower-case letters and digits

// squeezed returns what is left of the patterns whose characters survive it, and of
// bytes written as numbers.
func squeezed(patterns []pattern, secrets []Secret, targets []target) []pattern {
	z := newSqueezer()
	seen := make(map[string]bool)
	chains := make(map[string][]string) // one for all patterns that have it
	var out []pattern
	add := func(p pattern) {
		p = z.pattern(&p)
		chain := strings.Join(p.chain, " ")
		if chains[chain] == nil {
			chains[chain] = append([]string{separated}, p.chain...)
		}
		p.chain = chains[chain]
		t := &targets[p.secret]
		enough := len(p.text) >= minAlarm || len(p.chain) == 1 && len(p.text)*4 >= t.length*3 && !t.whole
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
	compact(out)
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

// pattern returns what is left of p, in p's chain.
func (z *squeezer) pattern(p *pattern) pattern {
	q := pattern{secret: p.secret, chain: p.chain}
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
