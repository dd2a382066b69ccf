package attack

import "gatehouse/internal/detect"

// trust is whether the string at hand lies where its source fills it.
type trust uint8

const (
	unknown trust = iota
	trusted
	untrusted
)

// trusted finds out once whether the string at hand is never judged. Keys are
// always judged.
func (in *inspection) trusted() bool {
	if in.trust == unknown {
		in.trust = untrusted
		if in.source != nil && in.layers[0].scanner.trusts(in.source, &in.raw) {
			in.trust = trusted
		}
	}
	return in.trust == trusted
}

func (s *scanner) matchesAny(patterns []string) bool {
	for _, p := range patterns {
		if s.matches(p) {
			return true
		}
	}
	return false
}

// trusts reports whether source alone fills the string item, at which s stands,
// and it looks so.
func (s *scanner) trusts(source *detect.Source, item *str) bool {
	return !item.key && plainValue(item.body(s.text)) && s.matchesAny(source.Trusted)
}

// plainValue reports whether b is what AWS fills in: an identifier, an ARN, a URL,
// base64. Nothing in it ends a word or a string in any language that we judge.
func plainValue(b []byte) bool {
	for _, c := range b {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9':
		case c == '-' || c == '_' || c == '.' || c == ':' || c == '/' || c == '+' || c == '=':
		case c == '?' || c == '&' || c == '@' || c == '~' || c == ',': // no %: it may stand for anything
		default:
			return false
		}
	}
	return true
}
