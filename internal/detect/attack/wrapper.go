package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in wrapperRules.
const (
	wrapperStream = iota
	wrapperFile
	wrapperRemote
)

var wrapperRules = []rule{
	wrapperStream: {id: "lfi.wrapper", signature: "Stream wrapper of PHP", category: "lfi", severity: detect.High, score: likely},
	wrapperFile:   {id: "lfi.file-url", signature: "URL of a file", category: "lfi", severity: detect.Low, score: suspect, weak: true},
	wrapperRemote: {id: "rfi.url", signature: "Inclusion of a remote file", category: "rfi", severity: detect.Medium, score: suspect, weak: true},
}

// wrapperFamily judges URLs that make a script read, run or include what they name.
var wrapperFamily = family{
	tokens: []string{
		"php:", "expect:", "zip:", "phar:", "data:/", "glob:", "ogg:", "rar:", "ssh2.", "compress.", "file:", "zlib:", "bzip2:",
		".php?", ".php3?", ".txt", ".php", ".asp", ".jsp",
	},
	rules: wrapperRules,
	match: matchWrapper,
}

func matchWrapper(in *inspection, p *probe) (r *rule, at int) {
	value := p.span()
	if !in.spend(2 * len(value)) {
		return nil, 0
	}
	word := len(value) == len(p.value) && isWord(value)
	field := false
	for from := 0; ; {
		s, ok := nextScheme(value, from)
		if !ok {
			break
		}
		s.field = s.field || field && s.at == from
		r, at = heavier(r, at, s.wraps(value, word), p.from+s.at)
		if r != nil && !r.weak {
			return r, at
		}
		from, field = s.rest, s.field
	}
	if r == nil && word {
		r, at = cutParameter(value)
	}
	if r != nil && r.weak && !in.weak {
		return nil, 0
	}
	return r, at
}

// wraps says what is wrong with the URL.
func (s *schemed) wraps(value []byte, word bool) *rule {
	rest := value[s.rest:]
	switch {
	case s.is("php"):
		if s.slashes >= 2 && word && phpStream(rest) || hasPrefixFold(rest, "filter/") && filters(rest) {
			return &wrapperRules[wrapperStream]
		}
	case !s.field:
	case s.slashes >= 2 && s.isStream(), s.is("data") && s.slashes >= 2 && bytes.IndexByte(rest[:min(len(rest), maxMedia)], ',') >= 0:
		return &wrapperRules[wrapperStream]
	case s.is("file") && s.slashes > 0:
		return &wrapperRules[wrapperFile]
	case s.slashes >= 2 && (s.is("http") || s.is("https") || s.is("ftp") || s.is("ftps")):
		return remote(rest, bytes.IndexByte(value[:s.at], '?') >= 0)
	}
	return nil
}

// maxMedia is how far behind data:// its comma is looked for, in bytes.
const maxMedia = 64

// isStream reports whether the scheme is one that PHP opens as a file, and that is
// rare elsewhere.
func (s *schemed) isStream() bool {
	return s.is("expect") || s.is("zip") || s.is("phar") || s.is("glob") || s.is("ogg") || s.is("rar") ||
		s.is("compress.zlib") || s.is("compress.bzip2") || s.is("compress.zip") || s.is("zlib") ||
		hasPrefixFold(s.scheme, "ssh2.")
}

// phpStream reports whether b names a stream of php://.
func phpStream(b []byte) bool {
	for _, name := range [...]string{"filter", "input", "fd/", "stdin", "memory", "temp", "output", "stdout"} {
		if hasPrefixFold(b, name) {
			return true
		}
	}
	return false
}

// maxFilter is how far behind php:// a filter is looked for, in bytes.
const maxFilter = 96

// filters reports whether b, which begins with filter/, is a call of filters.
func filters(b []byte) bool {
	b = b[:min(len(b), maxFilter)]
	for _, word := range [...]string{"/convert.", "=convert.", "/resource=", "=string.", "/string.", "/zlib.", "=zlib.", "/consumed", "/read=", "/write="} {
		if indexFold(b, word) >= 0 {
			return true
		}
	}
	return false
}

// remote judges the URL of a file, without its scheme. parameter: it stands in the
// query of another URL.
func remote(b []byte, parameter bool) *rule {
	end := urlEnd(b)
	url := b[:end]
	slash := bytes.IndexByte(url, '/')
	if slash < 0 {
		return nil
	}
	path, query, cut := bytes.Cut(url[slash:], []byte("?"))
	cut = cut && len(bytes.Trim(query, "?")) == 0 || end < len(b) && b[end] == 0
	h := hostAt(url)
	address := h.end > 0 && (url[0] == '[' || classOf[url[max(0, min(slash, h.end)-1)]]&digit != 0 && h.port == 0)
	if cut && (parameter || included(path)) || included(path) && (address || parameter) {
		return &wrapperRules[wrapperRemote]
	}
	return nil
}

// included reports whether path ends like a file that scripts are put in.
func included(path []byte) bool {
	for _, ending := range [...]string{".txt", ".php", ".phtml", ".asp", ".aspx", ".jsp", ".inc", ".php3"} {
		if hasSuffixFold(path, ending) {
			return true
		}
	}
	return false
}

// cutParameter judges the address of a script whose last parameter ends with ? or NUL, which
// takes what the script appends out of a path.
func cutParameter(value []byte) (r *rule, at int) {
	at = indexFold(value, ".php")
	if at < 0 {
		return nil, 0
	}
	query := bytes.IndexByte(value[at:], '?')
	if query < 0 {
		return nil, 0
	}
	for rest, more := value[at+query+1:], true; more; {
		var field []byte
		field, rest, more = bytes.Cut(rest, []byte("&"))
		_, v, ok := bytes.Cut(field, []byte("="))
		if ok && len(v) > 1 && (v[len(v)-1] == '?' || v[len(v)-1] == 0) {
			return &wrapperRules[wrapperRemote], at
		}
	}
	return nil, 0
}
