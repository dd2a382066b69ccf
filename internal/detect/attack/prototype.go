package attack

import (
	"bytes"
	"strings"

	"gatehouse/internal/detect"
)

// Places in prototypeRules.
const (
	prototypeKey = iota
	prototypePath
	prototypeName
)

var prototypeRules = []rule{
	prototypeKey:  {id: "prototype.key", signature: "Prototype pollution by a key", category: "prototype-pollution", severity: detect.High, score: sure},
	prototypePath: {id: "prototype.path", signature: "Prototype pollution by a path", category: "prototype-pollution", severity: detect.High, score: refuseAt + 2},
	prototypeName: {id: "prototype.name", signature: "Name of a prototype in code", category: "prototype-pollution", severity: detect.Low, score: suspect, weak: true},
}

var prototypeFamily = family{tokens: []string{"__proto__", "prototype"}, rules: prototypeRules, match: matchPrototype}

// matchPrototype finds names by which a merge or a set of nested members reaches
// the prototype that all objects share: as a key, as the name of a form's field,
// or as a path in a value.
func matchPrototype(in *inspection, p *probe) (r *rule, at int) {
	text := p.value
	if len(text) > maxPrototypePath {
		text = p.span()
	}
	if !in.spend(len(text)) {
		return nil, 0
	}
	key := in.atKey()
	if key && string(text) == "prototype" && string(in.parentKey()) == "constructor" {
		return &prototypeRules[prototypeKey], 0
	}
	at = prototypeAt(text)
	if at < 0 {
		return nil, 0
	}
	path := isMemberPath(text)
	switch {
	case path && (key || in.atName(p.value) || bytes.IndexByte(text, '=') > at):
		return &prototypeRules[prototypeKey], at
	case path && at == 0:
		return &prototypeRules[prototypePath], at
	}
	for i := at; i >= 0; i = prototypeAfter(text, i) {
		if isMember(text, i) {
			return &prototypeRules[prototypePath], p.from + i
		}
	}
	if in.weak {
		return &prototypeRules[prototypeName], p.from + at
	}
	return nil, 0
}

// prototypeAfter is where the next name of a prototype is, behind the one at
// text[at:].
func prototypeAfter(text []byte, at int) int {
	at += len("__proto__")
	if n := prototypeAt(text[at:]); n >= 0 {
		return at + n
	}
	return -1
}

// maxPrototypePath is the longest value that is read whole, in bytes.
const maxPrototypePath = 1024

// mayPollute reports whether a short plain word is worth asking the families
// about: it may be a name of the prototype.
func mayPollute(word []byte) bool {
	return len(word) == 9 && (string(word) == "__proto__" || string(word) == "prototype")
}

// prototypeAt returns where in text a prototype is named first so that it can be
// reached: -1 where it is not.
func prototypeAt(text []byte) int {
	const name = "constructor"
	for i, c := range text {
		switch {
		case c == '_' && bytes.HasPrefix(text[i:], []byte("__proto__")):
			return i
		case c == 'c' && bytes.HasPrefix(text[i:], []byte(name)):
			rest := bytes.TrimLeft(text[i+len(name):], ".[]'\"\\")
			if bytes.HasPrefix(rest, []byte("prototype")) && text[i+len(name)] != rest[0] {
				return i
			}
		}
	}
	return -1
}

// isMemberPath reports whether text is nothing but a path to a member, which may be
// assigned to: a.__proto__.b, __proto__[b]=c.
func isMemberPath(text []byte) bool {
	name, _, _ := bytes.Cut(text, []byte("="))
	for _, c := range name {
		if classOf[c]&(letter|digit|dash|bracket|high) == 0 && c != '.' && c != '\'' && c != '"' && c != '$' {
			return false
		}
	}
	i := prototypeAt(name)
	return i == 0 || i > 0 && strings.IndexByte(".['\"", name[i-1]) >= 0
}

// maxMember is the longest name of a field that is read behind a prototype's, in bytes.
const maxMember = 128

// isMember reports whether the name at text[at:] is a member in a fragment of
// JSON, as {"__proto__": in text that begins as an object, or a field's name as
// &__proto__[x]= in a query string.
func isMember(text []byte, at int) bool {
	if at == 0 {
		return false
	}
	before, rest := text[at-1], text[at:min(len(text), at+maxMember)]
	switch before {
	case '"', '\'':
		end := bytes.IndexByte(rest, before)
		if end < 0 {
			return false
		}
		rest = bytes.TrimLeft(rest[end+1:], " \t\r\n")
		begin := bytes.TrimLeft(text, " \t\r\n")
		return len(rest) > 0 && rest[0] == ':' && (begin[0] == '{' || begin[0] == '[')
	case '?', '&', ';':
		end := bytes.IndexAny(rest, "= &\n")
		return end > 0 && rest[end] == '=' && isMemberPath(rest[:end])
	}
	return false
}

// atKey reports whether the value at hand is the key of an object.
func (in *inspection) atKey() bool {
	l := &in.layers[in.top]
	for i := in.top; i > 0 && !l.json; i-- {
		if l.name != nil {
			return false
		}
		l = &in.layers[i-1]
	}
	return l.json && l.scanner.state == wantColon
}

// parentKey is the key under which the object lies that the key at hand belongs
// to, as written; nil where there is none.
func (in *inspection) parentKey() []byte {
	l := &in.layers[in.top]
	if !l.json || len(l.scanner.frames) < 2 {
		return nil
	}
	f := &l.scanner.frames[len(l.scanner.frames)-2]
	if f.array || f.keyEnd == 0 {
		return nil
	}
	return f.key(l.scanner.text)
}

// atName reports whether value is the name of a form's field.
func (in *inspection) atName(value []byte) bool {
	l := &in.layers[in.top]
	return !l.json && len(value) > 0 && bytes.HasPrefix(l.name, value[:min(len(value), len("__proto__"))]) && len(l.name) >= len(value)
}
