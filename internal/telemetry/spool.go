package telemetry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
)

// Limits of a Spool, in bytes.
const (
	defaultSpool = 16 << 20
	// segmentBytes is when a segment is full. It may be exceeded by one frame.
	segmentBytes = 512 << 10
	// plainBytes is when it is full, before compression: it is read whole.
	plainBytes = 1 << 20
	// frameBytes is when a frame is full. It may be exceeded by one item.
	frameBytes = 256 << 10
)

// Spool keeps records on disk that no sink has taken: encrypted, in segments of a
// folder, and counted in a file beside it that says after a kill -9 what there was.
// The function runs as the same user and may do anything to either: what it changes
// is noticed, and counted. Its fields are set before use; it is used by one
// Pipeline.
type Spool struct {
	// Dir is a folder of ours, 0700, for segments and nothing else.
	Dir string
	// Counters is the path of the counters' file.
	Counters string
	// Sandbox is the sandbox's id: what another one has written is not read.
	Sandbox string
	// Secret is what the key is derived from, beside Sandbox: the HEC token. It is
	// asked when the first record is kept or read, and again after an error.
	Secret func() (string, error)
	// MaxBytes bounds the segments; 0: 16 MiB.
	MaxBytes int64
	// Free says how much of the disk that Dir is on is free, and its size, in bytes;
	// nil: the system is asked. A tenth is always left free.
	Free func() (free, size uint64, err error)

	lose func(*perKind) // set by the pipeline
	find func(*perKind) // what was taken for lost

	mu       sync.Mutex
	page     page
	seal     *sealer // nil before the first use
	deflater deflater
	inflater inflater
	segments []*segment // oldest first
	number   uint64     // of the next segment
	bytes    int64      // of all segments
	tampered uint64
}

// segment is one file of the spool.
type segment struct {
	slot    int // place in the counters' file
	number  uint64
	urgent  bool // findings and health records
	printed bool // its findings are in the function's log
	spoilt  bool // it was counted as tampered with
	done    int  // items from its front that are done with
	left    perKind
	size    int64
	plain   int // bytes that were written to it, before they were compressed
	frames  int
	file    *os.File // while it is written to
}

// open takes the folder over from an earlier start and returns what that counted.
func (s *Spool) open() (tally, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.page.open(s.Counters); err != nil {
		return tally{}, err
	}
	saved, ok := s.page.read(s.Sandbox)
	if !ok {
		s.page.begin(s.Sandbox)
		saved.next = 1
	}
	s.number, s.tampered = saved.next, saved.tampered
	slices.SortFunc(saved.segments, func(a, b segment) int { return int(a.number) - int(b.number) })
	for i := range saved.segments {
		s.segments = append(s.segments, &saved.segments[i])
	}
	for _, seg := range slices.Clone(s.segments) {
		if seg.left == (perKind{}) { // it was about to be made, or to go
			s.remove(seg)
		}
	}
	s.sweep()
	return saved.tally, nil
}

// sweep compares the folder with what the counters say: what is not in them goes,
// and what is not there any more is counted when its turn comes.
func (s *Spool) sweep() {
	for _, seg := range s.segments {
		if info, err := os.Lstat(s.path(seg)); err == nil && info.Mode().IsRegular() {
			seg.size = min(info.Size(), maxSegmentBytes)
			s.bytes += seg.size
		}
	}
	dir, err := os.Open(s.Dir)
	if err != nil {
		return
	}
	defer func() { _ = dir.Close() }() // only read
	names, _ := dir.Readdirnames(10_000)
	for _, name := range names {
		if !slices.ContainsFunc(s.segments, func(seg *segment) bool { return s.path(seg) == filepath.Join(s.Dir, name) }) {
			_ = os.RemoveAll(filepath.Join(s.Dir, name)) // of no use, if it stays
			s.spoilt()
		}
	}
}

// spoilt counts a segment that somebody has changed.
func (s *Spool) spoilt() {
	s.tampered++
	s.page.with(func(mem []byte) { put(mem, wordTampered, s.tampered) })
}

func (s *Spool) path(seg *segment) string {
	return filepath.Join(s.Dir, strconv.FormatUint(seg.number, 10))
}

// close forgets everything and leaves the files to the next start.
func (s *Spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		seg.finish()
	}
	s.segments = nil
	s.page.close()
}

// finish ends writing to seg.
func (seg *segment) finish() {
	if seg.file != nil {
		_ = seg.file.Close() // every write has been checked
		seg.file = nil
	}
}

// kept counts what is on disk.
func (s *Spool) kept() (c perKind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		c.plus(&seg.left)
	}
	return c
}

// errNoRoom is the reason of an append that would exceed a limit.
var errNoRoom = errors.New("telemetry: the spool is full")

// append keeps items, all or none.
func (s *Spool) append(items []Item, urgent bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.unlock(); err != nil {
		return err
	}
	if !urgent && !s.fits(frameOverhead) {
		return errNoRoom // before any work
	}
	plain := appendItems(nil, items)
	text := s.deflater.deflate(plain)
	if !s.makeRoom(int64(len(text)+frameOverhead), urgent) {
		return errNoRoom
	}
	seg, err := s.writable(urgent)
	if err != nil {
		return err
	}
	frame := s.seal.frame(seg, text)
	before := seg.left
	added := count(items)
	seg.left.plus(&added)
	s.page.save(seg) // what is intended first: a kill leaves too little on disk, never too much
	if _, err := seg.file.WriteAt(frame, seg.size); err != nil {
		seg.left = before
		s.page.save(seg)
		_ = seg.file.Truncate(seg.size) // else it ends in what is taken for torn off
		seg.finish()
		s.discardEmpty(seg)
		return fmt.Errorf("writing to the spool: %w", err)
	}
	seg.frames++
	seg.size += int64(len(frame))
	seg.plain += len(plain)
	s.bytes += int64(len(frame))
	return nil
}

// unlock derives the key, once.
func (s *Spool) unlock() error {
	if s.seal != nil {
		return nil
	}
	if s.Secret == nil {
		return errors.New("telemetry: the spool has no key")
	}
	secret, err := s.Secret()
	if err == nil && secret == "" {
		err = errors.New("it is empty")
	}
	if err == nil {
		s.seal, err = newSealer(secret, s.Sandbox)
	}
	if err != nil {
		return fmt.Errorf("deriving the spool's key: %w", err)
	}
	return nil
}

// makeRoom reports whether n more bytes may be written. For findings the oldest of
// the rest go, where that is enough.
func (s *Spool) makeRoom(n int64, urgent bool) bool {
	var gain int64
	if urgent {
		for _, seg := range s.segments {
			if !seg.urgent {
				gain += seg.size
			}
		}
	}
	if !s.fits(n - gain) {
		return false
	}
	for !s.fits(n) {
		if !s.dropOldest() {
			return false
		}
	}
	return true
}

// dropOldest drops the oldest segment that holds no findings, if there is one.
func (s *Spool) dropOldest() bool {
	i := slices.IndexFunc(s.segments, func(seg *segment) bool { return !seg.urgent })
	if i < 0 {
		return false
	}
	s.drop(s.segments[i])
	return true
}

// fits reports whether n more bytes are within the limits; below zero they are less.
func (s *Spool) fits(n int64) bool {
	limit := s.MaxBytes
	if limit == 0 {
		limit = defaultSpool
	}
	if s.bytes+n > limit {
		return false
	}
	free, size, err := s.free()
	return err == nil && int64(free) >= n+int64(size/10)
}

func (s *Spool) free() (free, size uint64, err error) {
	if s.Free != nil {
		return s.Free()
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.Dir, &st); err != nil {
		return 0, 0, err
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}

// writable returns the segment that is being filled, or begins one.
func (s *Spool) writable(urgent bool) (*segment, error) {
	for _, seg := range s.segments {
		if seg.file == nil || seg.urgent != urgent {
			continue
		}
		if seg.size < segmentBytes && seg.plain < plainBytes && !seg.printed {
			return seg, nil
		}
		seg.finish()
	}
	if len(s.segments) == maxSegments && (!urgent || !s.dropOldest()) {
		return nil, errNoRoom
	}
	seg := &segment{slot: s.freeSlot(), number: s.number, urgent: urgent}
	s.number++
	s.page.with(func(mem []byte) { put(mem, wordNext, s.number) })
	s.page.save(seg)              // or a kill would leave a file that nobody knows
	_ = os.RemoveAll(s.path(seg)) // O_EXCL says if it is still there
	var err error
	seg.file, err = os.OpenFile(s.path(seg), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		s.page.save(&segment{slot: seg.slot})
		return nil, fmt.Errorf("opening a segment: %w", err)
	}
	s.segments = append(s.segments, seg)
	return seg, nil
}

func (s *Spool) freeSlot() int {
	for slot := range maxSegments {
		if !slices.ContainsFunc(s.segments, func(seg *segment) bool { return seg.slot == slot }) {
			return slot
		}
	}
	return -1 // the caller has counted
}

// drop loses what is left of seg.
func (s *Spool) drop(seg *segment) {
	left := seg.left
	s.remove(seg)
	s.lose(&left)
}

func (s *Spool) discardEmpty(seg *segment) {
	if seg.size == 0 {
		s.remove(seg)
	}
}

func (s *Spool) remove(seg *segment) {
	seg.finish()
	seg.left = perKind{}
	s.page.save(seg) // a file with nothing in it that counts, whenever a kill comes
	if err := os.Remove(s.path(seg)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = os.RemoveAll(s.path(seg)) // a folder, where somebody put one
	}
	s.bytes -= seg.size
	s.segments = slices.DeleteFunc(s.segments, func(o *segment) bool { return o == seg })
	s.page.save(&segment{slot: seg.slot})
}

// oldest returns what is left of the oldest segment of one kind that ok takes; nil:
// there is none. What is missing in it is counted as lost.
func (s *Spool) oldest(urgent bool, ok func(*segment) bool) (*segment, []Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 || s.unlock() != nil {
		return nil, nil
	}
	for _, seg := range slices.Clone(s.segments) {
		if seg.urgent != urgent || ok != nil && !ok(seg) {
			continue
		}
		if items := s.load(seg); len(items) > 0 {
			return seg, items
		}
		s.remove(seg)
	}
	return nil, nil
}

// load reads what is left of seg, and puts right what is counted of it.
func (s *Spool) load(seg *segment) []Item {
	items, whole := s.read(seg)
	if !whole && !seg.spoilt {
		seg.spoilt = true
		s.spoilt()
	}
	items = items[min(seg.done, len(items)):]
	there := count(items)
	missing, more := seg.left, there
	missing.minus(&there)
	more.minus(&seg.left)
	seg.left = there
	if missing != more { // one of them is not zero
		s.find(&more)
		s.page.save(seg)
		s.lose(&missing)
	}
	return items
}

// done notes that the first n of items, what oldest returned, are done with.
func (s *Spool) done(seg *segment, items []Item, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := count(items[:n])
	if !slices.Contains(s.segments, seg) { // it had to make room meanwhile, and is counted as lost
		s.find(&gone)
		return
	}
	seg.done += n
	seg.left.minus(&gone)
	if seg.left == (perKind{}) {
		s.remove(seg)
		return
	}
	s.page.save(seg)
}

// print notes that seg's findings are in the function's log.
func (s *Spool) print(seg *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.printed = true
	if slices.Contains(s.segments, seg) {
		s.page.save(seg)
	}
}
