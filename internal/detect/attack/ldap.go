package attack

import (
	"bytes"

	"gatehouse/internal/detect"
)

// Places in ldapRules.
const (
	ldapFilter = iota
	ldapFragment
)

var ldapRules = []rule{
	ldapFilter:   {id: "ldap.filter", signature: "LDAP injection", category: "ldap", severity: detect.High, score: likely},
	ldapFragment: {id: "ldap.fragment", signature: "Filter of LDAP", category: "ldap", severity: detect.Low, score: suspect, weak: true},
}

// ldapFamily finds values that close the filter of a search which they did not open,
// and go on with another.
var ldapFamily = family{
	tokens:  []string{")(", "*)", "(&", "(|(", "(!(", "objectclass", "(|", "()|"},
	applies: func(c class) bool { return c&paren != 0 },
	rules:   ldapRules,
	match:   matchLDAP,
}

func matchLDAP(in *inspection, p *probe) (r *rule, at int) {
	value := p.span()
	if !in.spend(len(value)) {
		return nil, 0
	}
	depth := 0
	for i, c := range value {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth < 0 && breaksOut(value, i) {
				return &ldapRules[ldapFilter], p.from + i
			}
			depth = max(depth, 0)
		}
	}
	if len(value) < len(p.value) {
		return nil, 0
	}
	switch v := bytes.TrimRight(value, "\x00"); {
	case wholeFilter(v) && impossible(v):
		return &ldapRules[ldapFilter], 0
	case in.weak && (wholeFilter(v) || metaOnly(v)):
		return &ldapRules[ldapFragment], 0
	}
	return nil, 0
}

// breaksOut reports whether the ) at i, which closes what the value did not open, is
// followed by what goes on with the filter: )(cn=, )(&, ))(|(, or NUL behind *).
func breaksOut(value []byte, i int) bool {
	star := i > 0 && value[i-1] == '*'
	rest := value[i+1:]
	closing := 0
	for closing < len(rest) && closing < maxClosing && rest[closing] == ')' {
		closing++
	}
	rest = rest[closing:]
	if len(rest) > 0 && rest[0] == 0 {
		return star
	}
	opening := 0
	for opening < len(rest) && opening < maxClosing && rest[opening] == '(' {
		opening++
	}
	if opening == 0 {
		return false
	}
	rest = rest[opening:]
	if len(rest) > 0 && (rest[0] == '&' || rest[0] == '|' || rest[0] == '!') {
		return len(rest) == 1 || rest[1] == '(' || rest[1] == ')' || assertion(rest[1:])
	}
	return assertion(rest)
}

// maxClosing is how many parentheses in a row are counted.
const maxClosing = 8

// maxLDAPAttribute is how long an attribute's name can be, in bytes.
const maxLDAPAttribute = 40

// assertion reports whether b begins with an attribute, a comparison and a value of
// a filter, as they stand in no other language.
func assertion(b []byte) bool {
	n := 0
	for n < len(b) && n < maxLDAPAttribute && (classOf[b[n]]&(letter|digit) != 0 || b[n] == '-' || b[n] == '.' || b[n] == ':') {
		n++
	}
	if n == 0 || n == len(b) {
		return false
	}
	if b[n] == '>' || b[n] == '<' || b[n] == '~' {
		n++
	}
	if n >= len(b) || b[n] != '=' {
		return false
	}
	return n+1 == len(b) || b[n+1] != '=' && b[n+1] != '>' && classOf[b[n+1]]&(blank|quote) == 0
}

// wholeFilter reports whether b is a filter: (&(a=b)(c=d)), (objectClass=*).
func wholeFilter(b []byte) bool {
	if bytes.IndexByte(b, ' ') >= 0 {
		return false
	}
	operator := false
	for len(b) > 3 && b[0] == '(' && (b[1] == '&' || b[1] == '|' || b[1] == '!') {
		operator, b = true, b[2:]
	}
	if len(b) < 2 || b[0] != '(' {
		return false
	}
	return assertion(b[1:]) && (operator || bytes.HasSuffix(b, []byte("=*)")))
}

// impossible reports whether a filter compares numbers, or asks for a password.
func impossible(b []byte) bool {
	if indexFold(b, "(userpassword=") >= 0 {
		return true
	}
	for i := 0; i+4 < len(b); i++ {
		if b[i] == '(' && classOf[b[i+1]]&digit != 0 && b[i+2] == '=' && classOf[b[i+3]]&digit != 0 && b[i+4] == ')' {
			return true
		}
	}
	return false
}

// metaOnly reports whether b is made of what means something in a filter, and of
// nothing else.
func metaOnly(b []byte) bool {
	if len(b) < 2 || len(b) > 16 || bytes.IndexByte(b, '*') < 0 {
		return false
	}
	return len(bytes.Trim(b, "*()|&!='\\\x00")) == 0
}
