package leak

import (
	"bytes"
	"strconv"

	"gatehouse/internal/detect"
)

// escapes is the part that undoes what text is escaped with: %41, \u0041 and \x41, and
// &#65; or &#x41;. What it makes of the text goes to a layer of its own, from the first
// escape on, with some of what stands before.
type escapes struct {
	parent *layer
	child  *layer // nil: no escape was met yet
	name   string // of the first one
	in     int
	out    int
	before []byte // the end of what came before the first escape
	carry  []byte // the beginning of an escape
	buf    []byte
	marks  marks
}

const (
	// contextSize is how much before the first escape may belong to the same secret, in
	// bytes.
	contextSize = 256
	// maxEscape is the longest escape, in bytes: &#x10FFFF;
	maxEscape = 10
	// markEvery is how often it is noted how far the text is undone, in bytes.
	markEvery = 32
)

func (e *escapes) write(p []byte) *detect.Finding {
	if e.child == nil {
		at := firstEscape(p)
		if at < 0 {
			e.remember(p)
			e.in += len(p)
			return nil
		}
		e.remember(p[:at])
		e.in += at
		p = p[at:]
		if e.child = e.parent.below(); e.child == nil {
			if n, _, _ := escapeAt(p); n > 0 {
				e.parent.d.gap("depth", len(p))
			}
			return nil
		}
		e.child.part = e.parent.archived()
		e.marks.in = e.in - len(e.before)
		e.marks.add(e.in, len(e.before))
		e.out = len(e.before)
		if f := e.child.write(e.before); f != nil {
			return under(f, e.name)
		}
	}
	return e.undo(p, false)
}

// firstEscape is where the first byte in p is that may begin an escape; -1 for none.
func firstEscape(p []byte) int {
	first := -1
	for _, c := range [...]byte{'%', '\\', '&'} {
		for at := 0; ; {
			i := bytes.IndexByte(p[at:], c)
			if i < 0 || first >= 0 && at+i > first {
				break
			}
			at += i
			if n, _, more := escapeAt(p[at:]); n > 0 || more {
				first = at
				break
			}
			at++
		}
	}
	return first
}

func (e *escapes) remember(p []byte) {
	if len(p) >= contextSize {
		e.before = append(e.before[:0], p[len(p)-contextSize:]...)
		return
	}
	e.before = append(e.before, p...)
	e.before = e.before[max(0, len(e.before)-contextSize):]
}

// undo gives the layer below what p says, which goes on with what is carried over.
func (e *escapes) undo(p []byte, last bool) *detect.Finding {
	text, carried := p, len(e.carry)
	if carried > 0 {
		text = append(e.carry, p...)
	}
	base := e.in - carried
	e.buf = e.buf[:0]
	i, noted := 0, 0
	for i < len(text) {
		if n := plainRun(text[i:min(len(text), noted+markEvery)]); n > 0 {
			e.buf = append(e.buf, text[i:i+n]...)
			if i += n; i-noted >= markEvery {
				noted = i
				e.marks.add(base+i, e.out+len(e.buf))
			}
			continue
		}
		n, c, more := escapeAt(text[i:])
		if more && !last {
			break
		}
		if n > 0 {
			e.buf = append(e.buf, c...)
			if e.name == "" {
				e.name = escapeName(text[i])
			}
			i += n
		} else {
			e.buf = append(e.buf, text[i])
			i++
		}
		if i-noted >= markEvery {
			noted = i
			e.marks.add(base+i, e.out+len(e.buf))
		}
	}
	e.out += len(e.buf)
	e.marks.add(base+i, e.out)
	e.in = base + len(text)
	e.carry = bytes.Clone(text[i:])
	return under(e.child.write(e.buf), e.name)
}

// plainRun is how many bytes text begins with that begin no escape.
func plainRun(text []byte) int {
	for i, c := range text {
		if c == '%' || c == '\\' || c == '&' {
			return i
		}
	}
	return len(text)
}

func escapeName(c byte) string {
	switch c {
	case '%':
		return "url"
	case '&':
		return "html"
	}
	return "json"
}

// escapeAt returns how long the escape is that text begins with, and what it stands
// for; 0 where it begins with none. more says that it may yet be one.
func escapeAt(text []byte) (n int, stands []byte, more bool) {
	switch text[0] {
	case '%':
		return hexEscape(text, 1, 2)
	case '\\':
		switch {
		case len(text) == 1:
			return 0, nil, true
		case text[1] == 'u':
			return hexEscape(text, 2, 4)
		case text[1] == 'x':
			return hexEscape(text, 2, 2)
		}
	case '&':
		return entity(text)
	}
	return 0, nil, false
}

// hexEscape reads digits hex digits behind skip bytes.
func hexEscape(text []byte, skip, digits int) (n int, stands []byte, more bool) {
	v := 0
	for i := skip; i < skip+digits; i++ {
		if i >= len(text) {
			return 0, nil, true
		}
		d := int(digits16[text[i]])
		if d < 0 {
			return 0, nil, false
		}
		v = v<<4 | d
	}
	if digits == 2 {
		return skip + digits, []byte{byte(v)}, false
	}
	return skip + digits, []byte(string(rune(v))), false
}

// entity reads a numeric character reference of HTML's.
func entity(text []byte) (n int, stands []byte, more bool) {
	end := bytes.IndexByte(text[:min(len(text), maxEscape)], ';')
	switch {
	case len(text) > 1 && text[1] != '#':
		return 0, nil, false
	case end < 0:
		return 0, nil, len(text) < maxEscape && numeric(text[min(2, len(text)):])
	}
	digits, base := string(text[2:end]), 10
	if len(digits) > 0 && digits[0]|0x20 == 'x' {
		digits, base = digits[1:], 16
	}
	v, err := strconv.ParseUint(digits, base, 21)
	if err != nil {
		return 0, nil, false
	}
	return end + 1, []byte(string(rune(v))), false
}

// numeric reports whether a reference may go on with b.
func numeric(b []byte) bool {
	for i, c := range b {
		if digits16[c] < 0 && (i > 0 || c|0x20 != 'x') {
			return false
		}
	}
	return true
}

func (e *escapes) flush() *detect.Finding {
	if e.child == nil {
		return nil
	}
	return under(e.child.flush(), e.name)
}

func (e *escapes) close() *detect.Finding {
	if e.child == nil {
		return nil
	}
	if len(e.carry) > 0 {
		if f := e.undo(nil, true); f != nil {
			return f
		}
	}
	return under(e.child.close(), e.name)
}

func (e *escapes) cleared() int {
	if e.child == nil {
		return e.in
	}
	return e.marks.upTo(e.child.cleared())
}
