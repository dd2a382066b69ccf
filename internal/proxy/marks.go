package proxy

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Bounds of what is remembered of an event.
const (
	minMark      = 12 // shorter strings stand in what goes out by chance
	maxMark      = 256
	maxMarks     = 256
	maxMarkBytes = 64 << 10
	// minHostMark is the shortest string that is taken for a host, which must be
	// the whole of one.
	minHostMark = 4
	// maxPaths bounds the paths that one record lists.
	maxPaths = 16
	// seenEvents is for how many events a string counts as seen, and seenSlots how
	// many strings are remembered. Only events whose invocation opened a connection
	// count: no other costs anything.
	seenEvents = 1024
	seenSlots  = 1 << 15
	seenWays   = 8
)

// mark is a string that a sender put into an event.
type mark struct {
	path, value string
	// host is the host that the string is, or that it names as a URL; "" for none.
	host string
	// fresh is set where no event before had it: a constant tells nothing.
	fresh bool
}

// marks are the marks of one invocation. They are collected when the first
// connection goes out, and dropped with it.
type marks struct {
	once sync.Once
	list []mark // at most maxMarks, of maxMarkBytes together
	full bool   // the event had more
	// heads says for the first eight bytes of a value which marks begin so, starts
	// has a bit for each of them.
	heads  map[uint64][]int32
	starts [64]uint64

	mu    sync.Mutex
	told  []string         // rule and host of each finding, at most maxTold
	asked map[string]*mark // what of the whole event names a host, at most maxTold
}

// maxTold bounds the findings of one invocation, and the hosts that are looked for
// in an event with too many strings to remember.
const maxTold = 32

// walk gives the strings of an event.
type walk func(yield func(path string, value []byte) bool)

// collect fills m from an event that each walks.
func (m *marks) collect(s *seen, each walk) {
	size := 0
	each(func(path string, value []byte) bool {
		one, ok := newMark(path, value)
		if !ok {
			return true
		}
		if size += len(path) + len(one.value); len(m.list) == maxMarks || size > maxMarkBytes {
			m.full = true
			return false
		}
		one.fresh = !s.has(one.value)
		m.list = append(m.list, one)
		return true
	})
	m.heads = make(map[uint64][]int32)
	for i := range m.list {
		v := m.list[i].value
		s.add(v)
		if m.list[i].fresh && len(v) >= minMark {
			word := binary.LittleEndian.Uint64([]byte(v[:8]))
			m.heads[word] = append(m.heads[word], int32(i))
			m.starts[bit(word)>>6] |= 1 << (bit(word) & 63)
		}
	}
	s.next()
}

// newMark makes a mark of value, unless it is too short or too long. What may be a
// host is one though it is short, and the beginning of what is long and a URL.
func newMark(path string, value []byte) (one mark, ok bool) {
	cut := value[:min(len(value), maxMark)]
	host := hostOf(cut)
	switch {
	case len(value) < minHostMark, host == "" && (len(value) < minMark || len(value) > maxMark):
		return one, false
	}
	if path == "" {
		path = "$" // the event is the string
	}
	return mark{path: path, value: string(cut), host: host}, true
}

// bit is where in starts a word stands.
func bit(word uint64) uint64 { return word * 0x9E3779B97F4A7C15 >> 52 }

// in returns the paths of the fresh marks that stand in text, each once.
func (m *marks) in(paths []string, text []byte) []string {
	if len(m.heads) == 0 {
		return paths
	}
	for i := 0; i+minMark <= len(text) && len(paths) < maxPaths; i++ {
		word := binary.LittleEndian.Uint64(text[i:])
		if m.starts[bit(word)>>6]>>(bit(word)&63)&1 == 0 {
			continue
		}
		for _, k := range m.heads[word] {
			one := &m.list[k]
			if rest := text[i:]; len(rest) >= len(one.value) && string(rest[:len(one.value)]) == one.value && !slices.Contains(paths, one.path) {
				paths = append(paths, one.path)
			}
		}
	}
	return paths
}

// names returns the fresh mark that names host: that is it, or the end of it from a
// dot on; nil for none.
func (m *marks) names(host string) *mark {
	for i := range m.list {
		if m.list[i].fresh && m.list[i].names(host) {
			return &m.list[i]
		}
	}
	return nil
}

// everNames is names for marks that are not fresh, too, and for what else the event
// holds where that is more than is remembered.
func (m *marks) everNames(host string, each walk) *mark {
	for i := range m.list {
		if m.list[i].names(host) {
			return &m.list[i]
		}
	}
	if !m.full {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.asked[host]
	if ok {
		return found
	}
	each(func(path string, value []byte) bool {
		if one, ok := newMark(path, value); ok && one.names(host) {
			found = &one
		}
		return found == nil
	})
	if m.asked == nil {
		m.asked = make(map[string]*mark)
	}
	if len(m.asked) < maxTold {
		m.asked[host] = found
	}
	return found
}

// names reports whether m is host, or the end of it.
func (m *mark) names(host string) bool {
	return m.host != "" && under(host, m.host, len(m.value) >= minMark)
}

// under reports whether host is named by name: whole, or, where below is set, as
// one that lies below it.
func under(host, name string, below bool) bool {
	rest, ok := strings.CutSuffix(host, name)
	return ok && (rest == "" || below && strings.HasSuffix(rest, ".") && strings.Contains(name, "."))
}

// tell reports whether rule has not been told of host yet, and remembers it.
func (m *marks) tell(rule, host string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := rule + " " + host
	if slices.Contains(m.told, key) || len(m.told) == maxTold {
		return false
	}
	m.told = append(m.told, key)
	return true
}

// hostOf returns the host that value is, or that the first URL in it has: in lower
// case, an address in its canonical form; "" for none.
func hostOf(value []byte) string {
	text := strings.ToLower(string(value))
	if i := strings.Index(text, "://"); i >= 0 || strings.HasPrefix(text, "//") {
		text = text[max(0, i+1)+len("//"):]
		text = text[:end(text, "/?#\\ \"'<>")]
		text = text[strings.LastIndexByte(text, '@')+1:]
	}
	text = text[:end(text, "/?#")]
	if inside, ok := strings.CutPrefix(text, "["); ok {
		text, _, _ = strings.Cut(inside, "]")
	} else if strings.Count(text, ":") == 1 {
		text, _, _ = strings.Cut(text, ":")
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.WithZone("").Unmap().String()
	}
	if text = strings.TrimSuffix(text, "."); isHostName(text) {
		return text
	}
	return ""
}

// end returns where the first of delimiters stands in text, else its length.
func end(text, delimiters string) int {
	if i := strings.IndexAny(text, delimiters); i >= 0 {
		return i
	}
	return len(text)
}

// isHostName reports whether text may be asked of a resolver and has a dot, or is
// this machine.
func isHostName(text string) bool {
	if text == "localhost" {
		return true
	}
	if text == "" || len(text) > 253 || !strings.Contains(text, ".") || text[0] == '.' || strings.Contains(text, "..") {
		return false
	}
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// seen remembers which strings the last seenEvents events had, in a table of fixed
// size that forgets the oldest of eight first. It is safe for concurrent use.
type seen struct {
	mu    sync.Mutex
	seed  maphash.Seed
	event uint32
	slots []slot // none before the first; seenSlots then: 256 KiB
}

type slot struct {
	hash, event uint32 // event 0 is an empty slot
}

// has reports whether an earlier event had value.
func (s *seen) has(value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, hash := s.set(value)
	for i := range set {
		if set[i].event != 0 && set[i].hash == hash && s.event-set[i].event < seenEvents {
			return true
		}
	}
	return false
}

// add notes that the present event has value.
func (s *seen) add(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, hash := s.set(value)
	oldest := &set[0]
	for i := range set {
		if set[i].hash == hash && set[i].event != 0 {
			oldest = &set[i]
			break
		}
		if set[i].event < oldest.event {
			oldest = &set[i]
		}
	}
	*oldest = slot{hash, s.event + 1}
}

// next says that what is added from now on is another event's.
func (s *seen) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event++
}

// set returns where value may stand.
func (s *seen) set(value string) ([]slot, uint32) {
	if s.slots == nil {
		s.seed, s.slots = maphash.MakeSeed(), make([]slot, seenSlots)
	}
	h := maphash.String(s.seed, value)
	at := int(h>>32) % (seenSlots / seenWays) * seenWays
	return s.slots[at : at+seenWays], uint32(h)
}
