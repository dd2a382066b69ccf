package attack

import (
	"bytes"
	"encoding/base64"
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
	if token := bearer(value); bytes.HasPrefix(token, []byte("eyJ")) && !in.trusted() && in.push("jwt") {
		in.token(token)
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
	case isText(b) || bytes.HasPrefix(b, kplMagic) || looksJSON(b):
		in.judge(b, c)
	case c&dash != 0 && c&blank != 0 && in.mixed(b):
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

// bearer returns value without the word that announces a token.
func bearer(value []byte) []byte {
	if n := len("Bearer "); len(value) > n && bytes.EqualFold(value[:n], []byte("Bearer ")) {
		return value[n:]
	}
	return value
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
