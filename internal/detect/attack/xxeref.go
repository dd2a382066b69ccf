package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

var referenceRules = []rule{
	{id: "xxe.reference", signature: "Reference to an XML entity", category: "xxe", severity: detect.Medium, score: refuseAt},
}

// referenceFamily is XML that uses an entity which is declared elsewhere.
var referenceFamily = family{applies: isReferenceLike, rules: referenceRules, match: matchReference}

func isReferenceLike(c class) bool { return c&(amp|percent) != 0 && c&semicolon != 0 }

// matchReference looks for a reference to an entity that HTML does not have, where it is
// all that a value or an element holds.
func matchReference(in *inspection, p *probe) (r *rule, at int) {
	b := p.span()
	if !in.spend(len(b)) {
		return nil, 0
	}
	if n := referenceLen(b); n > 0 && n == len(b) {
		return &referenceRules[0], p.from
	}
	for i := 1; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '&')
		if n < 0 {
			return nil, 0
		}
		i += n
		if b[i-1] != '>' {
			continue
		}
		if n := referenceLen(b[i:]); n > 0 && bytes.HasPrefix(b[i+n:], []byte("</")) {
			return &referenceRules[0], p.from + i
		}
	}
	return nil, 0
}

// maxEntity is the longest name of an entity that is looked at, in bytes.
const maxEntity = 32

// referenceLen returns the length of the reference to an entity that b begins with, 0
// for none or for one that HTML has.
func referenceLen(b []byte) int {
	if len(b) < 5 || b[0] != '&' && b[0] != '%' {
		return 0
	}
	n := 1
	for n < len(b) && n < maxEntity && (isWordByte(b[n]) || b[n] == '.' || b[n] == '-') {
		n++
	}
	if n < 4 || n == len(b) || b[n] != ';' || classOf[b[1]]&letter == 0 || b[0] == '&' && isCharacterName(b[1:n]) {
		return 0
	}
	return n + 1
}

// isCharacterName reports whether HTML may have a character called name. It has more
// than 2,000, and most of the short ones end like these; longer ones are told by their
// endings, too.
func isCharacterName(name []byte) bool {
	if entityOf(name) != 0 {
		return true
	}
	for _, end := range [...]string{"acute", "grave", "uml", "circ", "tilde", "cedil", "slash", "ring", "caron", "dash", "quo", "arr", "macr", "lig", "dot", "sp", "Arrow", "Equal", "Bracket", "Tee", "Bar"} {
		if bytes.HasSuffix(name, []byte(end)) {
			return true
		}
	}
	switch string(name) {
	case "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "copy", "ordf", "not", "shy", "reg", "deg", "plusmn", "sup1", "sup2", "sup3", "micro", "para", "middot", "ordm",
		"frac12", "frac14", "frac34", "iquest", "times", "divide", "szlig", "eth", "ETH", "thorn", "THORN", "bull", "hellip", "prime", "Prime", "oline", "frasl", "euro", "trade", "image", "real",
		"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "omicron", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
		"Alpha", "Beta", "Gamma", "Delta", "Omega", "Sigma", "forall", "part", "exist", "empty", "nabla", "isin", "notin", "prod", "sum", "minus", "lowast", "radic", "prop", "infin", "ang", "and",
		"cap", "cup", "int", "there4", "sim", "cong", "asymp", "equiv", "sub", "sube", "supe", "oplus", "otimes", "perp", "sdot", "loz", "spades", "clubs", "hearts", "diams", "dagger", "Dagger", "permil",
		"zwnj", "zwj", "lrm", "rlm", "fnof", "check", "cross", "star", "starf", "phone", "female", "male", "sung", "flat", "natural", "sharp", "inodot", "numero", "hyphen", "lang", "rang", "AMP", "COPY", "REG":
		return true
	}
	return false
}
