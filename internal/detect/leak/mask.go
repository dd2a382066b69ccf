package leak

import (
	"bytes"
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

// MaskURL is MaskFold for URLs, in which any characters may be percent-encoded, once or
// twice, and others not: it masks what stands for a secret, too.
func (s *Set) MaskURL(text string) string {
	text = s.MaskFold(text)
	if s == nil || strings.IndexByte(text, '%') < 0 {
		return text
	}
	plain, at := []byte(text), make([]int, len(text)+1) // at: where in text each byte of plain begins
	for i := range at {
		at[i] = i
	}
	for range 2 {
		plain, at = unpercent(plain, at)
	}
	ix := s.folded()
	spans := s.spans(ix, lowerASCII(string(plain)))
	if len(spans) == 0 {
		return text
	}
	for i := range spans {
		spans[i].start, spans[i].end = at[spans[i].start], at[spans[i].end]
	}
	return string(s.masked(ix, []byte(text), spans))
}

// unpercent undoes percent-encoding; at, which has one more element than text, says where
// each byte stood at first.
func unpercent(text []byte, at []int) (plain []byte, from []int) {
	for i := 0; i < len(text); i++ {
		c, n := text[i], 1
		if c == '%' && i+2 < len(text) && hexDigit(text[i+1]) && hexDigit(text[i+2]) {
			c, n = unhex(text[i+1])<<4|unhex(text[i+2]), 3
		}
		plain, from = append(plain, c), append(from, at[i])
		i += n - 1
	}
	return plain, append(from, at[len(text)])
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// MaskCut is Mask for what was cut out of a text: it masks the end of a secret that text
// begins with, and the beginning of one that it ends with, of 8 bytes and more.
func (s *Set) MaskCut(text string) string {
	if s == nil || len(text) < gram {
		return text
	}
	ix, b := s.exact(), []byte(text)
	spans := s.spans(ix, b)
	if m, n := ix.ending(b); n > 0 && (len(spans) == 0 || spans[0].start > 0) {
		for len(spans) > 0 && spans[0].start < n {
			n, spans = max(n, spans[0].end), spans[1:]
		}
		spans = slices.Insert(spans, 0, match{m, 0, n})
	}
	if m, n := ix.beginning(b); n > 0 {
		start := len(b) - n
		for k := len(spans) - 1; k >= 0 && spans[k].end > start; k-- {
			start, spans = min(start, spans[k].start), spans[:k]
		}
		spans = append(spans, match{m, start, len(b)})
	}
	if len(spans) == 0 {
		return text
	}
	return string(s.masked(ix, b, spans))
}

// ending returns the longest beginning of text that is the end of a pattern, and whose.
func (ix *index) ending(text []byte) (of, n int) {
	for i := range ix.patterns {
		p := ix.patterns[i].text
		for at := 1; ; at++ {
			k := bytes.Index(p[min(at, len(p)):], text[:gram])
			if k < 0 {
				break
			}
			if at += k; len(p)-at > n && bytes.HasPrefix(text, p[at:]) {
				of, n = i, len(p)-at
			}
		}
	}
	return of, n
}

// beginning returns the longest end of text that is the beginning of a pattern, and whose.
func (ix *index) beginning(text []byte) (of, n int) {
	if n = ix.partial(text, nil); n == 0 {
		return 0, 0
	}
	tail := text[len(text)-n:]
	return slices.IndexFunc(ix.patterns, func(p pattern) bool { return bytes.HasPrefix(p.text, tail) }), n
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
