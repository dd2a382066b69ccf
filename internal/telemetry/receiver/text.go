package receiver

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"gatehouse/internal/record"
)

// text returns the JSON string raw, cut to n bytes, or "".
func text(raw json.RawMessage, n int) string {
	s, _ := unquote(raw)
	if len(s) > n {
		s = s[:n]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return s
}

// unquote returns what the JSON string raw says, as encoding/json does and without
// reflection; ok is false where raw is none. A null says "".
func unquote(raw json.RawMessage) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", string(raw) == "null"
	}
	inner := raw[1 : len(raw)-1]
	plain, broken := bytes.CutSuffix(inner, []byte(`\n`))
	switch {
	case !record.Plain(plain):
		return unescape(inner)
	case broken:
		return string(plain) + "\n", true
	}
	return string(plain), true
}

// escapes are what stands behind a backslash, and what that means.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape returns what inner says between quotes. What is no UTF-8 comes as U+FFFD.
func unescape(inner []byte) (s string, ok bool) {
	var b strings.Builder
	b.Grow(len(inner))
	for i := 0; i < len(inner); {
		switch c := inner[i]; {
		case c < ' ' || c == '"':
			return "", false
		case c == '\\':
			n := b.Len()
			if i += unescapeOne(&b, inner[i:]); b.Len() == n {
				return "", false
			}
		case c < utf8.RuneSelf:
			n := i + 1
			for n < len(inner) && inner[n] >= ' ' && inner[n] < utf8.RuneSelf && inner[n] != '"' && inner[n] != '\\' {
				n++
			}
			b.Write(inner[i:n])
			i = n
		default:
			r, n := utf8.DecodeRune(inner[i:])
			b.WriteRune(r)
			i += n
		}
	}
	return b.String(), true
}

// unescapeOne writes what the escape says that s begins with, and returns its length. It
// writes nothing where it is none.
func unescapeOne(b *strings.Builder, s []byte) (n int) {
	if len(s) < 2 {
		return 0
	}
	if c := escapes[s[1]]; c != 0 {
		b.WriteByte(c)
		return 2
	}
	r := codeUnit(s)
	if r < 0 {
		return 0
	}
	if utf16.IsSurrogate(r) {
		if both := utf16.DecodeRune(r, codeUnit(s[6:])); both != utf8.RuneError {
			b.WriteRune(both)
			return 12
		}
	}
	b.WriteRune(r) // of half a pair, U+FFFD
	return 6
}

// codeUnit returns what the escape \uXXXX says that s begins with; -1: it is none.
func codeUnit(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// when reads an event's time: most are of the millisecond of the last one. The zero time,
// which Add replaces, stands for one that is none.
func (b *batch) when(raw json.RawMessage) time.Time {
	if b.rawTime == nil || !bytes.Equal(raw, b.rawTime) {
		b.time, b.rawTime = timeOf(raw), append(b.rawTime[:0], raw...)
	}
	return b.time
}

func timeOf(raw json.RawMessage) time.Time {
	t, err := time.Parse(time.RFC3339Nano, string(bytes.Trim(raw, `"`)))
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
