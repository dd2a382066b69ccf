package leak

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math/bits"
	"sync"
)

var (
	errCorrupt = errors.New("corrupt")
	errEnd     = errors.New("the end of the stream")
)

const (
	window = 32 << 10 // of deflate, RFC 1951
	// outSize leaves room for what a window's length of input may add and one match.
	outSize = 2*window + 320
)

// inflater decompresses deflate (RFC 1951) as it comes in: whatever a prefix of the
// stream can be decoded to, by anybody, it has decoded. That is why its input may
// leave as soon as its output may, and what compress/flate, which reads, cannot do:
// it needs its input to end only where the stream does.
type inflater struct {
	out     [outSize]byte
	w, e    int // written to out, and emitted
	hold    uint64
	n       uint // bits in hold
	state   inflateState
	last    bool
	stored  int    // bytes left of a stored block
	carry   []byte // the beginning of a block's header
	lit     *huffman
	dist    *huffman
	own     [2]huffman
	lengths [286 + 32]uint8
}

type inflateState uint8

const (
	atBlock inflateState = iota
	atStored
	inStored
	inCodes
	atEnd
)

func (z *inflater) reset() {
	z.w, z.e, z.hold, z.n, z.state, z.last, z.stored = 0, 0, 0, 0, atBlock, false, 0
	z.carry = z.carry[:0]
}

// feed decompresses p and hands what comes out to emit, whose error it returns. n is
// how much of p belongs to the stream, less than all of it only with errEnd.
func (z *inflater) feed(p []byte, emit func([]byte) error) (n int, err error) {
	src, carried := p, len(z.carry)
	if carried > 0 {
		z.carry = append(z.carry, p...)
		src = z.carry
	}
	pos, more := 0, true
	for more && err == nil && z.state != atEnd {
		pos, more, err = z.step(src, pos)
		if z.w > 2*window || !more || z.state == atEnd || err != nil {
			err = cmp.Or(z.drain(emit), err)
		}
	}
	if z.state == atEnd && err == nil {
		pos -= int(z.n / 8) // whole bytes that are in hold
		z.hold, z.n = 0, 0
		return max(0, pos-carried), errEnd
	}
	z.carry = append(z.carry[:0], src[pos:]...)
	return len(p), err
}

// drain emits what is new and makes room.
func (z *inflater) drain(emit func([]byte) error) (err error) {
	if z.w > z.e {
		err = emit(z.out[z.e:z.w])
	}
	if z.w > window+window/2 {
		copy(z.out[:], z.out[z.w-window:z.w])
		z.w = window
	}
	z.e = z.w
	return err
}

// step goes on from src[pos:]: through a block's header, or its content as far as
// there is room. more is false where the input is used up.
func (z *inflater) step(src []byte, pos int) (at int, more bool, err error) {
	switch z.state {
	case atBlock:
		return z.header(src, pos)
	case atStored:
		return z.storedHeader(src, pos)
	case inStored:
		n := min(z.stored, len(src)-pos, outSize-z.w)
		copy(z.out[z.w:], src[pos:pos+n])
		z.w += n
		z.stored -= n
		if z.stored == 0 {
			z.endBlock()
			return pos + n, true, nil
		}
		return pos + n, z.w == outSize, nil
	}
	return z.codes(src, pos)
}

func (z *inflater) endBlock() {
	z.state = atBlock
	if z.last {
		z.state = atEnd
	}
}

// fill takes bytes from src[pos:] until hold has more than 56 bits.
func (z *inflater) fill(src []byte, pos int) int {
	for z.n <= 56 && pos < len(src) {
		z.hold |= uint64(src[pos]) << z.n
		z.n += 8
		pos++
	}
	return pos
}

func (z *inflater) drop(n uint) {
	z.hold >>= n
	z.n -= n
}

// header reads a block's header. Of one that is not whole, nothing is taken.
func (z *inflater) header(src []byte, pos int) (at int, more bool, err error) {
	start, hold, n := pos, z.hold, z.n
	pos = z.fill(src, pos)
	if z.n < 3 {
		return pos, false, nil
	}
	z.last = z.hold&1 != 0
	kind := z.hold >> 1 & 3
	z.drop(3)
	switch kind {
	case 0:
		z.drop(z.n % 8)
		z.state = atStored
		return pos, true, nil
	case 1:
		z.lit, z.dist = fixedCodes()
		z.state = inCodes
		return pos, true, nil
	case 2:
		pos, more, err = z.dynamic(src, pos)
		if !more && err == nil {
			z.hold, z.n = hold, n
			return start, false, nil
		}
		z.state = inCodes
		return pos, more, err
	}
	return pos, false, errCorrupt
}

// storedHeader reads the length of a stored block, and its complement.
func (z *inflater) storedHeader(src []byte, pos int) (at int, more bool, err error) {
	pos = z.fill(src, pos)
	if z.n < 32 {
		return pos, false, nil
	}
	size := uint16(z.hold)
	if uint16(z.hold>>16) != ^size {
		return pos, false, errCorrupt
	}
	z.drop(32)
	pos -= int(z.n / 8) // what is in hold already is content
	z.hold, z.n = 0, 0
	if z.stored = int(size); size == 0 {
		z.endBlock()
		return pos, true, nil
	}
	z.state = inStored
	return pos, true, nil
}

// codeOrder is the order in which the lengths of the code length code stand.
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the codes of a block.
func (z *inflater) dynamic(src []byte, pos int) (at int, more bool, err error) {
	pos = z.fill(src, pos)
	if z.n < 14 {
		return pos, false, nil
	}
	literals, distances, codes := int(z.hold&31)+257, int(z.hold>>5&31)+1, int(z.hold>>10&15)+4
	z.drop(14)
	if literals > 286 {
		return pos, false, errCorrupt
	}
	var lengths [19]uint8
	for _, i := range codeOrder[:codes] {
		if pos = z.fill(src, pos); z.n < 3 {
			return pos, false, nil
		}
		lengths[i] = uint8(z.hold & 7)
		z.drop(3)
	}
	code := &z.own[0]
	if !code.build(lengths[:], 7, plainSymbols) {
		return pos, false, errCorrupt
	}
	all := z.lengths[:literals+distances]
	if pos, more, err = z.readLengths(code, all, src, pos); !more || err != nil {
		return pos, false, err
	}
	if all[256] == 0 || !z.own[0].build(all[:literals], 10, lengthSymbols) || !z.own[1].build(all[literals:], 9, distanceSymbols) {
		return pos, false, errCorrupt
	}
	z.lit, z.dist = &z.own[0], &z.own[1]
	return pos, true, nil
}

// readLengths reads the lengths of a block's codes.
func (z *inflater) readLengths(code *huffman, all []uint8, src []byte, pos int) (at int, more bool, err error) {
	for i := 0; i < len(all); {
		pos = z.fill(src, pos)
		e := code.find(z.hold)
		if e.size() == 0 && z.n >= 15 {
			return pos, false, errCorrupt
		}
		if e.size() == 0 || e.size() > z.n {
			return pos, false, nil
		}
		sym, extra := e.base(), uint(0)
		repeat, value := 1, uint8(sym)
		switch sym {
		case 16:
			if i == 0 {
				return pos, false, errCorrupt
			}
			value, repeat, extra = all[i-1], 3, 2
		case 17:
			value, repeat, extra = 0, 3, 3
		case 18:
			value, repeat, extra = 0, 11, 7
		}
		if e.size()+extra > z.n {
			return pos, false, nil
		}
		z.drop(e.size())
		repeat += int(z.hold & (1<<extra - 1))
		z.drop(extra)
		if i+repeat > len(all) {
			return pos, false, errCorrupt
		}
		for range repeat {
			all[i] = value
			i++
		}
	}
	return pos, true, nil
}

// codes decodes symbols while there is input and room.
func (z *inflater) codes(src []byte, pos int) (at int, more bool, err error) {
	if pos, err = z.fast(src, pos); err != nil || z.state != inCodes {
		return pos, err == nil, err
	}
	for z.w <= 2*window {
		pos = z.fill(src, pos)
		e := z.lit.find(z.hold)
		size := e.size()
		switch {
		case size == 0 && z.n >= 15:
			return pos, false, errCorrupt
		case size == 0 || size > z.n:
			return pos, false, nil
		case e.kind() == kindLiteral:
			z.out[z.w] = byte(e.base())
			z.w++
			z.drop(size)
			continue
		case e.kind() == kindEnd:
			z.drop(size)
			z.endBlock()
			return pos, true, nil
		case e.kind() == kindBad:
			return pos, false, errCorrupt
		}
		total := size + e.extra()
		if total > z.n {
			return pos, false, nil
		}
		length := e.base() + int(z.hold>>size&(1<<e.extra()-1))
		d := z.dist.find(z.hold >> total)
		if d.size() == 0 && z.n-total >= 15 || d.size() != 0 && d.size() <= z.n-total && d.kind() == kindBad {
			return pos, false, errCorrupt
		}
		if d.size() == 0 || total+d.size()+d.extra() > z.n {
			return pos, false, nil
		}
		total += d.size()
		distance := d.base() + int(z.hold>>total&(1<<d.extra()-1))
		if distance > z.w {
			return pos, false, errCorrupt
		}
		z.drop(total + d.extra())
		z.copyMatch(distance, length)
	}
	return pos, true, nil
}

// fast decodes while there are eight bytes more, enough for any symbol, and room.
func (z *inflater) fast(src []byte, pos int) (int, error) {
	hold, n, w := z.hold, z.n, z.w
	lit, dist := z.lit, z.dist
	for pos+8 <= len(src) && w <= 2*window {
		hold |= binary.LittleEndian.Uint64(src[pos:]) << n
		pos += int((63 - n) >> 3)
		n |= 56
		e := lit.find(hold)
		if e.kind() == kindLiteral {
			z.out[w] = byte(e.base())
			w++
			hold >>= e.size()
			n -= e.size()
			if e = lit.find(hold); e.kind() == kindLiteral {
				z.out[w] = byte(e.base())
				w++
				hold >>= e.size()
				n -= e.size()
				continue
			}
			if n < 48 {
				continue // not enough for a match that is as long as can be
			}
		}
		if e.kind() != kindMatch {
			z.hold, z.n, z.w = hold&(1<<n-1), n, w
			if e.kind() != kindEnd {
				return pos, errCorrupt
			}
			z.drop(e.size())
			z.endBlock()
			return pos, nil
		}
		hold >>= e.size()
		length := e.base() + int(hold&(1<<e.extra()-1))
		hold >>= e.extra()
		d := dist.find(hold)
		n -= e.size() + e.extra() + d.size() + d.extra()
		hold >>= d.size()
		distance := d.base() + int(hold&(1<<d.extra()-1))
		hold >>= d.extra()
		if d.kind() != kindMatch || distance > w {
			z.w = w
			return pos, errCorrupt
		}
		if distance >= length {
			copy(z.out[w:w+length], z.out[w-distance:w-distance+length])
			w += length
			continue
		}
		z.w = w
		z.copyMatch(distance, length)
		w = z.w
	}
	z.hold, z.n, z.w = hold&(1<<n-1), n, w
	return pos, nil
}

// copyMatch repeats what lies distance back. The two may overlap.
func (z *inflater) copyMatch(distance, length int) {
	from, to := z.w-distance, z.w
	z.w += length
	for length > 0 {
		n := copy(z.out[to:to+min(length, to-from)], z.out[from:to])
		to += n
		length -= n
	}
}

// symbol is what a code stands for: its size in bits, the number of extra bits, what
// it is, and the value that extra bits are added to.
type symbol uint32

const (
	kindLiteral = iota // and every symbol of the code length code
	kindMatch
	kindEnd
	kindBad
	kindTable // the rest of the code decides: extra bits of it, at base
)

func newSymbol(size, extra uint, kind, base int) symbol {
	return symbol(size | extra<<4 | uint(kind)<<8 | uint(base)<<12)
}

func (s symbol) size() uint  { return uint(s & 15) }
func (s symbol) extra() uint { return uint(s >> 4 & 15) }
func (s symbol) kind() int   { return int(s >> 8 & 15) }
func (s symbol) base() int   { return int(s >> 12) }

// huffman is a canonical Huffman code, looked up by its first root bits and, where
// it is longer, the rest.
type huffman struct {
	table []symbol
	root  uint
}

// find returns the symbol that hold begins with. Where hold has too few bits, it has
// more than those; a size of 0 is no symbol.
func (h *huffman) find(hold uint64) symbol {
	s := h.table[hold&(1<<h.root-1)]
	if s.kind() == kindTable {
		s = h.table[s.base()+int(hold>>h.root&(1<<s.extra()-1))]
	}
	return s
}

// build makes the code whose symbols have lengths. It reports false where there is
// none: a code must be complete, but for one of a single symbol.
func (h *huffman) build(lengths []uint8, root uint, of func(sym int) (extra uint, kind, base int)) bool {
	var count, next [16]int
	most, used := uint(0), 0
	for _, l := range lengths {
		count[l]++
		if l > 0 {
			most, used = max(most, uint(l)), used+1
		}
	}
	code, left := 0, 1
	for l := 1; l <= 15; l++ {
		next[l] = code
		code = (code + count[l]) << 1
		if left = left<<1 - count[l]; left < 0 {
			return false
		}
	}
	if left > 0 && (used > 1 || used == 1 && most > 1) {
		return false
	}
	h.root = min(root, max(most, 1))
	h.table = append(h.table[:0], make([]symbol, 1<<h.root)...)
	for i := range h.table {
		h.table[i] = newSymbol(0, 0, kindBad, 0)
	}
	for sym, l := range lengths {
		if l > 0 {
			extra, kind, base := of(sym)
			h.put(next[l], uint(l), most, newSymbol(uint(l), extra, kind, base))
			next[l]++
		}
	}
	return true
}

// put enters a code, of size bits, wherever what follows it may lead.
func (h *huffman) put(code int, size, most uint, s symbol) {
	reversed := int(bits.Reverse16(uint16(code)) >> (16 - size))
	if size <= h.root {
		for i := reversed; i < 1<<h.root; i += 1 << size {
			h.table[i] = s
		}
		return
	}
	low := reversed & (1<<h.root - 1)
	if h.table[low].kind() != kindTable {
		h.table[low] = newSymbol(0, most-h.root, kindTable, len(h.table))
		for range 1 << (most - h.root) {
			h.table = append(h.table, newSymbol(0, 0, kindBad, 0))
		}
	}
	sub := h.table[low]
	for i := reversed >> h.root; i < 1<<sub.extra(); i += 1 << (size - h.root) {
		h.table[sub.base()+i] = s
	}
}

func plainSymbols(sym int) (extra uint, kind, base int) { return 0, kindLiteral, sym }

// lengthSymbols are RFC 1951's literals and lengths.
func lengthSymbols(sym int) (extra uint, kind, base int) {
	switch {
	case sym < 256:
		return 0, kindLiteral, sym
	case sym == 256:
		return 0, kindEnd, 0
	case sym < 265:
		return 0, kindMatch, sym - 254
	case sym < 285:
		extra = uint(sym-261) / 4
		return extra, kindMatch, (4+(sym-261)%4)<<extra + 3
	case sym == 285:
		return 0, kindMatch, 258
	}
	return 0, kindBad, 0
}

// distanceSymbols are RFC 1951's distances.
func distanceSymbols(sym int) (extra uint, kind, base int) {
	switch {
	case sym < 4:
		return 0, kindMatch, sym + 1
	case sym < 30:
		extra = uint(sym-2) / 2
		return extra, kindMatch, (2+sym%2)<<extra + 1
	}
	return 0, kindBad, 0
}

// fixedCodes are those of blocks that bring none of their own.
func fixedCodes() (lit, dist *huffman) {
	codes := fixed()
	return &codes[0], &codes[1]
}

var fixed = sync.OnceValue(func() *[2]huffman {
	var codes [2]huffman
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	codes[0].build(lengths[:], 9, lengthSymbols)
	for i := range 32 {
		lengths[i] = 5
	}
	codes[1].build(lengths[:32], 5, distanceSymbols)
	return &codes
})
