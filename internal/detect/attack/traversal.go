package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in lfiRules.
const (
	lfiTraversal = iota
	lfiFile
	lfiPath
)

var lfiRules = []rule{
	lfiTraversal: {id: "lfi.traversal", signature: "Path traversal", category: "lfi", severity: detect.High, score: sure},
	lfiFile:      {id: "lfi.file", signature: "Access to a system file", category: "lfi", severity: detect.High, score: refuseAt},
	lfiPath:      {id: "lfi.path", signature: "Path of the system", category: "lfi", severity: detect.Low, score: suspect, weak: true},
}

// lfiFamily judges paths: how far they climb, and where they end.
var lfiFamily = family{
	tokens: []string{
		"..", "%2%", "%5%", "%c0", "%c1", "%uf", "%ue", "%bg", "0x2", "0x5", "?./", "?.\\", "??/", "??\\",
		"/etc", "/proc", "/var/", "/usr/", "/root", "/opt/", "/.", "/boot", "/home", "/sys", "/dev/", "/tmp/.",
		"passwd", "issue", "boot.ini", "win.ini", "system32", "web-inf", "winnt", "\\windows", ":/windows", "wwwroot", "\\.", "_log", ".log", "/log",
		"php.ini", "httpd.conf", "\\xampp", "\\apache",
	},
	rules: lfiRules,
	match: matchLFI,
}

// matchLFI reads all paths of a value, one after the other.
func matchLFI(in *inspection, p *probe) (r *rule, at int) {
	value := p.span()
	if !in.spend(len(value)) {
		return nil, 0
	}
	w := pathWalk{value: value, alone: len(value) == len(p.value) && isWord(value)}
	for w.pos < len(value) {
		w.path()
		v := w.verdict()
		if v == nil || v.weak && !in.weak || v != &lfiRules[lfiFile] && w.target == targetNone && in.refers() {
			continue
		}
		if r == nil || v.score > r.score {
			r, at = v, p.from+w.start
		}
		if !r.weak {
			return r, at
		}
	}
	return r, at
}

// refers reports whether the value at hand stands under a name that holds a path
// relative to the document which it stands in.
func (in *inspection) refers() bool {
	switch string(in.fieldName()) {
	case "extends", "$schema", "$ref", "sources", "import", "require", "include", "files":
		return true
	}
	return false
}

// maxTail is how much of a path behind its last step up is kept, in bytes.
const maxTail = 64

// pathWalk reads the paths of a value. What the fields say is of the latest one.
type pathWalk struct {
	value []byte
	alone bool // value is one word: no text that speaks of paths
	pos   int

	start, end int
	absolute   bool // it begins with a separator or a drive
	drive      bool
	names      int // before the first step up
	ups        int // steps up: ..
	alike      int // what may be steps up: .... or .?
	run        int // the longest row of either, and of . alone
	row        int
	hidden     int // units written as nobody writes them
	bareHex    bool
	cut        bool // by NUL
	gap        bool // in what a separator has become

	// The element being read.
	dots, odd, wild, name int

	tail    [maxTail]byte // behind the last step up: /name/name, in lower case
	tailLen int
	target  target
	passed  target // before it
}

// path reads the next path, and what stands in front of it.
func (w *pathWalk) path() {
	*w = pathWalk{value: w.value, alone: w.alone, pos: w.pos, start: w.pos}
	for w.pos < len(w.value) {
		u, n, hidden := w.unit()
		if u == pathEnd && w.ended(n) {
			w.end = w.pos
			w.pos += n
			break
		}
		w.take(u, w.pos, n, hidden)
		w.pos += n
		w.end = w.pos
	}
	w.element(false)
}

// unit reads the unit at hand, with what only the path so far explains: 2f for a
// separator whose percent sign is lost, ? that begins a query.
func (w *pathWalk) unit() (u pathUnit, n int, hidden bool) {
	b := w.value[w.pos:]
	u, n, hidden = pathUnitAt(b)
	switch {
	case u == pathName && (b[0] == '2' || b[0] == '5') && len(b) > 1 && (w.bareHex || w.dots == 2 && w.name == 0):
		if s := string(b[:2]); s == "2f" || s == "2F" || s == "5c" || s == "5C" {
			w.bareHex = true
			return pathSlash, 2, false
		}
	case u == pathWild && w.name > 0:
		return pathEnd, 1, false
	}
	return u, n, hidden
}

// ended reports whether the unit at hand, n bytes long, ends the path: the ; of
// ..;/ and the : behind a drive do not.
func (w *pathWalk) ended(n int) bool {
	switch c := w.value[w.pos]; {
	case c == ';' && w.dots > 0 && w.name == 0:
		return false
	case c == ':' && w.pos-w.start == 1 && w.name == 1:
		w.drive = true
		return false
	}
	return n > 0
}

// take adds a unit to the element at hand.
func (w *pathWalk) take(u pathUnit, at, n int, hidden bool) {
	if hidden {
		w.hidden++
	}
	w.gap = w.gap && u == pathOdd
	switch u {
	case pathEnd: // not the end
		if w.drive && w.name > 0 {
			w.name, w.tailLen, w.absolute = 0, 0, true
		}
	case pathSkip:
		w.cut = w.cut || w.value[at] == 0 && w.name > 0
	case pathDot:
		w.dot()
	case pathWild:
		w.wild++
	case pathSlash:
		w.element(true)
		if at == w.start {
			w.absolute = true
		}
	case pathOdd:
		w.stray()
	default:
		w.letters(w.value[at : at+n])
	}
}

// stray adds what is no character. Behind a name or a step up it is a separator,
// with all that follow.
func (w *pathWalk) stray() {
	switch {
	case w.gap:
	case w.name > 0 || w.dots >= 2:
		w.element(true)
		w.gap = true
	default:
		w.odd++
	}
}

// dot adds a dot: of a name, or of a step.
func (w *pathWalk) dot() {
	if w.name > 0 {
		w.name++
		w.keep('.')
		return
	}
	w.dots++
}

// letters adds a character of a name. What stood before it without a separator was
// one, if it is no way to begin a name.
func (w *pathWalk) letters(c []byte) {
	if w.name == 0 {
		switch {
		case w.odd > 0 || w.dots >= 4:
			w.element(true)
		default:
			w.keep('/')
			for range w.dots {
				w.keep('.')
			}
		}
		if w.tailLen == 0 {
			w.keep('/')
		}
	}
	w.name++
	for _, b := range c {
		if b >= 'A' && b <= 'Z' {
			b |= 0x20
		}
		w.keep(b)
	}
}

func (w *pathWalk) keep(b byte) {
	if w.tailLen < maxTail && !w.cut {
		w.tail[w.tailLen] = b
		w.tailLen++
	}
}

// element ends the element at hand, at a separator or at the end of the path.
func (w *pathWalk) element(separated bool) {
	dots, odd, wild, name := w.dots, w.odd, w.wild, w.name
	w.dots, w.odd, w.wild, w.name = 0, 0, 0, 0
	switch {
	case name > 0:
		if w.ups+w.alike == 0 {
			w.names++
		}
		w.row = 0
		return
	case dots+odd+wild == 0:
		return // //
	case !separated && w.pos > w.start+dots && dots >= 2:
		w.alike++ // /.. at the end
		w.tailLen = 0
		return
	case !separated:
		return
	case dots == 2 && wild+odd == 0:
		w.ups++
	case dots+wild+odd >= 2:
		w.alike++
	}
	w.row++
	w.run = max(w.run, w.row)
	if dots+wild+odd >= 2 {
		w.leave()
	}
}

// leave forgets what is behind the last step up, but not that it was worth having:
// /etc/passwd/../shadow.
func (w *pathWalk) leave() {
	if t := targetOf(w.tail[:w.tailLen]); t == targetFile {
		w.passed = t
	}
	w.tailLen = 0
}

// Bounds of verdict.
const (
	manyUps  = 3
	proseUps = 6 // in text, which may speak of files beside it
	manyDots = 8 // ././././
)

// verdict judges the path. Steps up count for more where they are hidden, and where
// they lead to a file worth having.
func (w *pathWalk) verdict() *rule {
	climbs, alone := w.ups+w.alike, w.stands()
	if climbs > 0 || alone && (w.absolute || w.start == 0) {
		w.target = max(w.passed, targetOf(w.tail[:w.tailLen]))
	}
	switch {
	case climbs > 0 && w.target >= targetConfig,
		climbs > 1 && (w.target >= targetSystem || w.hidden > 1 && w.ups > 0),
		w.ups >= manyUps && w.ups > w.names && (alone || w.absolute || w.ups >= proseUps),
		w.run >= manyDots,
		w.run >= manyUps && climbs > w.names && alone:
		return &lfiRules[lfiTraversal]
	case w.absolute && alone && (w.target == targetFile || w.target != targetNone && w.cut):
		return &lfiRules[lfiFile]
	case alone && (climbs > 0 || w.target != targetNone):
		return &lfiRules[lfiPath]
	}
	return nil
}

// stands reports whether the path is what the value says: all of it, or the value of
// a field in it.
func (w *pathWalk) stands() bool {
	return w.alone && (w.start == 0 || bytes.IndexByte([]byte("=&?:"), w.value[w.start-1]) >= 0)
}

// maxPath is how long a path can be, in bytes.
const maxPath = 4096

// isWord reports whether value is short enough for a path, and without a blank.
func isWord(value []byte) bool {
	return len(value) <= 2*maxPath && bytes.IndexByte(bytes.TrimSpace(value), ' ') < 0
}
