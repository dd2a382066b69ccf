package attack

import "math/bits"

// family is what finds the rules of one kind of attack: one value, one file, and a
// corpus for each rule.
type family struct {
	// tokens are words, in lower case, without one of which match finds nothing. They
	// are looked for in any case, all families' in one pass (see anchor.go; run go
	// generate after a change). None: only applies decides.
	tokens []string
	// confirm says of a token at value[start:end] whether it counts, at a glance; nil:
	// it does.
	confirm func(value []byte, start, end int) bool
	// applies says from the kinds of byte alone whether match is worth calling; nil:
	// it always is.
	applies func(c class) bool
	// rules are what match can return.
	rules []rule
	// match returns the rule that a value breaks, nil for none, and where in the
	// value the reason begins. It reads no more than p.span, a bounded number of
	// times, and takes what it reads from the budget of in. Weak rules are returned
	// only where in.weak is set.
	match func(in *inspection, p *probe) (r *rule, at int)
}

// families are asked in this order. The first that is sure speaks for the value.
var families = [...]*family{
	&xpathFamily, // before SQL, which has conditions like it
	&sqlFamily,
	&sqlPhrases,
	&shellFamily,
	&xxeFamily,
	&referenceFamily,
	&ssiFamily,
	&nosqlFamily,
	&lookupFamily,
	&sstiFamily,
	&xssFamily,
	&scriptFamily,
	&codeFamily,
	&prototypeFamily,
	&deserFamily,
	&rawFamily,
	&lfiFamily,
	&wrapperFamily,
	&ssrfFamily,
	&crlfFamily,
	&ldapFamily,
	&graphqlFamily,
	&scannerFamily,
}

// probe is one value as a family sees it.
type probe struct {
	value []byte // all of it, decoded
	class class  // the kinds of byte in value
	// from and to delimit the part in which the family's tokens stand, with
	// tokenBefore and tokenAfter bytes of margin. All of value without tokens.
	from, to int
}

// The margins round a family's tokens, in bytes: what an attack has before its
// first token, and behind its last one.
const (
	tokenBefore = 512
	tokenAfter  = 2048
)

// span is the part of the value that is worth reading.
func (p *probe) span() []byte { return p.value[p.from:p.to] }

// asked reports whether f, whose tokens are in hits if it has any, is worth asking,
// and sets the part of the value that it is asked about.
func (f *family) asked(i int, hits *hits, p *probe) bool {
	if f.applies != nil && !f.applies(p.class) {
		return false
	}
	if f.tokens == nil {
		p.from, p.to = 0, len(p.value)
		return true
	}
	p.from = max(0, hits.first[i]-tokenBefore)
	p.to = min(len(p.value), hits.last[i]+tokenAfter)
	return true
}

// opinion is what all families together say of one value.
type opinion struct {
	rule  *rule // the heaviest
	at    int
	score int
}

// ask puts value before the families until their word is enough to refuse.
func (in *inspection) ask(value []byte, c class) (o opinion) {
	p := &in.probe
	*p = probe{value: value, class: c}
	if !in.spend(len(value)) {
		return opinion{}
	}
	in.hits.find(value)
	for asked := in.hits.families | tokenless; asked != 0; asked &= asked - 1 {
		i := bits.TrailingZeros64(asked)
		f := families[i]
		if !f.asked(i, &in.hits, p) {
			continue
		}
		if in.trusted() {
			return opinion{}
		}
		r, at := f.match(in, p)
		if r == nil || in.excepted(r) {
			continue
		}
		if o.add(r, at); o.score >= surely {
			break
		}
	}
	return o
}

// add takes r into the opinion. A weak rule speaks only where no other one does, and
// adds to none: what may be refused is the same in both profiles.
func (o *opinion) add(r *rule, at int) {
	switch {
	case o.rule != nil && r.weak:
	case o.rule == nil || o.rule.weak:
		*o = opinion{rule: r, at: at, score: r.score}
	default:
		if r.score > o.rule.score {
			o.rule, o.at = r, at
		}
		o.score += r.score
	}
}
