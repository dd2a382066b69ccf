package attack

import (
	"bytes"
	"encoding/base64"
	"slices"
)

// decodeWords undoes the encoded words of mail headers: =?utf-8?B?…?= and
// =?utf-8?Q?…?=. Character sets are taken for ASCII or UTF-8, which they share
// what matters with.
// https://www.rfc-editor.org/rfc/rfc2047
func decodeWords(dst, src []byte) ([]byte, bool) {
	done, word := false, false
	for {
		i := bytes.Index(src, []byte("=?"))
		if i < 0 {
			return append(dst, src...), done
		}
		if !word || len(trimBlank(src[:i])) > 0 { // blanks between two words are none
			dst = append(dst, src[:i]...)
		}
		out, n := encodedWord(dst, src[i:])
		if n == 0 {
			dst, n = append(dst, "=?"...), 2
		} else {
			dst, done = out, true
		}
		word = n > 2
		src = src[i+n:]
	}
}

// maxEncodedWord is the longest encoded word that is read, in bytes. The RFC allows
// 75.
const maxEncodedWord = 4096

// encodedWord appends what the encoded word at the beginning of b says, and returns
// its length.
func encodedWord(dst, b []byte) (out []byte, n int) {
	b = b[:min(len(b), maxEncodedWord)]
	charset, rest, ok := bytes.Cut(b[2:], []byte("?"))
	if !ok || len(charset) == 0 || len(charset) > 40 || len(rest) < 4 || rest[1] != '?' {
		return dst, 0
	}
	text, _, ok := bytes.Cut(rest[2:], []byte("?="))
	if !ok {
		return dst, 0
	}
	n = 2 + len(charset) + 1 + 2 + len(text) + 2
	switch rest[0] | 0x20 {
	case 'b':
		out, err := base64.RawStdEncoding.AppendDecode(dst, trimPadding(text))
		if err != nil {
			return dst, 0
		}
		return out, n
	case 'q':
		return appendQ(dst, text), n
	}
	return dst, 0
}

// appendQ appends text with =XX undone and _ as a blank.
func appendQ(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '_' {
			c = ' '
		}
		if c == '=' && i+2 < len(text) {
			hi, ok1 := hexDigit(text[i+1])
			lo, ok2 := hexDigit(text[i+2])
			if ok1 && ok2 {
				c = hi<<4 | lo
				i += 2
			}
		}
		dst = append(dst, c)
	}
	return dst
}

const (
	// maxBoundary is the longest line that is taken for a boundary, in bytes. The RFC
	// allows 72, some readers more.
	// https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
	maxBoundary = 256
	// maxBoundaries is how many boundaries one value is split at: which of them holds,
	// its sender says elsewhere.
	maxBoundaries = 4
	// maxPartHeader is the longest name of a header that is looked for, in bytes.
	maxPartHeader = 64
)

// mixed judges value as a multipart body, once for each boundary that it may have. It
// reports whether it has one.
func (in *inspection) mixed(value []byte) bool {
	var seen [maxBoundaries][]byte
	n := 0
	for at := nextBoundary(value, 0); at >= 0 && !in.done; at = nextBoundary(value, at+1) {
		boundary := boundaryAt(value, at)
		if slices.ContainsFunc(seen[:n], func(b []byte) bool { return bytes.Equal(b, boundary) }) {
			continue
		}
		if n == maxBoundaries {
			in.gap("depth", len(value)-at)
			return true
		}
		seen[n] = boundary
		n++
		if !in.push("multipart") {
			return true
		}
		if !in.clip() {
			in.multipart(value[at:], boundary)
		}
		in.pop()
	}
	return n > 0
}

// nextBoundary returns where, from from on, a line begins that may be a boundary:
// with two dashes, and a header or a line of nothing behind it; -1 for nowhere.
func nextBoundary(value []byte, from int) int {
	for i := from; ; {
		if i > 0 || !bytes.HasPrefix(value, []byte("--")) {
			n := bytes.Index(value[max(0, i-1):], []byte("\n--"))
			if n < 0 {
				return -1
			}
			i = max(0, i-1) + n + 1
		}
		if line := boundaryAt(value, i); len(line) > 2 && beginsPart(value[i+len(line):]) {
			return i
		}
		i += 2
	}
}

// boundaryAt returns the line at value[at:] without what ends it; nil where it is too
// long.
func boundaryAt(value []byte, at int) []byte {
	line := value[at:min(len(value), at+maxBoundary+2)]
	end := bytes.IndexByte(line, '\n')
	if end < 0 {
		return nil
	}
	return bytes.TrimRight(line[:end], "\r \t")
}

// beginsPart reports whether b, the end of a line and what follows, goes on with a
// header, or with a part that has none.
func beginsPart(b []byte) bool {
	_, b, _ = bytes.Cut(b[:min(len(b), maxBoundary+maxPartHeader)], []byte("\n"))
	if bytes.HasPrefix(b, []byte("\r\n")) || bytes.HasPrefix(b, []byte("\n")) {
		return true
	}
	n := 0
	for n < len(b) && n < maxPartHeader && classOf[b[n]]&(letter|digit|dash) != 0 {
		n++
	}
	return n > 0 && n < len(b) && b[n] == ':'
}

// multipart judges the parts of a multipart body, which begins with its boundary:
// headers, names and contents.
func (in *inspection) multipart(value, boundary []byte) {
	l := &in.layers[in.top]
	if !in.spend(len(value)) {
		return
	}
	_, value, more := cutPart(value, boundary)
	for more && !in.done {
		var part []byte
		part, value, more = cutPart(value, boundary)
		in.part(l, bytes.Trim(part, "\r\n"))
	}
}

// cutPart cuts value where its next line begins that is boundary.
func cutPart(value, boundary []byte) (part, rest []byte, more bool) {
	for i := 0; ; i++ {
		n := bytes.Index(value[i:], boundary)
		if n < 0 {
			return value, nil, false
		}
		i += n
		end := i + len(boundary)
		if i > 0 && value[i-1] != '\n' {
			continue
		}
		if end == len(value) || classOf[value[end]]&blank != 0 || value[end] == '-' {
			return value[:i], value[end:], true
		}
	}
}

// part judges one part. What it holds may be no text, among parts that are.
func (in *inspection) part(l *layer, part []byte) {
	head, body := cutHead(part)
	l.name = parameter(head, "name=")
	for rest := head; len(rest) > 0 && !in.done; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		in.judge(line, classesOf(line))
	}
	in.plainly(body)
}

// cutHead cuts a part behind the first line with nothing in it; a part without one
// has no headers.
func cutHead(part []byte) (head, body []byte) {
	for i := 0; i < len(part); {
		n := bytes.IndexByte(part[i:], '\n')
		if n < 0 {
			break
		}
		if len(bytes.TrimRight(part[i:i+n], "\r")) == 0 {
			return part[:i], part[i+n+1:]
		}
		i += n + 1
	}
	return nil, part
}

// parameter returns the value of a parameter in a part's header; nil where there is
// none.
func parameter(head []byte, name string) []byte {
	v := head
	for {
		i := bytes.Index(v, []byte(name))
		if i < 0 {
			return nil
		}
		alone := i > 0 && (v[i-1] == ';' || classOf[v[i-1]]&blank != 0)
		if v = v[i+len(name):]; alone {
			break
		}
	}
	if len(v) > 0 && v[0] == '"' {
		v, _, _ = bytes.Cut(v[1:], []byte(`"`))
		return v
	}
	if end := bytes.IndexAny(v, "; \r\n"); end >= 0 {
		v = v[:end]
	}
	return v
}
