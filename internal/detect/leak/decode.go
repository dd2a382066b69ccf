package leak

import (
	"runtime"
	"strings"

	"gatehouse/internal/detect"
)

const (
	// maxInflated is how much is decompressed of one stream, in bytes, and maxRatio
	// how many times what went in, past freeInflated. What is beyond is a gap.
	maxInflated  = 8 << 20
	maxRatio     = 100
	freeInflated = 1 << 20
	// maxDepth is how many encodings, one in the other, are undone.
	maxDepth = 5
	// freeTries, and one for each tryEvery bytes written, is how often what looks
	// compressed inside of text is tried.
	freeTries, tryEvery = 256, 1 << 10
)

// Decode returns a scanner for what leaves through o that undoes what it is written
// in, and shows each form to a scanner of its own, which scanner makes. Content
// codings are undone as o names them, and by how they begin: gzip, zlib, zstd and
// archives by tar and zip, one in the other. What is decoded is not kept: input waits
// until what it decodes to is cleared, at most a block of zstd's (128 KiB and its
// header) and what the scanners below hold. The windows of brotli and zstd count
// against memory, which all streams share; nil is no bound.
//
// What stands in base64, base32 or hex is shown to a scanner where touches reports that
// it may be part of a secret; nil looks at none of it. See Set.Touches.
//
// The scanner is a detect.Gapped.
func Decode(o detect.Outlet, memory *Memory, touches func(text []byte) bool, scanner func() detect.Scanner) detect.Scanner {
	d := &decoding{scanner: scanner, memory: memory, touches: touches}
	d.top = d.layer(0)
	if o.Place == "body" {
		d.top.head = &head{codings: codings(o.Encoding)}
	}
	return d
}

// decoding is one stream and all that is decoded of it.
type decoding struct {
	scanner func() detect.Scanner
	memory  *Memory
	touches func(text []byte) bool
	lease   *lease // of memory, made when first asked for

	top     *layer
	found   *detect.Finding
	cleared int

	inflated, tries int // so far
	shadow          int // above 0: what is malformed is looked into elsewhere, too

	reason string // of the first gap
	missed int
}

// Write judges p; see detect.Scanner.
func (d *decoding) Write(p []byte) (cleared int, f *detect.Finding) {
	if d.found == nil {
		d.found = d.top.write(p)
	}
	return d.advance()
}

// Flush decides what waits, but for what is not whole enough to be decoded.
func (d *decoding) Flush() (cleared int, f *detect.Finding) {
	if d.found == nil {
		d.found = d.top.flush()
	}
	return d.advance()
}

// Close judges what waits, and gives back the memory.
func (d *decoding) Close() *detect.Finding {
	if d.found == nil {
		d.found = d.top.close()
	}
	d.lease.free()
	return d.found
}

func (d *decoding) advance() (int, *detect.Finding) {
	if d.found != nil {
		return 0, d.found
	}
	was := d.cleared
	d.cleared = max(was, d.top.cleared())
	return d.cleared - was, nil
}

// Uninspected says what was not looked into; see detect.Gapped.
func (d *decoding) Uninspected() (reason string, bytes int) { return d.reason, d.missed }

// gap notes that n bytes were not looked into.
func (d *decoding) gap(reason string, n int) {
	if n <= 0 || d.shadow > 0 && reason == "malformed" {
		return
	}
	if d.reason == "" {
		d.reason = reason
	}
	d.missed += n
}

// try counts an attempt at what looks compressed, and reports whether it may be made.
func (d *decoding) try() bool {
	d.tries++
	return d.tries <= freeTries+d.top.seen/tryEvery
}

// reserve asks for n bytes of the memory that all streams share.
func (d *decoding) reserve(n int) bool {
	if d.memory == nil {
		return true
	}
	if d.lease == nil {
		d.lease = &lease{memory: d.memory}
		runtime.AddCleanup(d, (*lease).free, d.lease) // a connection may die without Close
	}
	return d.lease.take(n)
}

// codings lists the codings of a body, the outermost first.
func codings(encoding string) (list []string) {
	for name := range strings.SplitSeq(encoding, ",") {
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "", "identity":
		default:
			list = append([]string{name}, list...)
		}
	}
	return list
}
