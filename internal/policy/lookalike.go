package policy

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/idna"
)

// Looks tells hosts that look like one of a policy's, or like a package of the
// function's. It is immutable and safe for concurrent use.
type Looks struct {
	policy *Policy
	known  []look         // in order of name
	alike  map[string]int // skeleton → index in known
	near   map[near][]int // which of known begin with a letter and have a length
	wanted []string       // registered domains of the policy's hosts: stripe.com
}

// look is a name that another may be taken for.
type look struct {
	name string // the label below the top-level domain, or the package's
	of   string // what to call it: the policy's host, or the package
	top  string // the policy's top-level domain; "" for a package's
}

type near struct {
	first  byte
	length int
}

// Looks compiles what hosts are compared with: the hosts of the rules that allow, and
// packages, the names of those in the function's code.
func (p *Policy) Looks(packages []string) *Looks {
	l := &Looks{policy: p, alike: map[string]int{}, near: map[near][]int{}}
	for i := range p.file.allow {
		for _, h := range p.file.allow[i].hosts {
			of := strings.TrimPrefix(h.exact+h.suffix, ".")
			if name, top := registered(of); len(name) >= shortLookalike {
				l.known, l.wanted = append(l.known, look{name, of, top}), append(l.wanted, name+"."+top)
			}
		}
	}
	for _, of := range packages {
		name := strings.ToLower(strings.ReplaceAll(of, "_", "-"))
		if len(name) >= shortLookalike && len(name) <= maxLabel && !slices.Contains(plainWords[:], name) {
			l.known = append(l.known, look{name, name, ""})
		}
	}
	slices.SortStableFunc(l.known, func(a, b look) int { return strings.Compare(a.name, b.name) })
	l.known = slices.CompactFunc(l.known, func(a, b look) bool { return a.name == b.name && a.top == b.top })
	for i, k := range l.known {
		if len(k.name) < minLookalike {
			continue
		}
		if s := skeleton(k.name); l.alike[s] == 0 {
			l.alike[s] = i + 1
		}
		n := near{k.name[0], len(k.name)}
		l.near[n] = append(l.near[n], i)
	}
	return l
}

// Of returns what host looks like without being it; "" for nothing. A host that a rule
// allows, or that is AWS's own, is itself. The name below the top-level domain counts:
// mistyped by a letter or two, written with letters that look alike, a known name joined
// to another word, or a known name below a domain that anybody registers for a coin. So
// does the whole of an allowed domain in front of another.
func (l *Looks) Of(host string) string {
	n := nameOf(host)
	if len(l.known) == 0 || len(n.text) > maxName || n.addr.IsValid() || AWSService(n.text, l.policy.Region) {
		return ""
	}
	if _, s3 := S3Bucket(n.text, "", l.policy.Region); s3 {
		return "" // a bucket may be called like a domain
	}
	for i := range l.policy.file.allow {
		if matchAny(l.policy.file.allow[i].hosts, n, l.policy.Region) {
			return ""
		}
	}
	for _, domain := range l.wanted { // api.stripe.com.evil.example, but not stripe.com.mx
		if _, behind, found := strings.Cut("."+n.text, "."+domain+"."); found && strings.Contains(behind, ".") {
			return domain
		}
	}
	label, top := registered(n.text)
	if len(label) < shortLookalike {
		return ""
	}
	if _, own := l.find(label); own {
		return l.elsewhere(label, top)
	}
	for _, look := range [...]func(label, top string) string{l.letters, l.joined, l.mistyped} {
		if of := look(label, top); of != "" {
			return of
		}
	}
	return ""
}

// find returns where name stands in known.
func (l *Looks) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(l.known, name, func(k look, name string) int { return strings.Compare(k.name, name) })
}

// elsewhere is the name itself, below another top-level domain than the policy's, one
// that is cheap: checkmarx.zone.
func (l *Looks) elsewhere(label, top string) (of string) {
	at, _ := l.find(label)
	for ; at < len(l.known) && l.known[at].name == label; at++ {
		switch {
		case l.known[at].top == top:
			return ""
		case of == "" && len(label) >= minLookalike && cheap(top):
			of = l.known[at].of
		}
	}
	return of
}

// letters is a name in letters that look like its own.
func (l *Looks) letters(label, _ string) string {
	if at := l.alike[skeleton(label)]; at > 0 {
		return l.known[at-1].of
	}
	return ""
}

// joined is a name with another word: git-tanstack.com, and where that is cheap,
// copayapi.host.
func (l *Looks) joined(label, top string) string {
	// A vendor has prisma-data.net and browser-intake-datadoghq.com for himself; nobody
	// calls his own git-tanstack.com.
	if word, name, two := strings.Cut(label, "-"); two && word != "" && len(name) >= minLookalike && !strings.Contains(name, "-") {
		if at, found := l.find(name); found {
			return l.known[at].of
		}
	}
	if !cheap(top) {
		return ""
	}
	for _, word := range serviceWords {
		if at, found := l.find(strings.TrimSuffix(label, word)); found {
			return l.known[at].of
		}
		if at, found := l.find(strings.TrimPrefix(label, word)); found {
			return l.known[at].of
		}
	}
	return ""
}

// serviceWords are what a host is called after its work.
var serviceWords = [...]string{
	"analytics", "api", "app", "assets", "auth", "cdn", "cloud", "data", "dev", "docs", "download", "downloads", "hub", "io", "js", "login", "logs",
	"metrics", "py", "registry", "sdk", "server", "stats", "static", "status", "support", "telemetry", "update", "updates",
}

// mistyped is a name with a letter or two changed, one where it is short. Of packages
// there are many, and honest names beside them: typeorm and typeform.
func (l *Looks) mistyped(label, top string) string {
	if len(label) < minLookalike-1 {
		return ""
	}
	for d := -2; d <= 2; d++ {
		for _, at := range l.near[near{label[0], len(label) + d}] {
			k := l.known[at]
			allowed := 1
			if len(k.name) >= 10 {
				allowed = 2
			}
			switch {
			case k.name == label+strings.ReplaceAll(top, ".", ""): // temporalio, of temporal.io
			case k.top == "" && len(k.name) < 9 && !swapped(label, k.name):
			case typos(label, k.name, allowed) <= allowed:
				return k.of
			}
		}
	}
	return ""
}

// swapped reports whether a is b with two letters in each other's place.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// minLookalike is the shortest name that another can be taken for, in characters: below
// it too much looks like too much.
const minLookalike = 6

// maxName and maxLabel bound host names and their labels, in bytes.
// https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
const (
	maxName  = 253
	maxLabel = 63
)

// shortLookalike is the shortest that counts where more speaks against a host: it is
// joined to what servers are called, and cheap.
const shortLookalike = 5

// plainWords are packages that are called like anything else.
var plainWords = [...]string{
	"accepts", "arrify", "aws-sdk", "axios-mock", "better", "boto3", "buffer", "builder", "bundle", "certifi", "charset", "client", "colors", "common", "config",
	"connect", "content", "cookie", "crypto", "cython", "database", "decimal", "default", "domain", "dotenv", "email-validator", "events", "express", "faker",
	"filelock", "finder", "format", "forwarded", "future", "gateway", "glob-parent", "google", "graphql", "handler", "helper", "helpers", "image", "inherits", "inputs",
	"internal", "lambda", "logger", "logging", "mailer", "manager", "markdown", "memory", "merge2", "message", "methods", "models", "module", "mongodb", "months", "native",
	"network", "number", "object", "office", "openid", "opener", "packaging", "parser", "passport", "payment", "platform", "plugin", "process", "product", "profile",
	"promise", "pyyaml", "python", "random", "reader", "redis", "regex", "report", "request", "requests", "router", "runtime", "schema", "search", "secure", "server", "service",
	"services", "session", "setuptools", "shared", "simple", "socket", "source", "static", "status", "storage", "stream", "string", "styles", "support", "survey", "system",
	"tables", "target", "template", "testing", "thread", "ticket", "timing", "toolbox", "tracker", "typing", "unique", "update", "upload", "urllib3", "utils", "vendor", "version",
	"wheel", "window", "worker", "wrapper", "yarnpkg", "zipper",
}

// cheap reports whether names below a top-level domain cost next to nothing, so that a
// project's own is seldom there.
func cheap(top string) bool {
	switch top {
	case "cloud", "xyz", "host", "top", "icu", "zone", "click", "site", "online", "store", "shop", "club", "live", "fun", "space", "website", "link", "pw", "tk", "ml", "ga",
		"cf", "gq", "cc", "ws", "zip", "mov", "quest", "bid", "stream", "lol", "buzz", "monster", "rest", "sbs", "cfd", "cyou", "beauty", "hair", "skin", "ru", "su":
		return true
	}
	return false
}

// registered returns the label below the top-level domain, and that: of api.shop.co.uk
// shop and co.uk.
func registered(host string) (label, top string) {
	labels := strings.Split(host, ".")
	n := len(labels)
	if n < 2 {
		return "", ""
	}
	k := n - 2
	if n > 2 && len(labels[n-1]) == 2 && secondLevel(labels[n-2]) {
		k--
	}
	label = labels[k]
	if strings.HasPrefix(label, "xn--") {
		if plain, err := idna.Punycode.ToUnicode(label); err == nil {
			label = plain
		}
	}
	return label, strings.Join(labels[k+1:], ".")
}

// secondLevel reports whether names are registered below a label of a country's.
func secondLevel(label string) bool {
	switch label {
	case "co", "com", "net", "org", "gov", "ac", "edu", "ne", "or", "go":
		return true
	}
	return false
}

// skeleton writes letters that look alike as one: what is the same in it looks the same.
func skeleton(s string) string { return alike().Replace(s) }

var alike = sync.OnceValue(func() *strings.Replacer {
	return strings.NewReplacer(
		"rn", "m", "vv", "w", "0", "o", "1", "l", "i", "l", "3", "e", "5", "s", "-", "", "_", "",
		"а", "a", "с", "c", "е", "e", "о", "o", "р", "p", "х", "x", "у", "y", "і", "l", "ѕ", "s", "ԁ", "d", "ո", "n", "ο", "o", "α", "a", "ν", "v", "é", "e", "è", "e", "ö", "o", "ü", "u", "ä", "a", "á", "a", "í", "l", "ó", "o", "ı", "l",
		"ј", "j", "һ", "h", "к", "k", "т", "t", "м", "m", "в", "b", "ɡ", "g", "ɑ", "a", "ӏ", "l", "ł", "l", "ń", "n", "ñ", "n", "ş", "s", "ș", "s", "š", "s", "ç", "c", "ć", "c", "č", "c", "à", "a", "â", "a", "ã", "a", "å", "a", "ā", "a", "ạ", "a",
		"ê", "e", "ë", "e", "ē", "e", "ė", "e", "ẹ", "e", "ì", "l", "î", "l", "ï", "l", "ī", "l", "ị", "l", "ò", "o", "ô", "o", "õ", "o", "ø", "o", "ō", "o", "ọ", "o", "ù", "u", "ú", "u", "û", "u", "ū", "u", "ụ", "u", "ý", "y", "ÿ", "y", "ż", "z", "ž", "z", "ṭ", "t", "ț", "t", "ţ", "t", "ď", "d", "đ", "d", "ɩ", "l", "ρ", "p", "τ", "t", "υ", "u", "ι", "l", "κ", "k",
	)
})

// typos is how many letters must be put in, taken out, changed, or changed for their
// neighbour, to make a of b; more than most is only that.
func typos(a, b string, most int) int {
	if d := len(a) - len(b); d > most || -d > most {
		return most + 1
	}
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
