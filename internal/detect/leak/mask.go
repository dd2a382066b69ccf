package leak

import (
	"slices"
	"strings"
	"unsafe"

	"gatehouse/internal/detect"
)

// around is how much of a finding's Matched stands on each side of the secret,
// in bytes.
const around = 96

// Mask returns s with {{NAME:fingerprint}} in the place of every form of every
// secret. Without a secret in it, it is s itself.
func (s *Set) Mask(text string) string {
	if s == nil || len(text) < minSecret {
		return text
	}
	b := unsafe.Slice(unsafe.StringData(text), len(text)) // read only: no copy where nothing is found
	spans := s.spans(s.exact(), b)
	if len(spans) == 0 {
		return text
	}
	return string(s.masked(s.exact(), b, spans))
}

// MaskFold is Mask for names, where case does not count: it masks a secret whose
// letters changed their case on the way to a host name, too.
func (s *Set) MaskFold(text string) string {
	if s == nil || len(text) < minSecret {
		return text
	}
	spans := s.spans(s.folded(), lowerASCII(text))
	if len(spans) == 0 {
		return text
	}
	return string(s.masked(s.folded(), []byte(text), spans))
}

// lowerASCII is text in lower case, each byte in its place.
func lowerASCII(text string) []byte {
	out := []byte(text)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c | 0x20
		}
	}
	return out
}

// spans returns the matches in text that are to be masked: where some overlap,
// they are one span, named after the one that starts first.
func (s *Set) spans(ix *index, text []byte) []match {
	var all []match
	ix.each(text, func(m match) bool {
		all = append(all, ix.widen(text, m))
		return true
	})
	slices.SortFunc(all, func(a, b match) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	spans := all[:0]
	for _, m := range all {
		if n := len(spans); n > 0 && m.start < spans[n-1].end {
			spans[n-1].end = max(spans[n-1].end, m.end)
			continue
		}
		spans = append(spans, m)
	}
	return spans
}

// widen takes in the characters of base64 next to m that hold bits of the secret
// together with bits of its neighbours.
func (ix *index) widen(text []byte, m match) match {
	if chain := ix.patterns[m.pattern].chain; len(chain) == 0 || !slices.Contains(chain, "base64") {
		return m
	}
	if m.start > 0 && alphanumeric(text[m.start-1]) {
		m.start--
	}
	if m.end < len(text) && alphanumeric(text[m.end]) {
		m.end++
	}
	return m
}

// masked returns text with its spans replaced.
func (s *Set) masked(ix *index, text []byte, spans []match) []byte {
	var out []byte
	at := 0
	for _, m := range spans {
		out = append(out, text[at:m.start]...)
		out = append(out, s.mask(ix, m)...)
		at = m.end
	}
	return append(out, text[at:]...)
}

func (s *Set) mask(ix *index, m match) string {
	return s.secrets[ix.patterns[m.pattern].secret].mask()
}

// mask stands for s.
func (secret *Secret) mask() string {
	return "{{" + secret.Name + ":" + secret.Fingerprint + "}}"
}

// excerpt returns what stands round m, with every secret in it masked, as valid
// UTF-8 of at most detect.MaxMatched bytes. The beginning of a secret that text
// ends in is left out.
func (s *Set) excerpt(ix *index, text []byte, m match) string {
	end := len(text) - ix.partial(text, nil)
	from := max(0, m.start-around)
	to := min(max(end, m.end), m.end+around)
	var out []byte
	at := from
	for _, span := range s.spans(ix, text) {
		if span.end <= from || span.start >= to {
			continue
		}
		out = append(out, text[at:max(at, span.start)]...)
		out = append(out, s.mask(ix, span)...)
		at = span.end
	}
	if at < to {
		out = append(out, text[at:to]...)
	}
	valid := strings.ToValidUTF8(string(out), "\uFFFD")
	return strings.ToValidUTF8(valid[:min(len(valid), detect.MaxMatched)], "")
}

// All returns a finding for each secret that Mask would replace in text, the first of each.
func (s *Set) All(text string) (found []*detect.Finding) {
	if s == nil || len(text) < minSecret {
		return nil
	}
	b := unsafe.Slice(unsafe.StringData(text), len(text))
	ix := s.exact()
	ix.each(b, func(m match) bool {
		name := s.secrets[ix.patterns[m.pattern].secret].Name
		if !slices.ContainsFunc(found, func(f *detect.Finding) bool { return f.Object == name }) {
			found = append(found, s.finding(ix, b, m, m.start))
		}
		return true
	})
	return found
}
