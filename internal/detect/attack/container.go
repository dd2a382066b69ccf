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
	// applies says at a glance whether open is worth trying. value is not empty.
	applies func(value []byte, c class) bool
	// sniff looks at the beginning of src and reports whether src may be written this
	// way.
	sniff func(src []byte) bool
	// open appends what src holds to the layer's buffer. It reports false where src
	// is not written this way after all.
	open func(in *inspection, l *layer, src []byte) bool
}

var containers = [...]container{
	{"base64", func(_ []byte, c class) bool { return c&^(letter|digit|slash|dash|equals|blank) == 0 }, sniffBase64, openBase64},
	{"base64", func(v []byte, _ class) bool { return v[0]|0x20 == 'b' || v[0]|0x20 == 'd' }, sniffPrefixed, openPrefixed},
	{"hex", func(_ []byte, c class) bool { return c&^(letter|digit) == 0 && c&letter != 0 }, sniffHex, openHex},
	{"gzip", func(v []byte, _ class) bool { return v[0] == 0x1F }, isGzip, openGzip},
	{"zlib", func(v []byte, _ class) bool { return v[0] == 0x78 }, isZlib, openZlib},
}

// maxContainers is how many containers, one in the other, are opened.
const maxContainers = 4

// unpack judges what value holds in each container that it may be.
func (in *inspection) unpack(value []byte, c class) {
	found := in.values
	for i := range containers {
		k := &containers[i]
		if in.done || in.values > found || len(value) == 0 {
			return
		}
		if k.applies(value, c) && k.sniff(value) && (!in.raw.key || in.top > 0) && !in.trusted() && in.push(k.name) {
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
	switch {
	case in.clip() || !in.spend(len(value)):
	case in.containers() > maxContainers:
		in.gap("depth", len(value))
	case !k.open(in, l, value) || in.done:
	default:
		in.plainly(l.buf)
	}
}

// plainly judges bytes that may be text, or binary with text in it. The rules are
// not asked about what is compressed: by chance it has whatever they look for.
func (in *inspection) plainly(b []byte) {
	c := classesOf(b)
	switch {
	case isText(b) || bytes.HasPrefix(b, kplMagic):
		in.judge(b, c)
	case packed(b) && in.inflates(b, c):
	default:
		in.strings(b)
	}
}

// inflates judges what is compressed in b. It reports false where nothing is.
func (in *inspection) inflates(b []byte, c class) bool {
	strings := in.result.Strings
	in.unpack(b, c)
	return in.result.Strings > strings || in.done || in.undone >= in.limit
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
// without, in one line or several.
func openBase64(_ *inspection, l *layer, src []byte) bool {
	var err error
	body := trimPadding(src)
	l.buf, err = base64Alphabet(body).AppendDecode(l.buf, body)
	return err == nil && len(l.buf) > 0
}

// sniffBase64 decodes the beginning of src.
func sniffBase64(src []byte) bool {
	if len(src) < minBase64 || classOf[src[8]]&blank != 0 {
		return false
	}
	body := src[:min(len(src), 128)]
	if len(src) <= 128 {
		body = trimPadding(src)
	}
	var head [96]byte
	n, err := base64Alphabet(body).Decode(head[:], body[:len(body)&^3])
	if n == 0 || err != nil && bytes.IndexByte(body, '\n') < 0 {
		return false
	}
	return len(src) >= minBinary || isText(head[:n]) || packed(head[:n])
}

const (
	// minBinary is the shortest base64 that is opened for the strings in it though
	// it is no text, in characters.
	minBinary = 64
	// minString is the shortest string that is looked for in bytes that are no text.
	minString = 8
)

// strings judges the runs of printable characters in binary, which may be Avro, a
// protobuf message or the like.
func (in *inspection) strings(binary []byte) {
	if !in.spend(len(binary)) || !in.push("strings") {
		return
	}
	start := 0
	for i := 0; i <= len(binary) && !in.done; i++ {
		if i < len(binary) && binary[i] < utf8.RuneSelf && classOf[binary[i]]&control == 0 {
			continue
		}
		if run := binary[start:i]; len(run) >= minString && !isNoise(binary, start, i) {
			in.judge(run, classesOf(run))
		}
		start = i + 1
	}
	in.pop()
}

const (
	// maxChance is the longest string that chance makes of bytes without meaning.
	maxChance = 19
	// noiseRound is how much is looked at on either side of a string, in bytes, and
	// minRound how much there must be to tell.
	noiseRound, minRound = 128, 64
)

// isNoise reports whether b[from:to] is what chance makes printable: short, and
// among bytes that are so in fewer than half of all cases, as in a picture or an
// archive.
func isNoise(b []byte, from, to int) bool {
	if to-from > maxChance {
		return false
	}
	before, behind := b[max(0, from-noiseRound):from], b[to:min(len(b), to+noiseRound)]
	n := len(before) + len(behind)
	return n >= minRound && 2*(printable(before)+printable(behind)) < n
}

// printable counts the characters of ASCII in b that can be printed.
func printable(b []byte) (n int) {
	for _, c := range b {
		if c < utf8.RuneSelf && classOf[c]&control == 0 {
			n++
		}
	}
	return n
}

// packed reports whether b begins as what another container opens.
func packed(b []byte) bool {
	return isGzip(b) || isZlib(b) || bytes.HasPrefix(b, kplMagic)
}

// openPrefixed undoes base64 behind "data:…;base64," or "Basic ".
func openPrefixed(in *inspection, l *layer, src []byte) bool {
	return openBase64(in, l, src[prefixed(src):])
}

func sniffPrefixed(src []byte) bool {
	n := prefixed(src)
	return n > 0 && sniffBase64(src[n:])
}

// prefixed returns where base64 begins behind what announces it, 0 where nothing
// does.
func prefixed(src []byte) int {
	head := src[:min(len(src), 64)]
	switch {
	case len(head) > 6 && bytes.EqualFold(head[:6], []byte("Basic ")):
		return 6
	case len(head) > 5 && bytes.EqualFold(head[:5], []byte("data:")):
		if i := bytes.Index(head, []byte(";base64,")); i > 0 {
			return i + len(";base64,")
		}
	}
	return 0
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

// openHex undoes hex that stands for text. Digits alone are a number: CloudWatch's
// ids, 56 of them, would often do for text.
func openHex(_ *inspection, l *layer, src []byte) bool {
	var ok bool
	l.buf, ok = appendHex(l.buf, src)
	return ok && (isText(l.buf) || packed(l.buf))
}

func sniffHex(src []byte) bool {
	if len(src) < minHex || len(src)%2 != 0 {
		return false
	}
	var buf [minHex / 2]byte
	head, ok := appendHex(buf[:0], src[:minHex])
	return ok && (isText(head) || packed(head))
}

func appendHex(dst, src []byte) ([]byte, bool) {
	for i := 0; i+1 < len(src); i += 2 {
		hi, ok1 := hexDigit(src[i])
		lo, ok2 := hexDigit(src[i+1])
		if !ok1 || !ok2 {
			return dst, false
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, true
}

// isGzip reports whether b begins as RFC 1952 has it.
func isGzip(b []byte) bool { return len(b) > 2 && b[0] == 0x1F && b[1] == 0x8B }

// openGzip inflates gzip: what CloudWatch Logs sends.
func openGzip(in *inspection, l *layer, src []byte) bool {
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

// maxInflated is how much is held inflated at once, in containers that lie one in the
// other, in bytes.
const maxInflated = 32 << 20

// inflated is how much is held inflated below the top layer, in bytes.
func (in *inspection) inflated() (n int) {
	for i := range in.layers[:in.top] {
		if l := &in.layers[i]; l.inflated {
			n += len(l.buf)
		}
	}
	return n
}

// inflate reads r into the layer's buffer. What it writes counts twice, because it
// costs more than to read. An end in the middle leaves what came before, and so does
// the end of what the budget allows, which leaves enough to judge it.
func (in *inspection) inflate(l *layer, r io.Reader) bool {
	const step = 32 << 10
	l.inflated = true
	room := maxInflated - in.inflated()
	most := min(room, in.left()/3)
	for len(l.buf) < most {
		size := min(step, most-len(l.buf))
		l.buf = append(l.buf, make([]byte, size)...)
		n, err := io.ReadFull(r, l.buf[len(l.buf)-size:])
		l.buf = l.buf[:len(l.buf)-size+n]
		if n > 0 && !in.spend(2*n) {
			return false
		}
		if err != nil {
			return len(l.buf) > 0
		}
	}
	in.result.Exhausted = in.result.Exhausted || most < room
	in.gap("budget", in.raw.end-in.raw.start)
	return len(l.buf) > 0
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
// beyond ASCII in valid UTF-8; or, because servers read other bytes too, 60 % of it
// printable ASCII, and nearly nothing of it control characters. Text in UTF-16 is
// text, too: every second byte of it is NUL where it is ASCII.
func isText(b []byte) bool {
	strange, controls, nul, plain := 0, 0, 0, 0
	for i := 0; i < len(b); {
		c := b[i]
		if c < utf8.RuneSelf {
			switch {
			case classOf[c]&control == 0:
				plain++
			case c == 0:
				nul++
				controls++
			default:
				controls++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 && i+utf8.UTFMax < len(b) {
			strange++
		}
		i += size
	}
	if nul*9/4 >= len(b)-2 { // nearly half
		controls -= nul
	}
	if len(b) == 0 || controls*20 > len(b) {
		return false
	}
	return (strange+controls)*20 <= len(b) || plain*10 >= 6*len(b)
}
