package telemetry

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"

	"gatehouse/internal/record"
)

// kinds are the kinds by their place in the counters' file. They are append-only:
// an older start of the sandbox has written it.
var kinds = [...]record.Kind{
	record.Log, record.Platform, record.Invocation, record.Attack,
	record.Leak, record.Runtime, record.Connection, record.Health,
}

// place is the kind's index in kinds; one that is not there counts as a line.
func place(k record.Kind) int {
	for i := range kinds {
		if kinds[i] == k {
			return i
		}
	}
	return 0
}

// perKind counts records of each kind, in the order of kinds.
type perKind [len(kinds)]uint64

func (c *perKind) add(k record.Kind) { c[place(k)]++ }

func (c *perKind) plus(d *perKind) {
	for i := range d {
		c[i] += d[i]
	}
}

// minus takes d away, each kind down to zero.
func (c *perKind) minus(d *perKind) {
	for i := range d {
		c[i] -= min(c[i], d[i])
	}
}

func (c *perKind) sum() (n uint64) {
	for _, v := range c {
		n += v
	}
	return n
}

// byName is nil where nothing was counted.
func (c *perKind) byName() map[string]uint64 {
	var m map[string]uint64
	for i, v := range c {
		if v > 0 {
			if m == nil {
				m = make(map[string]uint64)
			}
			m[string(kinds[i])] = v
		}
	}
	return m
}

func count(items []Item) (c perKind) {
	for i := range items {
		c.add(items[i].Kind)
	}
	return c
}

// The counters' file: words of 8 bytes, little endian. Each is written at once, so
// a process that is killed leaves every word old or new. The order of writes is the
// one in which a kill between two of them makes the file say that more is missing,
// never less.
const (
	pageBytes = 4096
	pageMagic = 0x3170_6f6f_7073_6867 // "ghspoop1": of the layout, too

	wordMagic    = 0
	wordSandbox  = 1 // two words: 16 hex digits
	wordNext     = 3 // number of the next segment
	wordTampered = 4
	wordMade     = 16
	wordSent     = 24
	wordLost     = 32
	wordFlying   = 40 // offered to the sink, from memory
	wordSegments = 128
	// A segment's words: its number, how many of its items are done with, and two
	// kinds' counts to a word.
	segmentWords = 2 + len(kinds)/2
	maxSegments  = (pageBytes/8 - wordSegments) / segmentWords
)

// page is the mapped file, or nothing. It only ever mirrors what the heap says: the
// function runs as the same user, and may write into the file or cut it off.
type page struct {
	mem  []byte
	gone atomic.Bool // the file was cut off: nothing is mirrored any more
	file *os.File    // holds the lock
}

// open maps the file at path, and makes it where there is none or one that cannot
// be ours.
func (pg *page) open(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err == nil && !isPage(f) {
		_ = f.Close() // not ours
	}
	if err != nil || !isPage(f) {
		if f, err = makePage(path); err != nil {
			return fmt.Errorf("making the counters: %w", err)
		}
	}
	pg.file = f
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pg.close()
		return fmt.Errorf("locking the counters: %w", err)
	}
	pg.mem, err = syscall.Mmap(int(f.Fd()), 0, pageBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		pg.close()
		return fmt.Errorf("mapping the counters: %w", err)
	}
	return nil
}

func isPage(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular() && info.Size() == pageBytes
}

// makePage makes the file anew, with its bytes: a hole could not be filled later,
// on a disk that is full.
func makePage(path string) (*os.File, error) {
	if err := os.RemoveAll(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(make([]byte, pageBytes)); err != nil {
		_ = f.Close() // the first error counts
		_ = os.Remove(path)
		return nil, err
	}
	return f, nil
}

// close lets another process have the file.
func (pg *page) close() {
	if pg.mem != nil {
		_ = syscall.Munmap(pg.mem) // it was mapped
		pg.mem = nil
	}
	if pg.file != nil {
		_ = pg.file.Close() // nothing is buffered
		pg.file = nil
	}
}

// with calls f with the file's bytes. A file that was cut off raises SIGBUS, which
// would end the process: it ends the mirroring instead.
func (pg *page) with(f func(mem []byte)) {
	if pg.mem == nil || pg.gone.Load() {
		return
	}
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if recover() != nil {
			pg.gone.Store(true)
		}
	}()
	f(pg.mem)
}

func put(mem []byte, word int, v uint64) { binary.LittleEndian.PutUint64(mem[word*8:], v) }

func get(mem []byte, word int) uint64 { return binary.LittleEndian.Uint64(mem[word*8:]) }

func putKinds(mem []byte, word int, c *perKind) {
	for i, v := range c {
		put(mem, word+i, v)
	}
}

func getKinds(mem []byte, word int) (c perKind) {
	for i := range c {
		c[i] = get(mem, word+i)
	}
	return c
}

// tally is what a pipeline has counted, over all starts of the sandbox.
type tally struct {
	made, sent, lost, flying perKind
}

// saved is what a counters' file says.
type saved struct {
	tally
	tampered uint64
	next     uint64
	segments []segment
}

// bound is more than any of the counters can be, and little enough to add up.
const bound = 1 << 48

// read takes a file apart. ok is false where it is of another sandbox, or says what
// no pipeline would.
func (pg *page) read(sandbox string) (s saved, ok bool) {
	pg.with(func(mem []byte) {
		if get(mem, wordMagic) != pageMagic || string(mem[wordSandbox*8:][:16]) != sandbox {
			return
		}
		s.made, s.sent = getKinds(mem, wordMade), getKinds(mem, wordSent)
		s.lost, s.flying = getKinds(mem, wordLost), getKinds(mem, wordFlying)
		s.tampered, s.next = get(mem, wordTampered), get(mem, wordNext)
		for i := range maxSegments {
			if seg := readSegment(mem, i); seg.number != 0 {
				s.segments = append(s.segments, seg)
			}
		}
		ok = s.plausible()
	})
	if !ok {
		return saved{}, false
	}
	return s, true
}

func (s *saved) plausible() bool {
	kept := s.sent
	kept.plus(&s.lost)
	for i := range s.segments {
		kept.plus(&s.segments[i].left)
	}
	for i := range kinds {
		if max(s.made[i], s.sent[i], s.lost[i], s.flying[i]) >= bound || kept[i] > s.made[i] {
			return false
		}
	}
	seen := make(map[uint64]bool)
	for i := range s.segments {
		n := s.segments[i].number
		if n >= s.next || seen[n] {
			return false
		}
		seen[n] = true
	}
	return s.next < bound && s.tampered < bound
}

// begin writes an empty file for sandbox.
func (pg *page) begin(sandbox string) {
	pg.with(func(mem []byte) {
		clear(mem)
		copy(mem[wordSandbox*8:][:16], sandbox)
		put(mem, wordNext, 1)
		put(mem, wordMagic, pageMagic) // last: whole, or none
	})
}

func readSegment(mem []byte, i int) segment {
	word := wordSegments + i*segmentWords
	head := get(mem, word)
	s := segment{slot: i, number: head >> 3, urgent: head&1 != 0, printed: head&2 != 0, spoilt: head&4 != 0}
	s.done = int(get(mem, word+1) & (1<<31 - 1))
	for k := range s.left {
		s.left[k] = get(mem, word+2+k/2) >> (k % 2 * 32) & (1<<32 - 1)
	}
	return s
}

// save mirrors a segment; a number of 0 frees its place.
func (pg *page) save(s *segment) {
	pg.with(func(mem []byte) {
		word := wordSegments + s.slot*segmentWords
		head := s.number << 3
		for bit, set := range []bool{s.urgent, s.printed, s.spoilt} {
			if set {
				head |= 1 << bit
			}
		}
		for k := 0; k < len(kinds); k += 2 {
			put(mem, word+2+k/2, s.left[k]|s.left[k+1]<<32)
		}
		put(mem, word+1, uint64(s.done))
		put(mem, word, head)
	})
}
