package leak

import (
	"bytes"

	"gatehouse/internal/detect"
)

// runs is the part that finds base64, base32 and hex in which something compressed
// stands in the middle of text. It begins where such a run does, or, because / is a
// digit of base64 and a path's mark, too, behind one of its marks.
type runs struct {
	parent *layer
	in     int
	tail   []byte // the end of what was written, in a run that goes on
	joint  []byte // tail, and what follows
	mid    bool   // the run had begun before tail
	waits  int    // bytes of tail that begin as something compressed, and may not leave
	packed *unpacked
}

// minPacked is the length of the shortest run that is decoded, in characters: 20
// bytes in base64.
const minPacked = 28

// unpacked is a run under way.
type unpacked struct {
	name   string
	digit  *[256]int8 // -1 for what is none
	width  uint       // bits a digit
	to     *unpack
	acc    uint32
	n      uint
	escape bool // a backslash came last
	buf    []byte
	total  int // bytes decoded
	marks  marks
}

func (r *runs) write(p []byte) *detect.Finding {
	r.waits = 0
	for len(p) > 0 {
		if r.packed != nil {
			n, f := r.decode(p)
			if f != nil {
				return f
			}
			r.in += n
			p = p[n:]
			continue
		}
		n, f := r.search(p[:min(len(p), step)])
		if f != nil {
			return f
		}
		p = p[n:]
	}
	return nil
}

// search looks for a beginning in tail and p. n is how much of p stands before one.
func (r *runs) search(p []byte) (n int, f *detect.Finding) {
	r.waits = 0
	text, had := p, len(r.tail)
	if had > 0 {
		r.joint = append(append(r.joint[:0], r.tail...), p...)
		text = r.joint
	}
	base := r.in - had
	for at := 0; ; {
		start, end := nextRun(text, at, minPacked)
		if start < 0 {
			r.tail, r.mid = r.tail[:0], false
			break
		}
		c := start
		if r.mid && start == 0 {
			c = nextMark(text, start, end)
		}
		for ; c < end; c = nextMark(text, c, end) {
			u := r.open(text[c:end])
			if u == nil {
				if end == len(text) && end-c < minPacked && len(text)-c > r.waits && packedStart(text[c:end]) != nil {
					r.waits = len(text) - c
				}
				continue
			}
			r.packed, r.tail, r.mid = u, r.tail[:0], false
			u.marks.in = base + c
			if c < had { // digits that came before p
				held := bytes.Clone(text[c:had])
				r.in = base + c
				_, f := r.decode(held)
				r.in = base + had
				return 0, f
			}
			r.in = base + c
			return c - had, nil
		}
		if end == len(text) {
			keep := max(start, end-minPacked)
			r.mid = keep > start || r.mid && start == 0
			r.tail = append(r.tail[:0], text[keep:end]...)
			break
		}
		at, r.mid = end, false
	}
	r.in = base + len(text)
	return len(p), nil
}

// nextMark returns the place behind the next of base64's marks in text[from:end]; end
// where there is none.
func nextMark(text []byte, from, end int) int {
	for i := from; i < end; i++ {
		if digits64[text[i]] >= 62 {
			return i + 1
		}
	}
	return end
}

// nextRun returns the next run of digits in text from at on that is least long, or that
// ends with text; a start of -1 is none. It looks at what would be the last digit of the
// next run that may be, and from there back, as Boyer and Moore do.
func nextRun(text []byte, at, least int) (start, end int) {
	for i := at + least - 1; i < len(text); {
		before := i
		for before >= at && digits64[text[before]] >= 0 {
			before--
		}
		if i-before >= least {
			for end = i + 1; end < len(text) && digits64[text[end]] >= 0; end++ {
			}
			return before + 1, end
		}
		i = before + least
	}
	start = len(text)
	for start > at && digits64[text[start-1]] >= 0 {
		start--
	}
	if start == len(text) {
		return -1, 0
	}
	return start, len(text)
}

// open returns what decodes the run that text begins with; nil where it is too
// short, or nothing that is known.
func (r *runs) open(text []byte) *unpacked {
	if len(text) < minPacked {
		return nil
	}
	m := packedStart(text)
	if m == nil {
		return nil
	}
	u := &unpacked{name: m.name, digit: m.digit, width: m.width}
	for _, c := range text[:minPacked] {
		if u.digit[c] < 0 {
			return nil
		}
	}
	d := r.parent.d
	if !d.try() {
		d.gap("budget", len(text))
		return nil
	}
	middle := r.parent.below()
	if middle == nil {
		d.gap("depth", len(text))
		return nil
	}
	middle.head = &head{}
	u.to = &unpack{name: m.name, codec: copied{}, trust: marked, from: r.parent, to: middle}
	return u
}

// packedMark is how something compressed begins in one encoding.
type packedMark struct {
	name  string
	digit *[256]int8
	width uint
	fold  bool // case does not count
	marks []string
}

// packedMarks are what gzip, zstd, zip and zlib begin as, blanks between them.
var packedMarks = [...]packedMark{
	{"base64", &digits64, 6, false, []string{"H4sI", "KLUv", "UEsDB", "eJw", "eJx", "eJy", "eJz", "eAE", "eAF", "eAG", "eAH", "eF4", "eF5", "eF6", "eF7", "eNo", "eNp", "eNq", "eNr"}},
	{"hex", &digits16, 4, true, []string{"1F8B08", "28B52FFD", "504B0304", "789C", "7801", "785E", "78DA"}},
	{"base32", &digits32, 5, true, []string{"D6FQQ", "D6FQR", "FC2S76", "KBFQGB", "PCOA", "PCOB", "PCOC", "PCOD", "PCOE", "PCOF", "PCOG", "PCOH", "PCOI", "PCOJ", "PCOK", "PCOL", "PCOM", "PCON", "PCOO", "PCOP"}},
}

// packedStart returns what text may begin as, as far as it goes; nil where it is
// nothing compressed.
func packedStart(text []byte) *packedMark {
	switch text[0] | 0x20 {
	case 'h', 'k', 'u', 'e', '1', '2', '5', '7', 'd', 'f', 'p':
	default:
		return nil
	}
	for i := range packedMarks {
		m := &packedMarks[i]
		for _, mark := range m.marks {
			if mark[0]|0x20 != text[0]|0x20 {
				continue
			}
			n := min(len(mark), len(text))
			if n >= 3 && (string(text[:n]) == mark[:n] || m.fold && bytes.EqualFold(text[:n], []byte(mark[:n]))) {
				return m
			}
		}
	}
	return nil
}

// decode gives the run under way what of p is its, and returns how much that was.
func (r *runs) decode(p []byte) (int, *detect.Finding) {
	u, n, over := r.packed, 0, false
	for n < len(p) && n < step && !over {
		switch v := u.digit[p[n]]; {
		case u.escape && (p[n] == 'n' || p[n] == 'r'):
			u.escape = false
		case v >= 0 && !u.escape:
			if u.acc, u.n = u.acc<<u.width|uint32(v), u.n+u.width; u.n >= 8 {
				u.n -= 8
				u.buf = append(u.buf, byte(u.acc>>u.n))
			}
		case p[n] == '\\' && !u.escape:
			u.escape = true
		case p[n] == '\n' || p[n] == '\r':
		default:
			over = true
			continue
		}
		n++
	}
	f := u.to.write(u.buf)
	u.total += len(u.buf)
	u.buf = u.buf[:0]
	u.marks.add(r.in+n, u.total)
	if f == nil && (over || u.to.dead) {
		r.packed = nil
		f = u.to.close()
	}
	return n, f
}

func (r *runs) flush() *detect.Finding {
	r.waits = 0
	if r.packed == nil {
		return nil
	}
	return r.packed.to.flush()
}

func (r *runs) close() *detect.Finding {
	r.waits = 0
	if r.packed == nil {
		return nil
	}
	return r.packed.to.close()
}

func (r *runs) cleared() int {
	if r.packed == nil {
		return r.in - r.waits
	}
	return r.packed.marks.upTo(r.packed.to.cleared())
}

// The values of digits in base64's two alphabets, in base32 and in hex; -1 for what is
// none.
var (
	digits64 = digitsOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "-_")
	digits32 = digitsOf("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "")
	digits16 = digitsOf("0123456789ABCDEF", "")
)

// digitsOf makes the table of an alphabet, without regard to case where it has only one.
// The last digits have other names, too.
func digitsOf(alphabet, last string) (digits [256]int8) {
	for c := range digits {
		digits[c] = -1
	}
	for i, c := range []byte(alphabet) {
		if isUpper(c) && len(alphabet) < 64 {
			digits[c|0x20] = int8(i)
		}
		digits[c] = int8(i)
	}
	for i, c := range []byte(last) {
		digits[c] = int8(len(alphabet) - len(last) + i)
	}
	return digits
}
