package attack

import "strconv"

// maxPathBytes bounds a path that is written out; what is longer ends in "…".
const maxPathBytes = 1024

// appendPath appends the path to the string that s stands at. Every level is a
// dot and a name, an index in brackets, or, for a key that is not a name, the
// key as a quoted string in brackets: Records[0].headers["x-odd key"].
func (s *scanner) appendPath(dst []byte) []byte {
	for i := range s.frames {
		if len(dst) > maxPathBytes {
			return append(dst[:maxPathBytes], "…"...)
		}
		dst = s.frames[i].append(dst, s.text)
	}
	if s.depth > len(s.frames) {
		dst = append(dst, "…"...)
	}
	return dst
}

func (f *frame) append(dst, text []byte) []byte {
	if f.array {
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(f.index), 10)
		return append(dst, ']')
	}
	if f.keyEnd == 0 {
		return dst // the object's first key is still to come
	}
	key := f.key(text)
	return appendName(dst, unescape(nil, key[:min(len(key), maxPathBytes)]))
}

// key returns the key as written, without its quotes.
func (f *frame) key(text []byte) []byte {
	k := str{start: f.keyStart, end: f.keyEnd, closed: text[f.keyEnd-1] == '"' && f.keyEnd-f.keyStart > 1}
	return k.body(text)
}

// appendName appends one name, or the beginning of a long one, to a path.
func appendName(dst, name []byte) []byte {
	name = name[:min(len(name), maxPathBytes)]
	if !isName(name) {
		dst = append(dst, '[')
		dst = strconv.AppendQuote(dst, string(name))
		return append(dst, ']')
	}
	if len(dst) > 0 {
		dst = append(dst, '.')
	}
	return append(dst, name...)
}

// isName reports whether key may stand in a path without quotes.
func isName(key []byte) bool {
	for i, c := range key {
		ok := c == '_' || c == '$' || c|0x20 >= 'a' && c|0x20 <= 'z' || i > 0 && c >= '0' && c <= '9'
		if !ok {
			return false
		}
	}
	return len(key) > 0
}
