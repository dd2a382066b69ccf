package attack

import (
	"bytes"
	"unicode/utf8"
)

// decodeEntity undoes HTML's character references, decimal, hexadecimal, and those
// of the names that stand for ASCII, with or without the semicolon.
// https://html.spec.whatwg.org/multipage/named-characters.html
func decodeEntity(dst, src []byte) ([]byte, bool) {
	done := false
	for {
		i := bytes.IndexByte(src, '&')
		if i < 0 {
			return append(dst, src...), done
		}
		dst = append(dst, src[:i]...)
		r, n := reference(src[i:])
		if n == 0 {
			dst, n = append(dst, '&'), 1
		} else {
			dst = utf8.AppendRune(dst, r)
			done = true
		}
		src = src[i+n:]
	}
}

// reference reads a character reference at the beginning of b and returns its
// length, 0 where there is none.
func reference(b []byte) (r rune, n int) {
	if len(b) > 2 && b[1] == '#' {
		return numericReference(b)
	}
	end := 1
	for end < len(b) && end <= maxEntityName && classOf[b[end]]&(letter|digit) != 0 {
		end++
	}
	r = entityOf(b[1:end])
	if r == 0 {
		return 0, 0
	}
	return r, semicolonEnds(b, end)
}

// numericReference reads &#39; and &#x27;, of any number of leading zeros up to
// what browsers are asked for in practice.
func numericReference(b []byte) (r rune, n int) {
	const most = 16
	i, base := 2, rune(10)
	if b[2]|0x20 == 'x' {
		i, base = 3, 16
	}
	start := i
	for i < len(b) && i-start < most {
		d, ok := hexDigit(b[i])
		if !ok || rune(d) >= base {
			break
		}
		if r = r*base + rune(d); r > utf8.MaxRune {
			return 0, 0
		}
		i++
	}
	if i == start || r == 0 {
		return 0, 0
	}
	return r, semicolonEnds(b, i)
}

func semicolonEnds(b []byte, end int) int {
	if end < len(b) && b[end] == ';' {
		return end + 1
	}
	return end
}

// maxEntityName is the length of the longest name that is known, in bytes.
const maxEntityName = 8

// entityOf returns what a named character reference stands for, 0 for what is not
// known.
func entityOf(name []byte) rune {
	switch string(name) {
	case "lt", "LT":
		return '<'
	case "gt", "GT":
		return '>'
	case "amp", "AMP":
		return '&'
	case "quot", "QUOT":
		return '"'
	case "apos":
		return '\''
	case "nbsp", "Tab":
		return ' '
	case "NewLine":
		return '\n'
	case "colon":
		return ':'
	case "semi":
		return ';'
	case "comma":
		return ','
	case "period":
		return '.'
	case "excl":
		return '!'
	case "quest":
		return '?'
	case "num":
		return '#'
	case "dollar":
		return '$'
	case "percnt":
		return '%'
	case "lpar":
		return '('
	case "rpar":
		return ')'
	case "lbrack", "lsqb":
		return '['
	case "rbrack", "rsqb":
		return ']'
	case "lbrace", "lcub":
		return '{'
	case "rbrace", "rcub":
		return '}'
	case "ast":
		return '*'
	case "plus":
		return '+'
	case "equals":
		return '='
	case "sol":
		return '/'
	case "bsol":
		return '\\'
	case "grave":
		return '`'
	case "vert", "verbar":
		return '|'
	case "lowbar":
		return '_'
	case "commat":
		return '@'
	}
	return 0
}
