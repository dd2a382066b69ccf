package attack

import (
	"bytes"
	"encoding/base64"

	"gatehouse/internal/detect"
)

// Places in lookupRules.
const (
	lookupJNDI = iota
	lookupScript
	lookupNested
	lookupSecret
	lookupPlain
)

// Lookups are what Log4j and Commons Text put in place of ${kind:argument}:
// https://logging.apache.org/log4j/2.x/manual/lookups.html
var lookupRules = []rule{
	lookupJNDI:   {id: "log4shell.jndi", signature: "Log4Shell: JNDI lookup", category: "log4shell", severity: detect.Critical, score: sure},
	lookupScript: {id: "log4shell.script", signature: "Text4Shell: script, URL or DNS lookup", category: "log4shell", severity: detect.Critical, score: sure},
	lookupNested: {id: "log4shell.nested", signature: "Log4Shell: disguised lookup", category: "log4shell", severity: detect.High, score: sure},
	lookupSecret: {id: "log4shell.secret", signature: "Lookup of a secret", category: "log4shell", severity: detect.High, score: refuseAt + 2},
	lookupPlain:  {id: "log4shell.lookup", signature: "Lookup of what the host knows", category: "log4shell", severity: detect.Medium, score: suspect},
}

var lookupFamily = family{tokens: []string{"${"}, rules: lookupRules, match: matchLookup}

const (
	// maxLookup is how much of what a lookup stands for is kept, in bytes.
	maxLookup = 256
	// maxLookups is how many lookups, one in the other, are resolved.
	maxLookups = 32
)

// resolver resolves lookups as Log4j does, from the inside out.
type resolver struct {
	out   [maxLookup]byte // what the open lookups stand for so far
	n     int
	start [maxLookups]int // where in out each open one begins
	depth int             // how many are open, those beyond maxLookups counted
	best  int             // place in lookupRules of the worst found so far, -1 for none
}

// matchLookup finds lookups that load code or tell what the host knows.
func matchLookup(in *inspection, p *probe) (r *rule, at int) {
	text := p.span()
	if !in.spend(len(text)) {
		return nil, 0
	}
	rs := resolver{best: -1}
	for i := 0; i < len(text); {
		if rs.depth == 0 {
			n := bytes.Index(text[i:], []byte("${"))
			if n < 0 {
				break
			}
			i += n
			if rs.best < 0 {
				at = i
			}
			rs.n = 0
		}
		i += rs.step(text[i:])
		if rs.best == lookupJNDI {
			break
		}
	}
	if rs.best < 0 {
		return nil, 0
	}
	return &lookupRules[rs.best], p.from + at
}

// step takes the next characters of b and returns how many.
func (rs *resolver) step(b []byte) int {
	switch c := b[0]; {
	case c == '$' && len(b) > 1 && b[1] == '{':
		rs.open()
		return 2
	case c == '$':
	case c == '}':
		rs.close()
	case c < 0x80:
		rs.add(lower(c))
	default:
		return rs.fold(b)
	}
	return 1
}

// fold takes a letter beyond ASCII. Those whose other case is a letter of ASCII
// stand for it: ı ſ K.
func (rs *resolver) fold(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("ı")):
		rs.add('i')
		return 2
	case bytes.HasPrefix(b, []byte("ſ")):
		rs.add('s')
		return 2
	case bytes.HasPrefix(b, []byte("\u212a")):
		rs.add('k')
		return 3
	}
	rs.add(b[0])
	return 1
}

func (rs *resolver) add(c byte) {
	if rs.n == len(rs.out) {
		return
	}
	rs.out[rs.n] = c
	rs.n++
	if c == ':' {
		rs.look()
	}
}

func (rs *resolver) open() {
	if rs.depth < maxLookups {
		rs.start[rs.depth] = rs.n
	}
	rs.depth++
}

// inner is the innermost open lookup, as far as it is resolved.
func (rs *resolver) inner() []byte {
	if rs.depth == 0 {
		return nil
	}
	return rs.out[rs.start[min(rs.depth, maxLookups)-1]:rs.n]
}

// look says what the innermost open lookup is, as soon as its kind is complete.
func (rs *resolver) look() {
	if bytes.HasPrefix(rs.inner(), []byte("jndi:")) {
		rs.note(lookupJNDI)
	}
}

func (rs *resolver) note(rule int) {
	if rs.best < 0 || rule < rs.best {
		rs.best = rule
	}
}

// close puts what the innermost lookup stands for in its place.
func (rs *resolver) close() {
	if rs.depth == 0 {
		return
	}
	body := rs.inner()
	rs.depth--
	if rs.depth >= maxLookups {
		return
	}
	if rule := lookupRule(body, rs.depth > 0); rule >= 0 {
		rs.note(rule)
	}
	at := rs.start[rs.depth]
	rs.n = at + copy(rs.out[at:], lookupValue(body))
	rs.look()
}

// lookupValue is what a lookup stands for where that is known without the host;
// it is a part of body, or lies over it.
func lookupValue(body []byte) []byte {
	kind, argument, ok := bytes.Cut(body, []byte(":"))
	if !ok {
		return nil
	}
	if i := bytes.Index(body, []byte(":-")); i >= 0 {
		return body[i+2:]
	}
	switch string(kind) {
	case "lower", "upper":
		return argument
	case "date":
		return bytes.Trim(argument, "'")
	}
	return nil
}

// lookupRule says what is wrong with a lookup that is complete.
func lookupRule(body []byte, inside bool) int {
	kind, argument, ok := bytes.Cut(body, []byte(":"))
	if !ok {
		if string(kind) == "hostname" {
			return lookupPlain
		}
		return -1
	}
	switch string(kind) {
	case "lower", "upper":
		if len(argument) > 0 && (len(argument) <= 2 || inside) {
			return lookupNested
		}
	case "":
		if (bytes.HasPrefix(argument, []byte("-")) || bytes.Contains(argument, []byte(":-"))) && len(argument) > 1 {
			return lookupNested
		}
	case "script":
		return lookupScript
	case "url", "dns":
		if i := bytes.IndexAny(argument, ":|"); i > 0 && i < 16 {
			return lookupScript
		}
	case "base64", "base64decoder":
		if isHiddenLookup(argument) {
			return lookupJNDI
		}
	case "env":
		if i := bytes.Index(argument, []byte(":-")); i >= 0 && len(argument)-i <= 4 {
			return lookupNested
		} else if isSecretName(argument) {
			return lookupSecret
		}
		return lookupPlain
	case "sys", "java", "ctx", "docker", "k8s", "web", "spring", "sd", "bundle", "main", "jvmrunargs", "map", "event", "marker":
		if i := bytes.Index(argument, []byte(":-")); i >= 0 && len(argument)-i <= 4 {
			return lookupNested
		}
		if len(argument) > 0 {
			return lookupPlain
		}
	}
	return -1
}

// isHiddenLookup reports whether b is base64 of a JNDI lookup. The resolver folds
// case, so what base64 says of case is gone: the few ways in which "${jndi:" and
// "jndi:" are written are compared without it.
func isHiddenLookup(b []byte) bool {
	for _, text := range [...]string{"${jndi:", "jndi:"} {
		var buf [12]byte
		base64.StdEncoding.Encode(buf[:], []byte(text)[:len(text)/3*3])
		if n := len(text) / 3 * 4; len(b) >= n && bytes.EqualFold(b[:n], buf[:n]) {
			return true
		}
	}
	return false
}

// isSecretName reports whether the variable called name, in lower case, is likely
// to hold a secret.
func isSecretName(name []byte) bool {
	for _, part := range [...]string{"secret", "password", "passwd", "token", "api_key", "apikey", "private", "credential", "aws_access_key"} {
		if bytes.Contains(name, []byte(part)) {
			return true
		}
	}
	return false
}
