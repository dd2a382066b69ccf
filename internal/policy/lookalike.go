package policy

import (
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Lookalike returns which of the policy's hosts, or of the packages that the function's
// code has, host looks like without being it; "" for none. A host that a rule allows, or
// that is AWS's own, is itself. The name below the top-level domain counts: mistyped by a
// letter or two, written with letters that look alike, a known name joined to another
// word, or, for a package, its very name below a domain that anybody registers for a
// coin.
func (p *Policy) Lookalike(host string, packages []string) (of string) {
	n := nameOf(host)
	if n.addr.IsValid() || AWSService(n.text, p.Region) {
		return ""
	}
	label, top := registered(n.text)
	if len(label) < minLookalike {
		return ""
	}
	for i := range p.file.allow {
		if matchAny(p.file.allow[i].hosts, n, p.Region) {
			return ""
		}
	}
	for i := range p.file.allow {
		for _, h := range p.file.allow[i].hosts {
			known, _ := registered(strings.TrimPrefix(h.exact+h.suffix, "."))
			if likely(label, known) {
				return strings.TrimPrefix(h.exact+h.suffix, ".")
			}
		}
	}
	for _, known := range packages {
		known = strings.ToLower(strings.ReplaceAll(known, "_", "-"))
		if len(known) < minLookalike || slices.Contains(plainWords[:], known) {
			continue
		}
		if likely(label, known) || label == known && cheap(top) {
			return known
		}
	}
	return ""
}

// minLookalike is the shortest name that another can be taken for, in characters: below
// it too much looks like too much.
const minLookalike = 6

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
	case "cloud", "xyz", "top", "icu", "zone", "click", "site", "online", "store", "shop", "club", "live", "fun", "space", "website", "link", "pw", "tk", "ml", "ga",
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

// likely reports whether label is taken for known, and is another.
func likely(label, known string) bool {
	if len(known) < minLookalike || label == known {
		return false
	}
	if skeleton(label) == skeleton(known) {
		return true
	}
	for part := range strings.SplitSeq(label, "-") { // git-tanstack
		if part == known && !strings.Contains(known, "-") {
			return true
		}
	}
	allowed := 1
	if len(known) >= 10 {
		allowed = 2
	}
	return label[0] == known[0] && typos(label, known, allowed) <= allowed
}

// skeleton writes letters that look alike as one: what is the same in it looks the same.
func skeleton(s string) string {
	s = strings.NewReplacer(
		"rn", "m", "vv", "w", "0", "o", "1", "l", "i", "l", "3", "e", "5", "s", "-", "", "_", "",
		"а", "a", "с", "c", "е", "e", "о", "o", "р", "p", "х", "x", "у", "y", "і", "l", "ѕ", "s", "ԁ", "d", "ո", "n", "ο", "o", "α", "a", "ν", "v", "é", "e", "è", "e", "ö", "o", "ü", "u", "ä", "a", "á", "a", "í", "l", "ó", "o", "ı", "l",
	).Replace(s)
	return s
}

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
