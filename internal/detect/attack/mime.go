package attack

import (
	"bytes"
	"encoding/base64"
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

// maxBoundary is the longest boundary of a multipart body, in bytes.
// https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
const maxBoundary = 72

// boundaryOf returns the boundary line of a multipart body, "--" included.
func boundaryOf(value []byte) ([]byte, bool) {
	if len(value) < 8 || value[0] != '-' || value[1] != '-' {
		return nil, false
	}
	end := bytes.IndexByte(value[:min(len(value), maxBoundary+2)], '\n')
	if end < 3 {
		return nil, false
	}
	line := bytes.TrimRight(value[:end], "\r ")
	return line, len(line) > 2 && bytes.Contains(value[end:min(len(value), end+1024)], []byte(":"))
}

// multipart judges the parts of a multipart body: headers, names and contents.
func (in *inspection) multipart(value, boundary []byte) {
	l := &in.layers[in.top]
	if !in.spend(len(value)) {
		return
	}
	for more := true; more && !in.done; {
		value = value[len(boundary):]
		var part []byte
		end := bytes.Index(value, boundary)
		if more = end >= 0; more {
			part, value = value[:end], value[end:]
		} else {
			part = value
		}
		in.part(l, bytes.Trim(part, "\r\n"))
	}
}

// part judges one part.
func (in *inspection) part(l *layer, part []byte) {
	head, body, ok := bytes.Cut(part, []byte("\r\n\r\n"))
	if !ok {
		if head, body, ok = bytes.Cut(part, []byte("\n\n")); !ok {
			body, head = part, nil
		}
	}
	l.name = parameter(head, "name=")
	for len(head) > 0 && !in.done {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		in.judge(line, classesOf(line))
	}
	in.judge(body, classesOf(body))
}

// parameter returns the value of a parameter in a part's header; nil where there is
// none.
func parameter(head []byte, name string) []byte {
	i := bytes.Index(head, []byte(name))
	if i < 0 {
		return nil
	}
	v := head[i+len(name):]
	if len(v) > 0 && v[0] == '"' {
		v, _, _ = bytes.Cut(v[1:], []byte(`"`))
		return v
	}
	if end := bytes.IndexAny(v, "; \r\n"); end >= 0 {
		v = v[:end]
	}
	return v
}
