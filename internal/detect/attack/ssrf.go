package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in ssrfRules.
const (
	ssrfMetadata = iota
	ssrfRuntime
	ssrfHidden
	ssrfScheme
	ssrfInternal
)

var ssrfRules = []rule{
	ssrfMetadata: {id: "ssrf.metadata", signature: "Address of a metadata service", category: "ssrf", severity: detect.Critical, score: likely},
	ssrfRuntime:  {id: "ssrf.runtime-api", signature: "Address of the Lambda Runtime API", category: "ssrf", severity: detect.Critical, score: likely},
	ssrfHidden:   {id: "ssrf.hidden-address", signature: "Disguised internal address", category: "ssrf", severity: detect.High, score: likely},
	ssrfScheme:   {id: "ssrf.scheme", signature: "URL of a scheme for attacks", category: "ssrf", severity: detect.High, score: likely},
	ssrfInternal: {id: "ssrf.internal", signature: "Internal address", category: "ssrf", severity: detect.Low, score: suspect, weak: true},
}

// ssrfFamily judges where URLs lead.
var ssrfFamily = family{
	tokens: []string{
		"://", ":/\\", ":\\\\", ":/", "http:", "https:", "ftp:", "netdoc:", "jar:", "169.254.", "metadata.", "meta-data", "localhost",
		"sandbox.l", "\\\\1", "//1", "ip6-lo", "docker.int", ".svc.", "localtest.me", "instance-data", "/runtime/", "::ffff",
	},
	rules: ssrfRules,
	match: matchSSRF,
}

// matchSSRF looks at every URL of a value, and at a host that is all of it.
func matchSSRF(in *inspection, p *probe) (r *rule, at int) {
	value := p.span()
	if !in.spend(2 * len(value)) {
		return nil, 0
	}
	word := len(value) == len(p.value) && isWord(value)
	field, url := false, false
	for from := 0; ; {
		s, ok := nextScheme(value, from)
		if !ok {
			break
		}
		s.field = s.field || field && s.at == from
		r, at = heavier(r, at, s.judge(value, word), p.from+s.at)
		if r != nil && !r.weak {
			return r, at
		}
		from, field, url = s.rest, s.field, url || s.at == 0 && s.slashes == 2
	}
	if word && !url {
		r, at = heavier(r, at, bareHost(value), p.from)
	}
	if r != nil && r.weak && (!in.weak || in.comesFrom()) {
		return nil, 0
	}
	return r, at
}

// comesFrom reports whether the value at hand says where a request came from or was
// sent to.
func (in *inspection) comesFrom() bool {
	name := in.fieldName()
	return equalFold(name, "origin") || equalFold(name, "referer") || equalFold(name, "host")
}

// heavier returns the heavier one of two findings: a rule and where it was broken.
func heavier(r *rule, at int, other *rule, there int) (*rule, int) {
	if other != nil && (r == nil || other.score > r.score) {
		return other, there
	}
	return r, at
}

// judge says what is wrong with the URL. word: the value is nothing but one.
func (s *schemed) judge(value []byte, word bool) *rule {
	rest := value[s.rest:]
	scheme := s.schemeRule(rest)
	if scheme != nil && !scheme.weak {
		return scheme
	}
	if s.slashes == 0 {
		if h := hostAt(rest); s.field && (h.hidden || h.reach == reachMetadata) && (s.is("http") || s.is("https") || s.is("ftp")) {
			return h.rule(nil)
		}
		return nil
	}
	h := hostAt(rest)
	r := h.rule(rest[h.end:])
	if r == nil && word && s.field && ownPath(rest[h.end:]) {
		return &ssrfRules[ssrfMetadata]
	}
	at := bytes.IndexByte(rest[:min(len(rest), maxURL)], '@')
	if at < 0 {
		r, _ = heavier(r, 0, scheme, 0)
		return r
	}
	url := rest[:urlEnd(rest)]
	if at >= len(url) {
		at = -1
	}
	for k := 0; k < maxUserinfo && at >= 0 && (r == nil || r.weak); k++ {
		h = hostAt(url[at+1:])
		r, _ = heavier(r, 0, h.rule(url[at+1+h.end:]), 0)
		next := bytes.IndexByte(url[at+1:], '@')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	r, _ = heavier(r, 0, scheme, 0)
	return r
}

// maxUserinfo is how many @ of a URL a host is looked for behind.
const maxUserinfo = 4

// maxURL is how much of a URL is looked at, in bytes.
const maxURL = 256

// urlEnd returns where the URL that b begins with ends.
func urlEnd(b []byte) int {
	b = b[:min(len(b), maxURL)]
	for i, c := range b {
		if classOf[c]&(quote|angle|control) != 0 || c == '\t' || c == '\n' || c == '\r' ||
			c == ' ' && (i+1 == len(b) || b[i+1] != '@' && b[i+1] != '&') {
			return i
		}
	}
	return len(b)
}

// rule says what is wrong with a URL to h, which goes on with path.
func (h *host) rule(path []byte) *rule {
	switch {
	case h.reach == reachMetadata:
		return &ssrfRules[ssrfMetadata]
	case h.reach == reachRuntime, h.reach == reachLoopback && hasPrefixFold(path, "/2018-06-01/runtime"):
		return &ssrfRules[ssrfRuntime]
	case h.reach == reachLoopback && h.hidden:
		return &ssrfRules[ssrfHidden]
	case h.reach != reachPublic:
		return &ssrfRules[ssrfInternal]
	}
	return nil
}

// ownPath reports whether path is one that metadata services and the Runtime API
// have, and nobody else.
func ownPath(path []byte) bool {
	if len(path) < len("/opc/v2/instance") || bytes.IndexByte([]byte("lLcC2mMoO"), path[1]) < 0 {
		return false
	}
	for _, own := range [...]string{"/latest/meta-data", "/latest/api/token", "/latest/user-data", "/latest/dynamic/instance-identity",
		"/computemetadata/v1", "/2018-06-01/runtime/", "/metadata/instance?api-version", "/opc/v2/instance"} {
		if hasPrefixFold(path, own) {
			return true
		}
	}
	return false
}

// schemeRule says what the scheme alone tells.
func (s *schemed) schemeRule(rest []byte) *rule {
	if !s.field || hasPrefixFold(s.scheme, "http") {
		return nil
	}
	switch {
	case s.slashes >= 2 && (s.is("gopher") || s.is("dict") || s.is("tftp") || s.is("local_file")),
		s.is("netdoc") && (s.slashes > 0 || len(rest) > 0),
		s.is("jar") && s.slashes == 0 && (hasPrefixFold(rest, "http") || hasPrefixFold(rest, "ftp")),
		s.is("url") && s.slashes == 0 && hasPrefixFold(rest, "file:"):
		return &ssrfRules[ssrfScheme]
	case s.slashes >= 2 && (s.is("ldap") || s.is("ldaps") || s.is("rmi") || s.is("sftp") || s.is("rsync") || s.is("irc")):
		return &ssrfRules[ssrfInternal]
	}
	return nil
}

// bareHost judges a value that is a host, with a path or without, after //, \\ or
// nothing.
func bareHost(value []byte) *rule {
	v := bytes.TrimLeft(value, "/\\ ")
	h := hostAt(v)
	if h.end == 0 {
		if ownPath(value) {
			return &ssrfRules[ssrfInternal]
		}
		return nil
	}
	rest := v[h.end:]
	if len(rest) > 0 && bytes.IndexByte([]byte(`/\?#`), rest[0]) < 0 || h.hidden && v[0] != '[' {
		return nil
	}
	r := h.rule(rest)
	switch {
	case r == nil && ownPath(value):
		return &ssrfRules[ssrfInternal]
	case r == &ssrfRules[ssrfInternal] && (len(rest) == 0 || h.reach == reachPrivate):
		return nil // a name, an address, a range
	case r == &ssrfRules[ssrfHidden]:
		return &ssrfRules[ssrfInternal]
	}
	return r
}
