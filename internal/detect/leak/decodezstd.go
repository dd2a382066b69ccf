package leak

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

var (
	errMemory = errors.New("no memory left for it")
	errMore   = errors.New("more input is needed")
)

// feeder is what a decompressor reads from: what there is, and then errMore.
type feeder struct {
	buf []byte
	end bool // nothing follows
}

func (f *feeder) Read(p []byte) (int, error) {
	if len(f.buf) == 0 {
		if f.end {
			return 0, io.EOF
		}
		return 0, errMore
	}
	n := copy(p, f.buf)
	f.buf = f.buf[n:]
	return n, nil
}

// brotlied is brotli (RFC 7932). Its reader goes on after an error of what it reads.
type brotlied struct {
	d     *decoding
	src   feeder
	r     *brotli.Reader
	out   []byte
	asked bool // for memory
	any   bool // bytes were fed
	seen  []byte
}

func newBrotli(d *decoding) *brotlied { return &brotlied{d: d} }

func (b *brotlied) held() int { return 0 }

// brotliMemory is a reader's tables and buffers, and what is kept of its input, in bytes.
const brotliMemory = 128<<10 + maxReplay

func (b *brotlied) feed(p []byte, emit func([]byte) error) (n int, err error) {
	if !b.asked && len(p) > 0 {
		b.asked, b.any = true, true
		if !b.d.reserve(brotliMemory + brotliWindow(p[0])) {
			return len(p), errMemory
		}
		b.r = brotli.NewReader(&b.src)
		b.out = make([]byte, 16<<10)
	}
	if len(b.seen)+len(p) <= maxReplay {
		b.seen = append(b.seen, p...)
		if err = b.read(b.r, p, emit); errors.Is(err, errCorrupt) {
			err = b.replay(len(p), emit)
		}
		return len(p), err
	}
	for b.seen = nil; n < len(p) && err == nil; n += brotliPiece {
		err = b.read(b.r, p[n:min(len(p), n+brotliPiece)], emit)
	}
	return len(p), err
}

const (
	// brotliPiece is how much brotli's reader gets at a time where it cannot be replayed,
	// in bytes: less than a part of a secret that counts.
	brotliPiece = 4
	// maxReplay is how much of a stream is kept to be replayed, in bytes.
	maxReplay = 256 << 10
)

// replay has another reader meet the error at the end of what was seen. What a reader
// has decoded since it last wanted more is lost when it meets one, but not for somebody
// who shows it byte for byte. last is how much came last.
func (b *brotlied) replay(last int, emit func([]byte) error) error {
	r := brotli.NewReader(&b.src)
	at := len(b.seen) - last
	err := b.read(r, b.seen[:at], func([]byte) error { return nil })
	for ; err == nil && at < len(b.seen); at++ {
		err = b.read(r, b.seen[at:at+1], emit)
	}
	return err
}

// read shows what r makes of p.
func (b *brotlied) read(r *brotli.Reader, p []byte, emit func([]byte) error) error {
	b.src.buf = p
	for {
		n, err := r.Read(b.out)
		if n > 0 {
			if err := emit(b.out[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, errMore):
			return nil
		case err != nil:
			return errCorrupt
		}
	}
}

func (b *brotlied) whole() bool {
	if b.r == nil {
		return !b.any
	}
	b.src.end = true
	_, err := b.r.Read(b.out)
	return errors.Is(err, io.EOF)
}

// brotliWindow is the size of the window that a stream asks for by its first byte,
// in bytes: RFC 7932, 9.1.
func brotliWindow(first byte) int {
	switch {
	case first&1 == 0:
		return 1 << 16
	case first>>1&7 != 0:
		return 1 << (17 + first>>1&7)
	case first>>4&7 == 0:
		return 1 << 17
	}
	return 1 << (8 + first>>4&7)
}

// zstded is zstd (RFC 8878). Its decoder does not go on after an error of what it
// reads: it gets whole blocks, which are found here, and is asked for no more than
// they hold.
type zstded struct {
	d       *decoding
	src     feeder
	r       *zstd.Decoder
	wait    []byte // begins with what scan has not seen to be whole
	ready   []byte // whole blocks that decode to nothing, and what stands before one
	out     []byte
	inFrame bool
	sum     bool // a check sum follows the last block
	skip    int  // bytes left of a skippable frame
}

// maxZstdWindow is the largest window that is decompressed, in bytes: what RFC 8878
// asks of everybody.
const maxZstdWindow = 8 << 20

func newZstd(d *decoding) *zstded { return &zstded{d: d} }

func (z *zstded) held() int   { return len(z.wait) }
func (z *zstded) whole() bool { return !z.inFrame && len(z.wait) == 0 && z.skip == 0 }

func (z *zstded) feed(p []byte, emit func([]byte) error) (n int, err error) {
	z.wait = append(z.wait, p...)
	for {
		size, yields, err := z.scan()
		if err != nil || size == 0 {
			return len(p), err
		}
		z.ready = append(z.ready, z.wait[:size]...)
		z.wait = z.wait[:copy(z.wait, z.wait[size:])]
		if !yields {
			if len(z.ready) > 64<<10 {
				return len(p), errCorrupt // blocks of nothing, one after the other
			}
			continue
		}
		if err := z.decode(emit); err != nil {
			return len(p), err
		}
	}
}

// decode shows what is ready to the decoder.
func (z *zstded) decode(emit func([]byte) error) error {
	if z.r == nil {
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.IgnoreChecksum(true))
		if err != nil {
			return errCorrupt
		}
		z.r, z.out = r, make([]byte, 128<<10)
		if err := z.r.Reset(&z.src); err != nil {
			return errCorrupt
		}
	}
	z.src.buf = z.ready
	n, err := z.r.Read(z.out) // a block, and no more
	if n > 0 {
		if err := emit(z.out[:n]); err != nil {
			return err
		}
	}
	if err != nil || len(z.src.buf) > 0 {
		return errCorrupt
	}
	z.ready = z.ready[:0]
	return nil
}

// scan returns the size of what wait begins with, 0 where it is not whole: a frame's
// header, a skippable frame, or a block. yields is whether it decodes to anything.
func (z *zstded) scan() (size int, yields bool, err error) {
	b := z.wait
	if z.inFrame {
		return z.block(b)
	}
	if len(b) < 4 {
		return 0, false, nil
	}
	magic := binary.LittleEndian.Uint32(b)
	switch {
	case magic>>4 == 0x184D2A5:
		if len(b) < 8 {
			return 0, false, nil
		}
		size := 8 + int(binary.LittleEndian.Uint32(b[4:]))
		if size > 64<<10 {
			return 0, false, errCorrupt
		}
		if len(b) < size {
			return 0, false, nil
		}
		return size, false, nil
	case magic != 0xFD2FB528:
		return 0, false, errCorrupt
	case len(b) < 5:
		return 0, false, nil
	}
	flags := b[4]
	single := flags&0x20 != 0
	content := [...]int{0, 2, 4, 8}[flags>>6]
	if single && content == 0 {
		content = 1
	}
	size = 5 + [...]int{0, 1, 2, 4}[flags&3] + content
	if !single {
		size++
	}
	if len(b) < size {
		return 0, false, nil
	}
	window := 0
	if !single {
		window = 1 << (10 + b[5]>>3)
		window += window / 8 * int(b[5]&7)
	} else {
		var n [8]byte
		copy(n[:], b[size-content:size])
		window = int(min(binary.LittleEndian.Uint64(n[:]), maxZstdWindow+1))
	}
	if window > maxZstdWindow {
		return 0, false, errBudget
	}
	if !z.d.reserve(2*window + 512<<10) {
		return 0, false, errMemory
	}
	z.inFrame, z.sum = true, flags&4 != 0
	return size, false, nil
}

func (z *zstded) block(b []byte) (size int, yields bool, err error) {
	if len(b) < 3 {
		return 0, false, nil
	}
	head := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	last, n := head&1 != 0, head>>3
	size, yields = 3+n, n > 0
	switch head >> 1 & 3 {
	case 1:
		size = 4
	case 3:
		return 0, false, errCorrupt
	}
	if n > 128<<10 {
		return 0, false, errCorrupt
	}
	if last && z.sum {
		size += 4
	}
	if len(b) < size {
		return 0, false, nil
	}
	if head>>1&3 == 2 {
		yields = !emptyBlock(b[3 : 3+n])
	}
	if last {
		z.inFrame = false
	}
	return size, yields, nil
}

// emptyBlock reports whether a compressed block has neither literals nor sequences.
func emptyBlock(b []byte) bool {
	if len(b) < 2 || b[0]&3 > 1 {
		return len(b) == 0
	}
	size, n := int(b[0]>>3), 1
	switch b[0] >> 2 & 3 {
	case 1:
		size, n = int(b[0]>>4)|int(b[1])<<4, 2
	case 3:
		if len(b) < 3 {
			return false
		}
		size, n = int(b[0]>>4)|int(b[1])<<4|int(b[2])<<12, 3
	}
	if b[0]&3 == 1 {
		n++
	}
	return size == 0 && n < len(b) && b[n] == 0
}
