package leak

import (
	"errors"

	"gatehouse/internal/detect"
)

// codec decompresses a stream as it comes in.
type codec interface {
	// feed decompresses p and hands what comes out to emit, whose error it returns.
	// n is how much of p belongs to the stream, less than all of it only with errEnd.
	feed(p []byte, emit func([]byte) error) (n int, err error)
	// held is how many of the bytes fed were not decompressed though parts of them
	// could be.
	held() int
	// whole reports whether the stream may end here.
	whole() bool
}

var (
	errFound  = errors.New("a secret")
	errBudget = errors.New("beyond the budget")
)

// trust says how sure it is that something is compressed at all: what to make of it
// when it is not.
type trust uint8

const (
	hunch    trust = iota // nothing says so: as if it were not there when it is not
	guessed               // by two bytes, or none
	marked                // by three bytes or more
	declared              // by who sends it
)

// unpack is the part for what is compressed.
type unpack struct {
	name  string
	codec codec
	trust trust
	from  *layer
	to    *layer
	rest  *layer // what follows the end of the compressed stream

	in, out int // bytes written to it, and come out of the codec
	after   int // of in, those that went to rest
	marks   marks
	over    bool // the stream has ended
	dead    bool // nothing more is decompressed
	found   *detect.Finding
}

// step is how much is decompressed before it is noted how far that got, in bytes.
const step = 4 << 10

func (u *unpack) write(p []byte) *detect.Finding {
	for len(p) > 0 && !u.over && !u.dead {
		piece := p[:min(len(p), step)]
		n, err := u.feed(piece)
		u.in += n
		u.marks.add(u.in-u.codec.held(), u.out)
		switch {
		case errors.Is(err, errFound):
			return under(u.found, u.name)
		case errors.Is(err, errEnd):
			u.over, u.dead = u.trust != hunch, u.trust == hunch
		case err != nil:
			u.fail(err, len(piece))
		}
		p = p[n:]
	}
	if len(p) == 0 {
		return nil
	}
	u.in += len(p)
	if u.dead {
		u.miss(len(p))
		return nil
	}
	return u.follow(p)
}

// feed gives piece to the codec. A panic in it is one more way to be corrupt: it may
// be somebody else's code.
func (u *unpack) feed(piece []byte) (n int, err error) {
	defer func() {
		if u.found == nil && recover() != nil {
			n, err = len(piece), errCorrupt
		}
	}()
	return u.codec.feed(piece, u.emit)
}

// emit judges what came out of the codec.
func (u *unpack) emit(out []byte) error {
	d := u.from.d
	u.out += len(out)
	d.inflated += len(out)
	if d.inflated > maxInflated || u.out > freeInflated && u.out/maxRatio > u.in+step {
		return errBudget
	}
	if u.found = u.to.write(out); u.found != nil {
		return errFound
	}
	return nil
}

// fail ends the decompressing with size bytes in hand.
func (u *unpack) fail(err error, size int) {
	u.dead = true
	reason := "malformed"
	switch {
	case errors.Is(err, errBudget):
		reason = "budget"
	case errors.Is(err, errMemory):
		reason = "memory"
	case u.trust == hunch, u.trust == guessed && u.out < 1<<10:
		u.codec = nil // it is something else
		return
	}
	u.from.d.gap(reason, size)
	u.codec = nil
}

// miss counts n more bytes of a stream that is not decompressed to its end.
func (u *unpack) miss(n int) {
	if u.trust > guessed || u.trust == guessed && u.out >= 1<<10 {
		u.from.d.gap("malformed", n)
	}
}

// follow judges what stands behind the end of the compressed stream.
func (u *unpack) follow(p []byte) *detect.Finding {
	if u.rest == nil {
		if u.rest = u.from.sniffed(); u.rest == nil {
			u.dead = true
			return nil
		}
	}
	u.after += len(p)
	return u.rest.write(p)
}

func (u *unpack) flush() *detect.Finding {
	if u.dead {
		return nil
	}
	if f := u.to.flush(); f != nil {
		return under(f, u.name)
	}
	if u.rest != nil {
		return u.rest.flush()
	}
	return nil
}

func (u *unpack) close() *detect.Finding {
	if !u.dead && !u.over && !u.codec.whole() && u.in > 0 {
		u.fail(errCorrupt, max(1, u.codec.held()))
	}
	if f := u.to.close(); f != nil {
		return under(f, u.name)
	}
	if u.rest != nil {
		return u.rest.close()
	}
	return nil
}

func (u *unpack) cleared() int {
	n := u.marks.upTo(u.to.cleared())
	switch {
	case u.dead:
		return u.in
	case u.over && n == u.in-u.after:
		if u.rest != nil {
			return n + u.rest.cleared()
		}
	}
	return n
}

// deflated is deflate in what RFC 1950 or 1952 puts round it, or bare. Check sums
// are not looked at: nor does everybody who receives it.
type deflated struct {
	kind   deflateKind
	z      *inflater
	field  int    // of the head, that is read next
	need   int    // bytes of it, that are left
	flags  byte   // of gzip
	extra  uint16 // length of gzip's extra field
	inBody bool
	tail   int // bytes of the trailer that are left
	ended  bool
	fresh  bool // nothing of a further member has come
}

type deflateKind uint8

const (
	rawDeflate deflateKind = iota
	zlibbed
	gzipped
)

func (d *deflated) held() int   { return 0 }
func (d *deflated) whole() bool { return d.ended || d.fresh }

func (d *deflated) feed(p []byte, emit func([]byte) error) (n int, err error) {
	for n < len(p) {
		switch {
		case d.ended:
			return n, errEnd
		case d.tail > 0:
			k := min(d.tail, len(p)-n)
			d.tail -= k
			n += k
			d.endMember()
		case d.inBody || d.kind == rawDeflate:
			k, err := d.z.feed(p[n:], emit)
			n += k
			if !errors.Is(err, errEnd) {
				return n, err
			}
			d.inBody, d.tail = false, [...]int{rawDeflate: 0, zlibbed: 4, gzipped: 8}[d.kind]
			d.endMember()
		case d.fresh && p[n] != 0x1f:
			if p[n] != 0 { // gzip pads with zeros
				d.ended = true
				return n, errEnd
			}
			n++
		default:
			d.fresh = false
			if err := d.head(p[n]); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// endMember notes the end of a stream, once its trailer has come; another may follow
// in gzip.
func (d *deflated) endMember() {
	switch {
	case d.tail > 0:
	case d.kind == gzipped:
		d.field, d.need, d.fresh = 0, 0, true
		d.z.reset()
	default:
		d.ended = true
	}
}

// head takes one byte of a head.
func (d *deflated) head(c byte) error {
	if d.kind == zlibbed {
		return d.zlibHead(c)
	}
	switch d.field {
	case 0: // ID1 ID2 CM FLG MTIME XFL OS
		return d.gzipFixed(c)
	case 1: // XLEN
		d.extra |= uint16(c) << (8 * d.need)
		if d.need++; d.need == 2 {
			d.field, d.need = 2, int(d.extra)
			d.skip()
		}
	case 2: // the extra field
		if d.need--; d.need == 0 {
			d.next(3)
		}
	case 3, 4: // name, comment
		if c == 0 {
			d.next(d.field + 1)
		}
	case 5: // check sum of the head
		if d.need++; d.need == 2 {
			d.next(6)
		}
	}
	return nil
}

func (d *deflated) gzipFixed(c byte) error {
	const (
		magic = "\x1f\x8b\x08"
		size  = 10
	)
	if d.need < len(magic) && c != magic[d.need] {
		return errCorrupt
	}
	if d.need == len(magic) {
		d.flags = c
	}
	if d.need++; d.need == size {
		d.extra = 0
		d.next(1)
	}
	return nil
}

// next goes on to the first field from which on that the flags announce.
func (d *deflated) next(from int) {
	d.need = 0
	for _, f := range [...]struct {
		flag  byte
		field int
	}{{4, 1}, {8, 3}, {16, 4}, {2, 5}} {
		if f.field >= from && d.flags&f.flag != 0 {
			d.field = f.field
			return
		}
	}
	d.inBody = true
}

// skip leaves out an extra field without a byte.
func (d *deflated) skip() {
	if d.need == 0 {
		d.next(3)
	}
}

func (d *deflated) zlibHead(c byte) error {
	d.need++
	if d.need == 1 {
		d.flags = c
		return nil
	}
	if !zlibMagic([]byte{d.flags, c}) {
		return errCorrupt
	}
	d.inBody = true
	return nil
}

// zlibMagic reports whether b begins as RFC 1950 has it, without a dictionary.
func zlibMagic(b []byte) bool {
	return len(b) >= 2 && b[0]&15 == 8 && b[0]>>4 <= 7 && (uint(b[0])<<8|uint(b[1]))%31 == 0 && b[1]&0x20 == 0
}
