package telemetry

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// A segment is a row of frames: the length of what follows in four bytes, and a
// nonce, items that were deflated (RFC 1951) and a tag, as AES-256-GCM seals them. Sandbox, segment and place are
// authenticated, so that no frame can be put elsewhere.
const (
	lengthBytes   = 4
	frameOverhead = lengthBytes + 12 + 16
	// maxFrame is a full frame and one item more.
	maxFrame        = frameOverhead + frameBytes + maxItemBytes + 64<<10
	maxSegmentBytes = segmentBytes + maxFrame
)

// sealer encrypts the frames of one sandbox.
type sealer struct {
	aead    cipher.AEAD
	sandbox string
}

func newSealer(secret, sandbox string) (*sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), []byte(sandbox), "gatehouse spool 1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead, sandbox}, nil
}

func (s *sealer) where(seg *segment, frame int) []byte {
	b := append([]byte(nil), s.sandbox...)
	b = strconv.AppendUint(append(b, ' '), seg.number, 10)
	b = strconv.AppendBool(append(b, ' '), seg.urgent)
	return strconv.AppendInt(append(b, ' '), int64(frame), 10)
}

// frame seals text as the next frame of seg.
func (s *sealer) frame(seg *segment, text []byte) []byte {
	out := make([]byte, lengthBytes, len(text)+frameOverhead)
	out = s.aead.Seal(out, nil, text, s.where(seg, seg.frames))
	binary.LittleEndian.PutUint32(out, uint32(len(out)-lengthBytes))
	return out
}

// read returns the items of seg. whole is false where somebody has changed it: then
// they are those before the change. A frame that breaks off at the end is what a
// kill leaves, and nobody's doing.
func (s *Spool) read(seg *segment) (items []Item, whole bool) {
	text, err := readSegmentFile(s.path(seg))
	if err != nil {
		return nil, false
	}
	for frame := 0; len(text) > lengthBytes; frame++ {
		n := int(binary.LittleEndian.Uint32(text))
		if n > maxFrame {
			return items, false
		}
		text = text[lengthBytes:]
		if n > len(text) {
			return items, true
		}
		plain, err := s.seal.aead.Open(nil, nil, text[:n], s.seal.where(seg, frame))
		if err != nil {
			return items, false
		}
		var more []Item
		if plain, err = s.inflater.inflate(plain); err == nil {
			more, err = decodeItems(plain)
		}
		if err != nil {
			return items, false
		}
		items, text = append(items, more...), text[n:]
	}
	return items, true
}

// deflater compresses frames: lines are much like each other, and the disk is small.
type deflater struct{ w *flate.Writer }

func (d *deflater) deflate(text []byte) []byte {
	var b bytes.Buffer
	if d.w == nil {
		d.w, _ = flate.NewWriter(nil, flate.BestSpeed) // a level that there is
	}
	d.w.Reset(&b)
	_, _ = d.w.Write(text) // into memory
	_ = d.w.Close()
	return b.Bytes()
}

// inflater undoes a deflater.
type inflater struct{ r io.ReadCloser }

func (f *inflater) inflate(text []byte) ([]byte, error) {
	if f.r == nil {
		f.r = flate.NewReader(bytes.NewReader(text))
	} else if err := f.r.(flate.Resetter).Reset(bytes.NewReader(text), nil); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f.r, maxFrame))
}

var errNoSegment = errors.New("telemetry: not a segment")

// readSegmentFile follows no link, waits for no pipe and reads no more than a
// segment can have.
func readSegmentFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSegmentBytes {
		return nil, errNoSegment
	}
	text := make([]byte, info.Size())
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return text[:n], nil
}

// appendItems writes items as decodeItems reads them: of each the kind's place, the
// time and four strings, with their lengths before them.
func appendItems(dst []byte, items []Item) []byte {
	dst = slices.Grow(dst, int(frameSize(items)))
	for i := range items {
		it := &items[i]
		dst = append(dst, byte(place(it.Kind)))
		dst = binary.AppendVarint(dst, it.Time.Unix())
		dst = binary.AppendUvarint(dst, uint64(it.Time.Nanosecond()))
		for _, s := range []string{it.ID, it.Host, it.Region} {
			dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(it.JSON))), it.JSON...)
	}
	return dst
}

// frameSize is what items take on disk at most.
func frameSize(items []Item) int64 {
	n := frameOverhead
	for i := range items {
		n += items[i].size() // lengths, time and strings are less than itemSize
	}
	return int64(n)
}

var errItems = errors.New("telemetry: not a row of items")

// decodeItems undoes appendItems. The items' JSON points into src.
func decodeItems(src []byte) (items []Item, err error) {
	for len(src) > 0 {
		k := int(src[0])
		sec, n := binary.Varint(src[1:])
		if k >= len(kinds) || n <= 0 {
			return nil, errItems
		}
		src = src[1+n:]
		nsec, n := binary.Uvarint(src)
		if n <= 0 || nsec >= uint64(time.Second) {
			return nil, errItems
		}
		src = src[n:]
		var parts [4][]byte
		for i := range parts {
			var ok bool
			if parts[i], src, ok = cutPart(src); !ok {
				return nil, errItems
			}
		}
		items = append(items, Item{
			Kind: kinds[k], Time: time.Unix(sec, int64(nsec)).UTC(),
			ID: string(parts[0]), Host: string(parts[1]), Region: string(parts[2]), JSON: parts[3],
		})
	}
	return items, nil
}

// cutPart takes a string with its length off the front of src.
func cutPart(src []byte) (part, rest []byte, ok bool) {
	size, n := binary.Uvarint(src)
	if n <= 0 || size > uint64(len(src)-n) {
		return nil, nil, false
	}
	return src[n:][:size], src[n:][size:], true
}
