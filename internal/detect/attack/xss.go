package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

var xssRules = []rule{
	{id: "xss.libinjection", signature: "Cross-site scripting", category: "xss", severity: detect.High, score: sure},
}

var xssFamily = family{applies: xssApplies, rules: xssRules, match: matchXSS}

// xssApplies leaves out values that cannot be script: it takes a tag, or an
// attribute with its value.
func xssApplies(c class) bool { return c&(angle|equals) != 0 }

const (
	// xssWindow is how much of a value is read round a sign of script, in bytes.
	xssWindow = 8192
	// xssBefore is how much of that stands before the sign.
	xssBefore = 512
)

// matchXSS reports whether value is script in some context of HTML. libinjection
// reads what stands round the signs of it.
func matchXSS(in *inspection, p *probe) (r *rule, at int) {
	value := p.span()
	if !in.spend(len(value)) {
		return nil, 0
	}
	for from := 0; ; {
		sign := xssSign(value, from)
		if sign < 0 {
			return nil, 0
		}
		start := max(0, from, sign-xssBefore)
		end := min(len(value), start+xssWindow)
		if !in.spend(5 * (end - start)) { // in five contexts
			return nil, 0
		}
		if isXSS(disarmed(value[start:end])) {
			return &xssRules[0], p.from + sign
		}
		if end == len(value) {
			return nil, 0
		}
		from = end - xssBefore
	}
}

// xssSign returns where, from from on, a tag or an attribute that can run script
// begins; -1 where none does.
func xssSign(value []byte, from int) int {
	for i := from; i < len(value); i++ {
		n := bytes.IndexAny(value[i:], "<=")
		if n < 0 {
			return -1
		}
		i += n
		if value[i] == '<' && i+1 < len(value) && opensTag(value[i+1]) {
			return i
		}
		if value[i] == '=' && (i+1 == len(value) || value[i+1] != '=' && value[i+1] != '>') {
			if name := attributeBefore(value[from:i]); name > 0 {
				return i - name
			}
		}
	}
	return -1
}

// opensTag reports whether c behind < makes it a tag.
func opensTag(c byte) bool {
	return classOf[c]&letter != 0 || c == '!' || c == '/' || c == '?' || c == '%' || c == 0
}

// maxAttribute is how far back from = an attribute's name is looked for, in bytes.
const maxAttribute = 48

// attributeBefore returns how far from the end of b the name of an attribute that
// can run script begins, 0 where there is none. Browsers allow blanks before =
// and skip NUL bytes.
func attributeBefore(b []byte) int {
	var name [maxAttribute]byte
	n := len(name)
	i := len(b)
	spaced := i > 0 && classOf[b[i-1]]&blank != 0
	for i > 0 && classOf[b[i-1]]&(blank|control) != 0 && len(b)-i < maxAttribute {
		i--
	}
	for ; i > 0 && n > 0; i-- {
		c := classOf[b[i-1]]
		if c&(letter|dash) == 0 && b[i-1] != ':' && b[i-1] != 0 {
			break
		}
		if b[i-1] != 0 {
			n--
			name[n] = b[i-1] | 0x20
		}
	}
	if !runsScript(name[n:], spaced) {
		return 0
	}
	return len(b) - i
}

// runsScript reports whether an attribute called name can run script. With a blank
// between name and = most of the names are those of variables in code.
func runsScript(name []byte, spaced bool) bool {
	switch string(name) {
	case "href", "src", "action", "formaction":
		return true
	case "style", "background", "poster", "lowsrc", "dynsrc", "datasrc", "dataformatas", "attributename", "handler", "folder",
		"filter", "by", "from", "to", "values":
		return !spaced
	}
	return len(name) > 4 && (string(name[:2]) == "on" || string(name[:5]) == "xlink")
}
