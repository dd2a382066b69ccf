package attack

import "gatehouse/internal/detect"

// Places in sstiRules.
const (
	sstiProbe = iota
	sstiObject
	sstiCall
	sstiName
)

var sstiRules = []rule{
	sstiProbe:  {id: "ssti.probe", signature: "Template expression that only computes", category: "ssti", severity: detect.High, score: sure},
	sstiObject: {id: "ssti.object", signature: "Template expression that reaches for internals", category: "ssti", severity: detect.Critical, score: sure},
	sstiCall:   {id: "ssti.call", signature: "Template expression that runs code", category: "ssti", severity: detect.Critical, score: sure},
	sstiName:   {id: "ssti.name", signature: "Template expression that names internals", category: "ssti", severity: detect.Medium, score: suspect, weak: true},
}

var sstiFamily = family{
	tokens: []string{
		"{{", "${", "$!{", "%{", "@system.", "{chr(", "#{", "*{", "~{", "@{", "@(", "<%", "{%", "#set", "{php", "?new", "?api", "{$smarty", "smarty_", "{system", "{exec", "{shell_exec", "{passthru",
		"{if", "$class", "freemarker.template", "__mro__", "__subclasses__", "__globals__", "__builtins__",
	},
	rules: sstiRules,
	match: matchSSTI,
}

// maxExpression is how long an expression of a template is, in bytes, before it is
// taken for something else.
const maxExpression = 1024

// sstiScan reads a value once and judges what stands in expressions of templates.
type sstiScan struct {
	b []byte
	i int // where it is

	// The expression at hand: where it began, what ends it, and how many of its
	// brackets are open. close is 0 outside of expressions.
	begin, depth int
	close        byte

	last        []byte // the name before
	lastEnd     int    // where it ended
	found, when int    // the rule that is broken, and where; -1 for none
}

// matchSSTI looks for expressions of templates that no one writes who only wants a
// value shown.
func matchSSTI(in *inspection, p *probe) (r *rule, at int) {
	b := p.span()
	if !in.spend(len(b)) {
		return nil, 0
	}
	s := sstiScan{b: b, found: -1}
	for s.i < len(b) && s.found < 0 {
		s.step()
	}
	if s.found < 0 || sstiRules[s.found].weak && !in.weak {
		return nil, 0
	}
	return &sstiRules[s.found], p.from + s.when
}

// step reads one name, or one byte.
func (s *sstiScan) step() {
	c := s.b[s.i]
	switch {
	case classOf[c]&letter != 0 || c == '_':
		n := wordLen(s.b[s.i:])
		s.name(n)
		s.last, s.lastEnd = s.b[s.i:s.i+n], s.i+n
		s.i += n
	case s.opens():
	default:
		s.bracket(c)
		s.i++
	}
}

// opens enters the expression that begins here, if one does, and looks whether it is
// one of literals alone.
func (s *sstiScan) opens() bool {
	n, end := opener(s.b[s.i:])
	if n == 0 {
		return false
	}
	if s.close == 0 || s.i-s.begin > maxExpression {
		s.begin, s.close, s.depth = s.i, end, 0
	}
	if isPolyglot(s.b[s.i:]) || computes(s.b[s.i:], n) && !isTeX(s.b[:s.i]) {
		s.report(sstiProbe, s.i)
	}
	for range n {
		s.bracket(s.b[s.i])
		s.i++
	}
	return true
}

// opener returns the length of the mark that begins an expression at the beginning of
// b, 0 for none, and the bracket that ends it.
func opener(b []byte) (n int, end byte) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[0] {
	case '{':
		switch {
		case b[1] == '{':
			return 2, '}'
		case b[1] == '%':
			return 2, '}'
		case b[1] == '$' || isSmarty(b[1:]):
			return 1, '}'
		}
	case '$':
		if b[1] == '{' {
			return 2, '}'
		}
		if b[1] == '!' && len(b) > 2 && b[2] == '{' {
			return 3, '}'
		}
		if hasPrefixFold(b, "$class.") {
			return 1, '\n'
		}
	case '#':
		if b[1] == '{' {
			return 2, '}'
		}
		if hasPrefixFold(b, "#set(") || hasPrefixFold(b, "#set (") {
			return 5, ')'
		}
	case '*', '~', '%':
		if b[1] == '{' {
			return 2, '}'
		}
	case '@':
		if b[1] == '(' {
			return 2, ')'
		}
		if b[1] == '{' {
			return 2, '}'
		}
		if hasPrefixFold(b, "@system.") {
			return 1, '\n'
		}
	case '<':
		if b[1] == '%' || b[1] == '#' && len(b) > 2 && classOf[b[2]]&letter != 0 {
			return 2, '>'
		}
	}
	return 0, 0
}

// isSmarty reports whether b, behind {, begins a tag of Smarty that calls a function
// of PHP.
func isSmarty(b []byte) bool {
	var buf wordBuf
	n := wordLen(b[:min(len(b), len(buf))])
	switch string(buf.fold(b[:n])) {
	case "php", "if", "system", "exec", "shell_exec", "passthru", "chr":
		return n < len(b) && (b[n] == '(' || b[n] == '}' || b[n] == ' ')
	}
	return n > 7 && hasPrefixFold(b, "smarty_")
}

// bracket keeps account of where the expression at hand ends.
func (s *sstiScan) bracket(c byte) {
	if s.close == 0 {
		return
	}
	switch {
	case s.i-s.begin > maxExpression:
		s.close = 0
	case s.close == '}' && c == '{', s.close == ')' && c == '(':
		s.depth++
	case c == s.close && s.close == '>':
		if s.b[s.i-1] == '%' || s.b[s.begin+1] == '#' {
			s.close = 0
		}
	case c == s.close:
		if s.depth--; s.depth <= 0 {
			s.close = 0
		}
	case c == '`' && s.close == '>' && s.runsShell():
		s.report(sstiCall, s.begin)
	}
}

// runsShell reports whether the expression of Ruby at hand is a command in back-ticks.
func (s *sstiScan) runsShell() bool {
	return len(skipBlanks(trimMark(s.b[s.begin+2:s.i]))) == 0
}

// trimMark returns b without the mark that says what <% does.
func trimMark(b []byte) []byte {
	if len(b) > 0 && (b[0] == '=' || b[0] == '-' || b[0] == ':' || b[0] == '!') {
		return b[1:]
	}
	return b
}

func (s *sstiScan) report(rule, at int) {
	if s.found < 0 || sstiRules[rule].score > sstiRules[s.found].score {
		s.found, s.when = rule, at
	}
}

// name judges the name of n bytes that stands here.
func (s *sstiScan) name(n int) {
	var buf wordBuf
	w := buf.fold(s.b[s.i : s.i+n])
	if w == nil {
		return
	}
	from := s.begin
	if s.close == 0 {
		from = s.i
	}
	if rule := s.anywhere(string(w), n); rule >= 0 {
		s.report(rule, from)
		return
	}
	if s.close == 0 {
		return
	}
	if rule := s.inside(string(w), n); rule >= 0 {
		s.report(rule, s.begin)
	}
}

// before and after are the bytes beside the name of n bytes that stands here, 0 at the
// ends of the value.
func (s *sstiScan) before() byte {
	if s.i == 0 {
		return 0
	}
	return s.b[s.i-1]
}

func (s *sstiScan) after(n int) []byte { return s.b[s.i+n : min(len(s.b), s.i+n+maxAfter)] }

// maxAfter is how much behind a name is looked at, in bytes.
const maxAfter = 64
