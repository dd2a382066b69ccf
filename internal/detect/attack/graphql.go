package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in graphqlRules.
const (
	graphqlFlood = iota
	graphqlCycle
	graphqlIntrospection
	graphqlLoad
)

var graphqlRules = []rule{
	graphqlFlood:         {id: "graphql.flood", signature: "GraphQL query made to cost", category: "graphql", severity: detect.Medium, score: likely},
	graphqlCycle:         {id: "graphql.cycle", signature: "GraphQL fragments in a circle", category: "graphql", severity: detect.Medium, score: likely},
	graphqlIntrospection: {id: "graphql.introspection", signature: "GraphQL introspection", category: "graphql", severity: detect.Low, score: suspect, weak: true},
	graphqlLoad:          {id: "graphql.load", signature: "Large GraphQL query", category: "graphql", severity: detect.Low, score: suspect, weak: true},
}

// graphqlFamily counts what makes a document of GraphQL cost much: how deep it goes,
// how often it gives a field another name, its directives.
var graphqlFamily = family{
	tokens:  []string{"__schema", "__type", "query", "mutation", "fragment", "subscription", "@include", "@skip", "{{", "}}", "} }", "}\n"},
	applies: func(c class) bool { return c&bracket != 0 },
	rules:   graphqlRules,
	match:   matchGraphQL,
}

// Counts from which on a document is large, and from which on it is an attack.
const (
	deepGraphQL, floodDeep       = 12, 50
	manyAliases, floodAliases    = 30, 150
	manyDirectives, floodDirects = 20, 100
	maxFragments                 = 16
)

func matchGraphQL(in *inspection, p *probe) (r *rule, at int) {
	if !isGraphQL(p.value) || !in.spend(2*len(p.value)) {
		return nil, 0
	}
	g := graphql{text: p.value}
	g.read()
	switch {
	case g.deepest > floodDeep || g.aliases > floodAliases || g.directives > floodDirects:
		return &graphqlRules[graphqlFlood], 0
	case g.circular():
		return &graphqlRules[graphqlCycle], 0
	case !in.weak:
	case g.introspects > 0:
		return &graphqlRules[graphqlIntrospection], g.introspects - 1
	case g.deepest > deepGraphQL || g.aliases > manyAliases || g.directives > manyDirectives:
		return &graphqlRules[graphqlLoad], 0
	}
	return nil, 0
}

// isGraphQL reports whether b begins as a document of GraphQL.
func isGraphQL(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	if len(b) == 0 {
		return false
	}
	if b[0] == '{' {
		b = bytes.TrimLeft(b[1:], " \t\r\n")
		return len(b) > 0 && (classOf[b[0]]&letter != 0 || b[0] == '_' || bytes.HasPrefix(b, []byte("...")))
	}
	for _, word := range [...]string{"query", "mutation", "subscription", "fragment"} {
		if rest, ok := bytes.CutPrefix(b, []byte(word)); ok {
			return len(rest) > 0 && (rest[0] == '{' || rest[0] == '(' || rest[0] == '@' || classOf[rest[0]]&blank != 0 && opensSelection(rest))
		}
	}
	return false
}

// maxOperation is how far behind its first word a selection begins, in bytes.
const maxOperation = 512

// opensSelection reports whether b, behind the first word, has a name, variables and
// directives, and then a selection.
func opensSelection(b []byte) bool {
	b = bytes.TrimLeft(b[:min(len(b), maxOperation)], " \t\r\n")
	n := 0
	for n < len(b) && (classOf[b[n]]&(letter|digit) != 0 || b[n] == '_') {
		n++
	}
	b = bytes.TrimLeft(b[n:], " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '(' || b[0] == '@' || bytes.HasPrefix(b, []byte("on ")))
}

// graphql is what is counted of a document.
type graphql struct {
	text                             []byte
	pos                              int
	depth, deepest, parens           int
	aliases, directives, introspects int
	fragments, current               int
	names                            [maxFragments][]byte
	spread                           [maxFragments]uint32 // of fragments, by their names' numbers
}

// read counts. It reads every byte once.
func (g *graphql) read() {
	g.current = -1
	for g.pos < len(g.text) {
		switch c := g.text[g.pos]; {
		case c == '"':
			g.skipString()
		case c == '#':
			g.skipTo('\n')
		case c == '.' && bytes.HasPrefix(g.text[g.pos:], []byte("...")):
			g.pos += 3
			g.takeSpread()
			continue
		case classOf[c]&letter != 0 || c == '_':
			g.name()
			continue
		default:
			g.mark(c)
		}
		g.pos++
	}
}

func (g *graphql) mark(c byte) {
	switch c {
	case '{':
		if g.parens == 0 {
			g.depth++
			g.deepest = max(g.deepest, g.depth)
		}
	case '}':
		if g.parens == 0 {
			g.depth = max(0, g.depth-1)
		}
	case '(':
		g.parens++
	case ')':
		g.parens = max(0, g.parens-1)
	case '@':
		g.directives++
	}
}

func (g *graphql) skipString() {
	for g.pos++; g.pos < len(g.text) && g.text[g.pos] != '"' && g.text[g.pos] != '\n'; g.pos++ {
		if g.text[g.pos] == '\\' {
			g.pos++
		}
	}
}

func (g *graphql) skipTo(c byte) {
	for g.pos < len(g.text) && g.text[g.pos] != c {
		g.pos++
	}
}

// word reads a name at the position, behind blanks.
func (g *graphql) word() []byte {
	for g.pos < len(g.text) && classOf[g.text[g.pos]]&blank != 0 {
		g.pos++
	}
	start := g.pos
	for g.pos < len(g.text) && (classOf[g.text[g.pos]]&(letter|digit) != 0 || g.text[g.pos] == '_') {
		g.pos++
	}
	return g.text[start:g.pos]
}

// name reads a name, and counts it as an alias if a colon follows outside of
// parentheses.
func (g *graphql) name() {
	start := g.pos
	word := g.word()
	switch string(word) {
	case "fragment":
		if g.depth == 0 {
			g.current = g.number(g.word())
		}
		return
	case "__schema", "__type":
		if g.introspects == 0 {
			g.introspects = start + 1
		}
	}
	if g.depth > 0 && g.parens == 0 && g.pos < len(g.text) && g.text[g.pos] == ':' {
		g.aliases++
	}
}

// takeSpread notes which fragment is spread in the one at hand.
func (g *graphql) takeSpread() {
	name := g.word()
	if len(name) == 0 || string(name) == "on" || g.depth == 0 || g.current < 0 {
		return
	}
	if n := g.number(name); n >= 0 {
		g.spread[g.current] |= 1 << n
	}
}

// number returns the number of the fragment called name; -1 where there are too many.
func (g *graphql) number(name []byte) int {
	for i := range g.fragments {
		if bytes.Equal(g.names[i], name) {
			return i
		}
	}
	if g.fragments == maxFragments {
		return -1
	}
	g.names[g.fragments] = name
	g.fragments++
	return g.fragments - 1
}

// circular reports whether a fragment holds itself.
func (g *graphql) circular() bool {
	for k := range g.fragments {
		for i := range g.fragments {
			if g.spread[i]>>k&1 != 0 {
				g.spread[i] |= g.spread[k]
			}
		}
	}
	for i := range g.fragments {
		if g.spread[i]>>i&1 != 0 {
			return true
		}
	}
	return false
}
