package attack

import (
	"compress/gzip"
	"compress/zlib"
	"io"
)

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
