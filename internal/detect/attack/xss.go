package attack

import "gatehouse/internal/detect"

// Places in xssRules.
const (
	xssTag = iota
	xssHandler
	xssURI
	xssStyle
	xssBreakOut
	xssHTML
)

var xssRules = []rule{
	xssTag:      {id: "xss.tag", signature: "Cross-site scripting by a tag", category: "xss", severity: detect.High, score: sure},
	xssHandler:  {id: "xss.handler", signature: "Cross-site scripting by an event handler", category: "xss", severity: detect.High, score: sure},
	xssURI:      {id: "xss.uri", signature: "Cross-site scripting by an address that is script", category: "xss", severity: detect.High, score: sure},
	xssStyle:    {id: "xss.style", signature: "Cross-site scripting by a style", category: "xss", severity: detect.High, score: sure},
	xssBreakOut: {id: "xss.break-out", signature: "Markup that leaves the attribute it stands in", category: "xss", severity: detect.Medium, score: refuseAt},
	xssHTML:     {id: "xss.html", signature: "Markup", category: "xss", severity: detect.Low, score: suspect, weak: true},
}

var xssFamily = family{applies: xssApplies, rules: xssRules, match: matchXSS}

// xssApplies leaves out values that cannot be markup: it takes a tag, or an
// attribute with its value.
func xssApplies(c class) bool { return c&(angle|equals) != 0 }

// markup is a value as a browser may read it, wherever in a page it is put.
type markup struct {
	b     []byte
	found int // the heaviest rule that is broken, -1 for none
	at    int

	tag      int    // where the tag at hand begins: its <; -1 outside of tags
	quoted   int    // where the quoted value of an attribute ends that was read last
	document bool   // the value is a page of its own
	opened   bool   // a tag was opened
	xlink    bool   // the namespace of XLink was declared
	ended    [2]int // up to where SVG and MathML have an end tag
}

// matchXSS looks for markup that runs script. It reads the value once; at each < it
// judges the tag, at each = the attribute before it.
func matchXSS(in *inspection, p *probe) (r *rule, at int) {
	b := p.span()
	if !in.spend(len(b)) {
		return nil, 0
	}
	if in.weak && isEncodedAngle(in, b) {
		return &xssRules[xssHTML], p.from
	}
	m := markup{b: b, found: -1, tag: -1}
	for i, c := range b {
		switch c {
		case '<':
			m.opens(i)
		case '>':
			m.closes(i)
		case '=':
			m.attribute(i)
		default:
			continue
		}
		if m.sure() {
			break
		}
	}
	if m.found < 0 || xssRules[m.found].weak && !in.weak {
		return nil, 0
	}
	return &xssRules[m.found], p.from + m.at
}

// isEncodedAngle reports whether the value is a < or a > and nothing else, which someone
// took the trouble to encode: it is how filters are felt out.
func isEncodedAngle(in *inspection, b []byte) bool {
	return len(b) == 1 && classOf[b[0]]&angle != 0 && len(in.layers[in.top].rungs) > 0
}

func (m *markup) sure() bool { return m.found >= 0 && xssRules[m.found].score >= sure }

func (m *markup) report(rule, at int) {
	if m.found < 0 || xssRules[rule].score > xssRules[m.found].score {
		m.found, m.at = rule, at
	}
}

// closes leaves the tag at hand. A > that no tag opened, behind a quote, ends the tag
// that the value was put in.
func (m *markup) closes(i int) {
	if m.tag < 0 && m.found < 0 && i > 0 && i+1 < len(m.b) && (m.b[i-1] == '"' || m.b[i-1] == '\'') && m.b[i+1] == '<' && m.unopened(i) {
		m.report(xssBreakOut, i-1)
	}
	if m.closesAll(i) {
		m.report(xssBreakOut, i-1)
	}
	if i > m.quoted {
		m.tag = -1
	}
}

// closesAll reports whether the > at i stands behind each kind of quote, one after the
// other: that ends whatever the value was put in.
func (m *markup) closesAll(i int) bool {
	for range len("--") {
		if i > 0 && m.b[i-1] == '-' {
			i--
		}
	}
	if i < 3 {
		return false
	}
	var kinds [3]bool
	for _, c := range m.b[i-3 : i] {
		if classOf[c]&quote == 0 {
			return false
		}
		kinds[quoteKind(c)] = true
	}
	return kinds == [3]bool{true, true, true}
}

// unopened reports whether nothing before i, near the beginning of the value, opens a
// tag, and the tag behind it is one.
func (m *markup) unopened(i int) bool {
	if i > maxTag || i+2 >= len(m.b) || classOf[m.b[i+2]]&letter == 0 && m.b[i+2] != '/' && m.b[i+2] != '!' {
		return false
	}
	for _, c := range m.b[:i] {
		if c == '<' {
			return false
		}
	}
	return true
}
