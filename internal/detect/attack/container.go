package attack

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"io"
	"unicode/utf8"
)

// container is one way of writing a whole value in other bytes.
type container struct {
	name string // as it stands in a finding's DecodeChain
	// applies says from the kinds of byte alone whether open is worth trying.
	applies func(c class) bool
	// open appends what src holds to the layer's buffer. It reports false where src
	// is not written this way.
	open func(in *inspection, l *layer, src []byte) bool
}

var containers = [...]container{
	{"base64", func(c class) bool { return c&^(letter|digit|slash|dash|equals|blank) == 0 }, openBase64},
	{"base64", func(c class) bool { return c&(semicolon|blank) != 0 }, openPrefixed},
	{"hex", func(c class) bool { return c&^(letter|digit) == 0 }, openHex},
	{"gzip", func(c class) bool { return c&(control|high) != 0 }, openGzip},
	{"zlib", func(c class) bool { return c&(letter|high|control) != 0 && c&(control|high) != 0 }, openZlib},
}

// maxContainers is how many containers, one in the other, are opened.
const maxContainers = 4

// unpack judges what value holds in each container that it may be.
func (in *inspection) unpack(value []byte, c class) {
	found := in.values
	for i := range containers {
		k := &containers[i]
		if in.done || in.values > found {
			return
		}
		if k.applies(c) && !in.trusted() && in.push(k.name) {
			in.open(k, value)
			in.pop()
		}
	}
	if bytes.HasPrefix(value, []byte("eyJ")) && !in.trusted() && in.push("jwt") {
		in.token(value)
		in.pop()
	}
}

// open judges what value holds as a container of kind k.
func (in *inspection) open(k *container, value []byte) {
	l := &in.layers[in.top]
	l.buf = l.buf[:0]
	if !k.open(in, l, value) || in.clip() || in.done {
		return
	}
	if in.containers() > maxContainers {
		in.gap("depth", len(value))
		return
	}
	in.judge(l.buf, classesOf(l.buf))
}

// containers counts those that are open.
func (in *inspection) containers() (n int) {
	for i := 1; i <= in.top; i++ {
		if l := &in.layers[i]; !l.json && l.round == 0 {
			n++
		}
	}
	return n
}

// minBase64 is the shortest value that is tried as base64, in characters.
const minBase64 = 12

// openBase64 undoes base64 in the standard and the URL alphabet, with padding or
// without, in one line or several. What does not decode to text, or to bytes that
// begin as another container does, is no base64 for us.
func openBase64(in *inspection, l *layer, src []byte) bool {
	if len(src) < minBase64 || in.raw.key && in.top == 1 {
		return false
	}
	body := trimPadding(src)
	if bytes.IndexByte(body, ' ') >= 0 || bytes.IndexByte(body, '\t') >= 0 || len(src)-len(body) > 4 {
		return false
	}
	enc := base64Alphabet(body)
	var head [96]byte
	n, err := enc.Decode(head[:], body[:min(len(body), 128)&^3])
	if n == 0 || err != nil && len(body) < 128 && bytes.IndexByte(body, '\n') < 0 {
		return false
	}
	if !isText(head[:n]) && !packed(head[:n]) {
		return false
	}
	if !in.spend(len(src)) {
		return false
	}
	if l.buf, err = enc.AppendDecode(l.buf, body); err != nil || len(l.buf) == 0 {
		return false
	}
	return (packed(l.buf) || isText(l.buf)) && in.spend(len(l.buf))
}

// packed reports whether b begins as what another container opens.
func packed(b []byte) bool {
	return len(b) > 2 && b[0] == 0x1F && b[1] == 0x8B || isZlib(b) || bytes.HasPrefix(b, kplMagic)
}

// openPrefixed undoes base64 behind "data:…;base64," or "Basic ".
func openPrefixed(in *inspection, l *layer, src []byte) bool {
	head := src[:min(len(src), 64)]
	switch {
	case len(head) > 6 && bytes.EqualFold(head[:6], []byte("Basic ")):
		return openBase64(in, l, src[6:])
	case len(head) > 5 && bytes.EqualFold(head[:5], []byte("data:")):
		if i := bytes.Index(head, []byte(";base64,")); i > 0 {
			return openBase64(in, l, src[i+8:])
		}
	}
	return false
}

func trimPadding(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '=' || b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

func base64Alphabet(b []byte) *base64.Encoding {
	for _, c := range b {
		switch c {
		case '-', '_':
			return base64.RawURLEncoding
		case '+', '/':
			return base64.RawStdEncoding
		}
	}
	return base64.RawStdEncoding
}

// minHex is the shortest value that is tried as hex, in characters.
const minHex = 32

// openHex undoes hex that stands for text.
func openHex(in *inspection, l *layer, src []byte) bool {
	if len(src) < minHex || len(src)%2 != 0 {
		return false
	}
	for i := 0; i < len(src); i += 2 {
		hi, ok1 := hexDigit(src[i])
		lo, ok2 := hexDigit(src[i+1])
		if !ok1 || !ok2 {
			return false
		}
		l.buf = append(l.buf, hi<<4|lo)
		if i == minHex && !isText(l.buf) && !packed(l.buf) {
			return false
		}
	}
	return (isText(l.buf) || packed(l.buf)) && in.spend(len(src))
}

// openGzip inflates gzip: what CloudWatch Logs sends.
func openGzip(in *inspection, l *layer, src []byte) bool {
	if len(src) < 18 || src[0] != 0x1F || src[1] != 0x8B {
		return false
	}
	in.packed.Reset(src)
	if in.gzip == nil {
		in.gzip = new(gzip.Reader)
	}
	if in.gzip.Reset(&in.packed) != nil {
		return false
	}
	in.gzip.Multistream(true)
	return in.inflate(l, in.gzip)
}

// isZlib reports whether b begins as RFC 1950 has it: deflate, a window of 32 KiB,
// and a check sum over both bytes.
func isZlib(b []byte) bool {
	return len(b) > 6 && b[0] == 0x78 && (uint(b[0])<<8|uint(b[1]))%31 == 0 && b[1]&0x20 == 0
}

func openZlib(in *inspection, l *layer, src []byte) bool {
	if !isZlib(src) {
		return false
	}
	in.packed.Reset(src)
	if in.zlib == nil {
		z, err := zlib.NewReader(&in.packed)
		if err != nil {
			return false
		}
		in.zlib = z
	} else if in.zlib.(zlib.Resetter).Reset(&in.packed, nil) != nil {
		return false
	}
	return in.inflate(l, in.zlib)
}

// maxInflated is how much one container is inflated to, in bytes.
const maxInflated = 32 << 20

// inflate reads r into the layer's buffer. What it writes counts twice, because it
// costs more than to read. An end in the middle leaves what came before.
func (in *inspection) inflate(l *layer, r io.Reader) bool {
	const step = 32 << 10
	for len(l.buf) < maxInflated {
		l.buf = append(l.buf, make([]byte, step)...)
		n, err := io.ReadFull(r, l.buf[len(l.buf)-step:])
		l.buf = l.buf[:len(l.buf)-step+n]
		if n > 0 && !in.spend(2*n) {
			return false
		}
		if err != nil {
			return len(l.buf) > 0
		}
	}
	in.gap("budget", len(in.raw.body(in.layers[0].scanner.text)))
	return true
}

// kplMagic is how a record begins that the Kinesis Producer Library made of several.
// https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
var kplMagic = []byte{0xF3, 0x89, 0x9A, 0xC2}

// aggregate judges the records of a KPL aggregate: field 3 of the message, whose own
// field 3 is the data. Partition keys, field 1, are the producer's.
func (in *inspection) aggregate(message []byte) {
	if in.clip() || !in.spend(2*len(message)) {
		return
	}
	for len(message) > 0 && !in.done {
		var field int
		var content []byte
		if field, content, message = protoField(message); field == 0 {
			return
		}
		for field == 3 && len(content) > 0 && !in.done {
			var inner int
			var data []byte
			if inner, data, content = protoField(content); inner == 3 {
				in.judge(data, classesOf(data))
			}
		}
		if field == 1 {
			in.judge(content, classesOf(content))
		}
	}
}

// protoField reads the first field of a protobuf message: its number, its bytes
// where it has a length, and the rest. Number 0 is the end.
func protoField(b []byte) (field int, content, rest []byte) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<20 {
		return 0, nil, nil
	}
	b = b[n:]
	switch tag & 7 {
	case 0:
		if _, n = binary.Uvarint(b); n <= 0 {
			return 0, nil, nil
		}
		return int(tag >> 3), nil, b[n:]
	case 2:
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return 0, nil, nil
		}
		return int(tag >> 3), b[n : n+int(size)], b[n+int(size):]
	}
	return 0, nil, nil
}

// token judges header and claims of a JSON web token. Nobody reads its signature.
func (in *inspection) token(value []byte) {
	if in.clip() {
		return
	}
	l := &in.layers[in.top]
	for range 2 {
		segment, rest, ok := bytes.Cut(value, []byte("."))
		if !ok || in.done || !in.spend(len(segment)) {
			return
		}
		var err error
		if l.buf, err = base64.RawURLEncoding.AppendDecode(l.buf[:0], segment); err != nil {
			return
		}
		in.judge(l.buf, classesOf(l.buf))
		value = rest
	}
}

// isText reports whether at least 95 % of b are printable, or part of a character
// beyond ASCII in valid UTF-8. Text in UTF-16 is text, too: every second byte of it
// is NUL where it is ASCII.
func isText(b []byte) bool {
	odd, nul := 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			if classOf[b[i]]&control != 0 {
				odd++
				if b[i] == 0 {
					nul++
				}
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 && i+utf8.UTFMax < len(b) {
			odd++
		}
		i += size
	}
	if nul*9/4 >= len(b)-2 { // nearly half
		odd -= nul
	}
	return len(b) > 0 && odd*20 <= len(b)
}
