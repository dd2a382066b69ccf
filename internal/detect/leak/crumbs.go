package leak

import (
	"math"
	"slices"
	"sync"
)

// Crumbs remembers which pieces of generated secrets, too short to be told for one, have
// gone to which site, wherever they stood: behind a number, in a name that changes, in
// any order, in a body of any length. One such piece is chance. Several are not: each
// says as much as its characters do, less what it takes to find one like it among all the
// places that were looked at since the last. It holds hashes and bits, no values. The zero
// Crumbs is empty. It is safe for concurrent use.
type Crumbs struct {
	mu    sync.Mutex
	sites map[string]*crumbs // at most maxSites
	clock uint64
}

const (
	// crumbsSure is how much all pieces together must say, in bits: chance leads to one
	// false alarm in 500 million. crumbsAgain will do where some of the secret was stopped
	// on its way to the same site before.
	crumbsSure, crumbsAgain = 29, 18
	// crumbNear is how near a piece is to the one before at least, in bytes.
	crumbNear = 64
	// minCrumb is how much a piece must cover, in bytes of the secret.
	minCrumb = 3
	// maxCrumbs is how many pieces of one secret a site has at most.
	maxCrumbs = 32
)

// crumbs are those that went to one site.
type crumbs struct {
	seen    int // bytes looked through
	pieces  map[uint64][]crumb
	stopped map[uint64]bool // of which some was on its way
	used    uint64
}

// crumb is one piece.
type crumb struct {
	cover  []uint64
	bits   float64 // what it says
	chance float64 // in how many places of the secret's forms, as a logarithm
	word   bool    // it may be some of a word
	at     int     // in all that the site was sent
}

// Pass notes that n bytes go to host.
func (c *Crumbs) Pass(host string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sites) == 0 {
		return
	}
	if s := c.sites[siteOf(host)]; s != nil {
		s.seen += n
	}
}

// add notes one, a piece of t on its way to host; its place is counted from the end of
// what has passed. It reports whether it is too much with those before. Then it is not
// noted: it does not leave.
func (c *Crumbs) add(host string, t *target, one crumb) bool {
	if count(one.cover) < minCrumb || t.whole {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.site(siteOf(host))
	one.at += s.seen
	before := s.pieces[t.key]
	for i := range before {
		if contains(before[i].cover, one.cover) {
			if contains(one.cover, before[i].cover) {
				before[i].at = one.at
			}
			return false
		}
	}
	enough := float64(crumbsSure)
	if s.stopped[t.key] {
		enough = crumbsAgain
	}
	if one.tooMuch(before, t, enough) {
		s.stopped[t.key] = true
		return true
	}
	before = slices.DeleteFunc(before, func(b crumb) bool { return contains(one.cover, b.cover) })
	if len(before) == maxCrumbs {
		before = slices.Delete(before, 0, 1)
	}
	s.pieces[t.key] = append(before, one)
	return false
}

// tooMuch reports whether one and those before it, the last first, cover as much of t as
// may not leave, and say enough to be no chance.
func (one *crumb) tooMuch(before []crumb, t *target, enough float64) bool {
	union, words := slices.Clone(one.cover), one.word
	score, pieces := one.bits-one.chance-math.Log2(crumbNear), 1
	for i := len(before) - 1; i >= 0; i-- {
		b := &before[i]
		chance := b.chance
		if touch(union, b.cover, t.length) {
			chance = 1 // in front or behind
		}
		had := count(union)
		for k, w := range b.cover {
			union[k] |= w
		}
		fresh := float64(count(union)-had) / float64(count(b.cover))
		if says := b.bits*fresh - chance - math.Log2(float64(max(crumbNear, one.at-b.at))); says > 0 {
			score += says
			pieces++
			words = words && b.word
		}
		if pieces > 1 && !words && count(union) >= t.alarm && score >= enough+several(score, pieces) {
			return true
		}
	}
	return false
}

// several is how much more that many pieces must say that say score: as in Fisher's
// method of combining tests, more of them have more ways to say it by chance.
func several(score float64, pieces int) float64 {
	sum, term := 1.0, 1.0
	for k := 1; k < pieces; k++ {
		term *= score * math.Ln2 / float64(k)
		sum += term
	}
	return math.Log2(sum)
}

// touch reports whether what a and b have of n bytes is next to each other.
func touch(a, b []uint64, n int) bool {
	has := func(of []uint64, i int) bool { return of[i>>6]>>(i&63)&1 != 0 }
	for i := 1; i < n; i++ {
		if has(a, i-1) && has(b, i) || has(b, i-1) && has(a, i) {
			return true
		}
	}
	return false
}

// contains reports whether all of b is in a.
func contains(a, b []uint64) bool {
	for i := range b {
		if b[i]&^a[i] != 0 {
			return false
		}
	}
	return true
}

// site returns that of name. The one that got the least recent piece is forgotten where
// there is no room.
func (c *Crumbs) site(name string) *crumbs {
	s := c.sites[name]
	if s == nil {
		if c.sites == nil {
			c.sites = map[string]*crumbs{}
		}
		if len(c.sites) == maxSites {
			c.forget()
		}
		s = &crumbs{pieces: map[uint64][]crumb{}, stopped: map[uint64]bool{}}
		c.sites[name] = s
	}
	c.clock++
	s.used = c.clock
	return s
}

func (c *Crumbs) forget() {
	var oldest string
	for name, s := range c.sites {
		if o := c.sites[oldest]; o == nil || s.used < o.used {
			oldest = name
		}
	}
	delete(c.sites, oldest)
}
