package leak

import (
	"bytes"

	"gatehouse/internal/detect"
)

// head is the beginning of a layer, by which it is decided what it is.
type head struct {
	buf     []byte
	codings []string // that who sends it says it is in, the outermost first
	packed  bool     // what compresses it, if anything, is known
	guess   bool     // it may as well be something else
}

// headSize is how much of a layer's beginning is looked at: tar's magic, the last,
// ends there.
const headSize = 262

// sniff adds p to the head, and decides.
func (l *layer) sniff(p []byte) *detect.Finding {
	h := l.head
	if len(h.buf) == 0 && len(p) >= headSize {
		h.buf = p[:len(p):len(p)] // all of it at once: not kept
	} else {
		h.buf = append(h.buf, p...)
	}
	done := l.decide(false)
	if l.head == nil {
		return done
	}
	if done == nil && len(p) >= headSize {
		h.buf = bytes.Clone(p)
	}
	return done
}

// decide looks for what l is, by its head; closing says that there is no more. What
// is decided gets the head. What is compressed is known by its first bytes; of what
// is not yet, the parts see nothing: until eight bytes it is no secret.
func (l *layer) decide(closing bool) *detect.Finding {
	h := l.head
	if !h.packed {
		s, enough := l.packing(h.buf, h.codings)
		if s != nil {
			return l.begin(s)
		}
		if !enough && !closing {
			return nil
		}
		h.packed = true
	}
	if len(h.buf) >= headSize && string(h.buf[257:262]) == "ustar" {
		return l.begin(&tarball{parent: l})
	}
	if len(h.buf) >= headSize || closing {
		l.head = nil
	}
	return nil
}

// begin gives l the part s, and s what l has begun with.
func (l *layer) begin(s part) *detect.Finding {
	begun := l.head.buf
	l.head = nil
	l.parts = append(l.parts, s)
	return s.write(begun)
}

// magics are how compressed streams and archives begin.
var magics = [...]struct{ name, magic string }{
	{"gzip", "\x1f\x8b\x08"},
	{"zstd", "\x28\xb5\x2f\xfd"},
	{"zip", "PK\x03\x04"},
	{"zip", "PK00PK\x03\x04"},
}

// packing returns the part for what compresses a layer that begins with b; enough is
// whether more of it would tell more.
func (l *layer) packing(b []byte, codings []string) (s part, enough bool) {
	var coding string
	var inner []string
	if len(codings) > 0 {
		coding, inner = codings[0], codings[1:]
	}
	enough = true
	for _, m := range magics {
		if bytes.HasPrefix(b, []byte(m.magic)) {
			if codingOf(coding) != m.name {
				inner = nil
			}
			if l.head.guess {
				return l.unpacker(m.name, guessed, nil), true
			}
			return l.unpacker(m.name, marked, inner), true
		}
		enough = enough && !bytes.HasPrefix([]byte(m.magic), b)
	}
	if zlibMagic(b) && (coding == "deflate" || b[0] == 0x78) {
		if coding == "deflate" {
			return l.unpacker("deflate", declared, inner), true
		}
		return l.unpacker("zlib", guessed, nil), true
	}
	if len(b) < 2 || !enough {
		return nil, false
	}
	switch coding {
	case "":
		return nil, true
	case "deflate":
		return l.unpacker("raw", declared, inner), true
	case "br":
		return l.unpacker("br", declared, inner), true
	case "gzip", "x-gzip", "zstd":
		l.d.gap("malformed", len(b))
	default:
		l.d.gap("encoding", len(b))
	}
	return nil, true
}

// codingOf is the name of a content coding among magics.
func codingOf(coding string) string {
	if coding == "x-gzip" {
		return "gzip"
	}
	return coding
}

// unpacker returns the part that decompresses l; nil where that may not be.
func (l *layer) unpacker(name string, t trust, inner []string) part {
	to := l.sniffed(inner...)
	if to == nil {
		if t > guessed {
			l.d.gap("depth", max(1, l.seen))
		}
		return nil
	}
	if name == "zip" {
		return &archive{parent: l, hidden: blanks{parent: l, within: true}}
	}
	u := &unpack{name: name, trust: t, from: l, to: to}
	switch name {
	case "gzip":
		u.codec = &deflated{kind: gzipped, z: new(inflater)}
	case "zlib":
		u.codec = &deflated{kind: zlibbed, z: new(inflater)}
	case "deflate":
		u.name, u.codec = "deflate", &deflated{kind: zlibbed, z: new(inflater)}
	case "raw":
		u.name, u.codec = "deflate", &deflated{kind: rawDeflate, z: new(inflater)}
	case "zstd":
		u.codec = newZstd(l.d)
	case "br":
		u.codec = newBrotli(l.d)
	}
	return u
}
