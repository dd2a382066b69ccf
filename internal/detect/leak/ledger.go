package leak

import (
	"math/bits"
	"strings"
	"sync"
)

const (
	// maxSites is of how many sites a Ledger remembers what they got, and maxCovers
	// in how many pieces: the rest is remembered together.
	maxSites  = 256
	maxCovers = 4096
)

// Ledger remembers which bytes of which secret have gone where, so that parts that
// leave in several requests, or in several invocations, are added up. It holds
// hashes and bits, no values. The zero Ledger is empty. It is safe for concurrent use.
//
// Of the 256 sites that were sent a part last, each is on its own: the hosts below
// one domain are one site. What those before them got is added up together, and to
// every other site that is new.
type Ledger struct {
	mu        sync.Mutex
	sites     map[string]*site
	elsewhere map[uint64][]uint64
	covers    int
	clock     uint64
}

// site is what went to one.
type site struct {
	covers map[uint64][]uint64 // target.key → one bit for each byte
	used   uint64
}

// Sites returns how many sites l remembers on their own.
func (l *Ledger) Sites() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sites)
}

// Covers returns for how many secrets at how many sites l remembers what went there.
func (l *Ledger) Covers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.covers
}

// with adds to cover what went to host before.
func (l *Ledger) with(host string, key uint64, cover []uint64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.join(siteOf(host), key, cover)
}

func (l *Ledger) join(name string, key uint64, cover []uint64) {
	before := l.elsewhere[key]
	if s := l.sites[name]; s != nil {
		before = s.covers[key]
	}
	for i := range min(len(before), len(cover)) {
		cover[i] |= before[i]
	}
}

// add notes that cover goes to host unless that were alarm bytes or more then. It
// returns how many.
func (l *Ledger) add(host string, key uint64, cover []uint64, alarm int) int {
	if l == nil {
		return count(cover)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	name := siteOf(host)
	l.join(name, key, cover)
	if n := count(cover); n >= alarm {
		return n
	}
	if l.sites == nil {
		l.sites, l.elsewhere = map[string]*site{}, map[uint64][]uint64{}
	}
	s := l.sites[name]
	if s == nil {
		l.makeRoom()
		s = &site{covers: map[uint64][]uint64{}}
		for k, c := range l.elsewhere {
			s.covers[k] = append([]uint64(nil), c...)
			l.covers++
		}
		l.sites[name] = s
	}
	l.clock++
	s.used = l.clock
	if s.covers[key] == nil {
		l.covers++
	}
	s.covers[key] = append(s.covers[key][:0], cover...)
	if l.covers > maxCovers {
		l.makeRoom()
	}
	return count(cover)
}

// makeRoom forgets which site it was that got the least recent parts.
func (l *Ledger) makeRoom() {
	for len(l.sites) >= maxSites || l.covers > maxCovers && len(l.sites) > 0 {
		var oldest string
		for name, s := range l.sites {
			if o := l.sites[oldest]; o == nil || s.used < o.used {
				oldest = name
			}
		}
		for key, c := range l.sites[oldest].covers {
			l.covers--
			to := l.elsewhere[key]
			if len(to) < len(c) {
				to = append(to, make([]uint64, len(c)-len(to))...)
			}
			for i := range c {
				to[i] |= c[i]
			}
			l.elsewhere[key] = to
		}
		delete(l.sites, oldest)
	}
}

func count(cover []uint64) (n int) {
	for _, w := range cover {
		n += bits.OnesCount64(w)
	}
	return n
}

// siteOf is the domain below which whoever owns it makes up names: the last two
// labels, three below the likes of co.uk. An address is its own.
func siteOf(host string) string {
	if strings.IndexByte(host, ':') >= 0 || strings.Trim(host, "0123456789.") == "" {
		return host
	}
	last := strings.LastIndexByte(host, '.')
	before := strings.LastIndexByte(host[:max(0, last)], '.')
	if before >= 0 && len(host)-last == 3 {
		switch host[before+1 : last] {
		case "co", "com", "org", "net", "ac", "gov", "edu", "or", "ne", "go", "gob", "gouv":
			before = strings.LastIndexByte(host[:before], '.')
		}
	}
	return host[before+1:]
}
