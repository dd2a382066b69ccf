package leak

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"

	"gatehouse/internal/detect"
)

// members is what an archive's part has in common: the member under way, and how far
// what was written is clear.
type members struct {
	member *unpack
	base   int // where the member begins
	in     int // bytes written
}

// end ends the member.
func (m *members) end() *detect.Finding {
	if m.member == nil {
		return nil
	}
	f := m.member.close()
	m.member = nil
	return f
}

func (m *members) flush() *detect.Finding {
	if m.member == nil {
		return nil
	}
	return m.member.flush()
}

func (m *members) cleared() int {
	if m.member == nil {
		return m.in
	}
	return min(m.in, m.base+m.member.cleared())
}

// copied is a codec for what is not compressed.
type copied struct{}

func (copied) held() int   { return 0 }
func (copied) whole() bool { return true }
func (copied) feed(p []byte, emit func([]byte) error) (int, error) {
	return len(p), emit(p)
}

// archive is the part for zip (APPNOTE 6.3.10), read from its front: the members, as
// a reader finds them that has no end yet. What stands between them, the directory
// too, has no content.
type archive struct {
	members
	parent *layer
	buf    []byte // of a header that is not whole
	left   uint64 // of a member whose size is known
	sized  bool
	broken bool   // a member was not what its header said
	hidden blanks // looks for a member in what another is compressed to
}

const (
	zipMember = "PK\x03\x04"
	zipHeader = 30 // bytes of a local header before the name
)

func (a *archive) write(p []byte) *detect.Finding {
	for len(p) > 0 {
		packed := a.packed()
		n, f := a.take(p)
		if f == nil && (packed || a.broken || a.hidden.to != nil) {
			if a.hidden.to == nil && a.hidden.in != a.in { // there was something else between
				a.hidden.in, a.hidden.tail = a.in, nil
			}
			f = a.shadow(func() *detect.Finding { return a.hidden.write(p[:n]) })
		}
		if f != nil {
			return under(f, "zip")
		}
		a.in += n
		p = p[n:]
	}
	return nil
}

// shadow has hidden do something. What it finds malformed is looked into here.
func (a *archive) shadow(do func() *detect.Finding) *detect.Finding {
	a.parent.d.shadow++
	defer func() { a.parent.d.shadow-- }()
	return do()
}

// packed reports whether what comes next belongs to a member that is compressed. A reader
// that goes by the directory, which comes last, may find another member in that.
func (a *archive) packed() bool {
	if a.member == nil {
		return false
	}
	_, stored := a.member.codec.(copied)
	return !stored
}

// take reads the beginning of p, and returns how much that was.
func (a *archive) take(p []byte) (int, *detect.Finding) {
	if a.member != nil {
		return a.content(p)
	}
	had := len(a.buf)
	a.buf = append(a.buf, p[:min(len(p), 4<<10)]...)
	used := len(a.buf) - had
	i := bytes.Index(a.buf, []byte(zipMember))
	if i < 0 {
		a.buf = append(a.buf[:0], a.buf[max(0, len(a.buf)-len(zipMember)+1):]...)
		return used, nil
	}
	h := a.buf[i:]
	if len(h) < zipHeader {
		a.buf = append(a.buf[:0], h...)
		return used, nil
	}
	size := zipHeader + int(binary.LittleEndian.Uint16(h[26:])) + int(binary.LittleEndian.Uint16(h[28:]))
	if len(h) < size {
		a.buf = append(a.buf[:0], h...)
		return used, nil
	}
	a.open(h[:size])
	over := len(h) - size // read beyond the header, all of it from p
	a.buf = a.buf[:0]
	a.base = a.in + used - over
	return used - over, nil
}

// open begins the member whose header is h.
func (a *archive) open(h []byte) {
	flags, method := binary.LittleEndian.Uint16(h[6:]), binary.LittleEndian.Uint16(h[8:])
	size := uint64(binary.LittleEndian.Uint32(h[18:]))
	if size == 0xFFFFFFFF {
		size = zip64Size(h[zipHeader+int(binary.LittleEndian.Uint16(h[26:])):])
	}
	a.left, a.sized = size, flags&8 == 0 || size > 0
	to := a.parent.sniffed()
	switch {
	case to == nil:
		a.parent.d.gap("depth", max(1, int(min(size, 1<<30))))
		return
	case flags&1 != 0:
		a.parent.d.gap("encrypted", max(1, int(min(size, 1<<30))))
		return
	case !a.parent.d.try():
		a.parent.d.gap("budget", max(1, int(min(size, 1<<30))))
		return
	}
	u := &unpack{trust: marked, from: a.parent, to: to}
	switch method {
	case 0:
		u.codec = copied{}
		a.parent.d.doubt(to)
	case 8:
		u.codec = &deflated{kind: rawDeflate, z: new(inflater)}
		a.sized = false // it ends by itself
	case 93:
		u.codec = newZstd(a.parent.d)
	default:
		a.parent.d.gap("encoding", max(1, int(min(size, 1<<30))))
		return
	}
	if method == 8 || a.sized && size > 0 || !a.sized {
		a.member = u
	}
}

// doubt has l looked at as deflate, too: what a member's header says another reader takes
// from the directory, which comes last.
func (d *decoding) doubt(l *layer) {
	if to := l.sniffed(); to != nil {
		l.text = append(l.text, &unpack{trust: hunch, from: l, to: to, codec: &deflated{kind: rawDeflate, z: new(inflater)}})
	}
}

// zip64Size is the size that a zip64 extra field gives, 0 where there is none.
func zip64Size(extra []byte) uint64 {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			return 0
		}
		if id == 1 && n >= 16 {
			return binary.LittleEndian.Uint64(extra[8:])
		}
		extra = extra[n:]
	}
	return 0
}

// content gives the member what of p is its.
func (a *archive) content(p []byte) (int, *detect.Finding) {
	u := a.member
	n := len(p)
	if a.sized {
		n = int(min(uint64(n), a.left))
	} else if _, stored := u.codec.(copied); stored {
		return a.unsized(p)
	}
	if d, ok := u.codec.(*deflated); ok && d != nil {
		return a.deflated(u, d, p[:n])
	}
	if f := u.write(p[:n]); f != nil {
		return n, f
	}
	if a.sized {
		if a.left -= uint64(n); a.left == 0 {
			return n, a.end()
		}
	}
	return n, nil
}

// unsized gives a member whose size is not known what stands before the next header
// or descriptor, or what looks like one.
func (a *archive) unsized(p []byte) (int, *detect.Finding) {
	had := len(a.buf)
	joint := append(bytes.Clone(a.buf), p...)
	i, found := zipSignature(joint)
	f := a.member.write(joint[:i])
	if f != nil || !found {
		a.buf = append(a.buf[:0], joint[i:]...)
		return len(p), f
	}
	a.buf = append(a.buf[:0], joint[i:max(i, had)]...)
	return max(0, i-had), a.end()
}

// zipSignature returns where in b a header or a descriptor begins; or, not found,
// where what may become one does.
func zipSignature(b []byte) (i int, found bool) {
	for i = 0; i < len(b); i++ {
		j := bytes.IndexByte(b[i:], 'P')
		if j < 0 {
			return len(b), false
		}
		i += j
		whole := len(b)-i >= 4
		for _, s := range [...]string{zipMember, "PK\x01\x02", "PK\x07\x08"} {
			if bytes.HasPrefix([]byte(s), b[i:min(len(b), i+4)]) {
				return i, whole
			}
		}
	}
	return len(b), false
}

// deflated gives u of p what belongs to its stream.
func (a *archive) deflated(u *unpack, d *deflated, p []byte) (int, *detect.Finding) {
	p = p[:min(len(p), step)]
	n, err := u.feed(p)
	u.in += n
	u.marks.add(u.in, u.out)
	switch {
	case errors.Is(err, errFound):
		return n, u.found
	case errors.Is(err, errEnd):
		d.ended, u.over = true, true
		return n, a.end()
	case err != nil:
		u.fail(err, len(p))
		a.broken = true
		return 0, a.end() // the next member may begin anywhere in p
	}
	return n, nil
}

func (a *archive) flush() *detect.Finding {
	f := a.members.flush()
	if f == nil {
		f = a.shadow(a.hidden.flush)
	}
	return under(f, "zip")
}

func (a *archive) close() (f *detect.Finding) {
	if a.member != nil && len(a.buf) > 0 {
		f = a.member.write(a.buf)
	}
	if f == nil {
		f = a.end()
	}
	if f == nil {
		f = a.shadow(a.hidden.close)
	}
	return under(f, "zip")
}

func (a *archive) cleared() int {
	n := a.members.cleared()
	if a.hidden.to != nil {
		n = min(n, a.hidden.cleared())
	}
	return n
}

// tarball is the part for tar (POSIX ustar, GNU): headers of 512 bytes and content
// in blocks of as many.
type tarball struct {
	members
	parent *layer
	buf    []byte
	left   int64 // of the member's content
	pad    int64 // behind it
}

const tarBlock = 512

func (t *tarball) write(p []byte) *detect.Finding {
	for len(p) > 0 {
		n := len(p)
		switch {
		case t.member != nil:
			n = int(min(int64(n), t.left))
			if f := t.member.write(p[:n]); f != nil {
				return under(f, "tar")
			}
			if t.left -= int64(n); t.left == 0 {
				if f := t.end(); f != nil {
					return under(f, "tar")
				}
			}
		case t.pad > 0:
			n = int(min(int64(n), t.pad))
			t.pad -= int64(n)
		default:
			n = min(n, tarBlock-len(t.buf))
			if t.buf = append(t.buf, p[:n]...); len(t.buf) == tarBlock {
				t.open(t.in + n)
			}
		}
		t.in += n
		p = p[n:]
	}
	return nil
}

// open begins the member whose header is in buf, at offset base.
func (t *tarball) open(base int) {
	h := t.buf
	t.buf = t.buf[:0]
	if string(h[257:262]) != "ustar" {
		return // zeros at the end
	}
	size := tarSize(h[124:136])
	t.left, t.pad = size, (tarBlock-size%tarBlock)%tarBlock
	to := t.parent.sniffed()
	if size == 0 {
		return
	}
	if to == nil || !t.parent.d.try() {
		t.parent.d.gap("depth", int(min(size, 1<<30)))
		t.pad, t.left = t.pad+size, 0
		return
	}
	t.base, t.member = base, &unpack{trust: marked, from: t.parent, to: to, codec: copied{}}
}

// tarSize reads a size in octal, or in base 256.
func tarSize(b []byte) int64 {
	if b[0]&0x80 != 0 {
		return int64(binary.BigEndian.Uint64(b[4:]) &^ (1 << 63) & (1<<40 - 1))
	}
	n, err := strconv.ParseInt(string(bytes.Trim(b, " \x00")), 8, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (t *tarball) flush() *detect.Finding { return under(t.members.flush(), "tar") }
func (t *tarball) close() *detect.Finding { return under(t.end(), "tar") }
