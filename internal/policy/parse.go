package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"gatehouse/internal/detect"
)

// MaxBytes bounds the text of a policy.
const MaxBytes = 256 << 10

// maxErrors bounds how many mistakes Parse reports at once.
const maxErrors = 100

// Error is one mistake in the text of a policy.
type Error struct {
	Line, Column int    // from 1, in characters
	Key          string // "egress.rules[2].ports"; "" for the text as a whole
	Problem      string
}

func (e *Error) Error() string {
	at := fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
	if e.Key != "" {
		at += e.Key + ": "
	}
	return at + e.Problem
}

// Parse reads a policy in YAML, version 1. Unknown keys and wrong values are
// errors with line and column, all of them at once (errors.Join of *Error; after
// the hundredth they are only counted). sources are the event sources that there
// are, with their forms; without any, only the shape of their names is checked.
func Parse(text []byte, sources ...detect.Source) (*Policy, error) {
	root, err := load(text)
	if err != nil {
		return nil, err
	}
	r := &reader{policy: Default(), sources: sources}
	sum := sha256.Sum256(text)
	r.policy.Hash = hex.EncodeToString(sum[:6])
	r.root(root)
	if err := r.err(); err != nil {
		return nil, err
	}
	return r.policy, nil
}

// load reads text as one YAML document and returns its top node.
func load(text []byte) (*yaml.Node, error) {
	if len(text) > MaxBytes {
		return nil, &Error{1, 1, "", fmt.Sprintf("%d bytes are too many; a policy has at most %d", len(text), MaxBytes)}
	}
	if err := checkText(text); err != nil {
		return nil, err
	}
	var documents []yaml.Node
	if err := yaml.Load(text, &documents, yaml.WithAllDocuments()); err != nil {
		return nil, syntaxError(err)
	}
	if len(documents) == 0 || len(documents[0].Content) == 0 {
		return nil, &Error{1, 1, "version", "missing; wants 1"}
	}
	if len(documents) > 1 {
		n := &documents[1]
		return nil, &Error{max(n.Line, 1), max(n.Column, 1), "", "a second document; a policy is one"}
	}
	root := documents[0].Content[0]
	if n := aliasIn(root); n != nil {
		return nil, &Error{max(n.Line, 1), max(n.Column, 1), "", "aliases are not supported; write the value again"}
	}
	return root, nil
}

// aliasIn returns the first alias in n, or nil. Nesting is bounded by the YAML
// library.
func aliasIn(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n
	}
	for _, c := range n.Content {
		if a := aliasIn(c); a != nil {
			return a
		}
	}
	return nil
}

// checkText refuses what the YAML reader refuses without saying where.
func checkText(text []byte) error {
	line, column := 1, 1
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRune(text[i:])
		if c == utf8.RuneError && size == 1 {
			return &Error{line, column, "", "not UTF-8"}
		}
		if !printable(c) && (c != '\uFEFF' || i > 0) {
			return &Error{line, column, "", fmt.Sprintf("control character %U", c)}
		}
		if c == '\n' {
			line, column = line+1, 0
		}
		i, column = i+size, column+1
	}
	return nil
}

// printable is c-printable of YAML 1.2.2, section 5.1.
func printable(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c == 0x85 ||
		c >= 0x20 && c <= 0x7e || c >= 0xa0 && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd && c != 0xfeff || c >= 0x10000
}

// syntaxError gives an error of the YAML library our form.
func syntaxError(err error) error {
	var one *yaml.LoadError
	if !errors.As(err, &one) {
		return &Error{1, 1, "", err.Error()}
	}
	return &Error{max(one.Mark.Line, 1), max(one.Mark.Column, 1), "", one.Message}
}

// reader turns nodes into a policy and gathers what is wrong with them.
type reader struct {
	policy  *Policy
	sources []detect.Source
	errs    []*Error
	more    int                              // mistakes beyond maxErrors
	keys    func(key string, names []string) // is told which keys there are where; nil: nobody
}

func (r *reader) fail(n *yaml.Node, key, format string, args ...any) {
	if len(r.errs) >= maxErrors {
		r.more++
		return
	}
	r.errs = append(r.errs, &Error{max(n.Line, 1), max(n.Column, 1), key, fmt.Sprintf(format, args...)})
}

func (r *reader) err() error {
	all := make([]error, 0, len(r.errs)+1)
	for _, e := range r.errs {
		all = append(all, e)
	}
	if r.more > 0 {
		last := r.errs[len(r.errs)-1]
		all = append(all, &Error{last.Line, last.Column, "", fmt.Sprintf("and %d more after this", r.more)})
	}
	return errors.Join(all...)
}

// field is one key of a mapping and what reads its value; where there is no read,
// the key belongs to the grammar and this version does not act on it.
type field struct {
	name string
	read func(value *yaml.Node, key string)
}

// mapping reads n, whose own key is key, as a mapping of fields. It returns the
// names that were given.
func (r *reader) mapping(n *yaml.Node, key string, fields []field) (given []string) {
	if r.keys != nil {
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.name
		}
		r.keys(key, names)
	}
	r.entries(n, key, func(name, value *yaml.Node) {
		given = append(given, name.Value)
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == name.Value })
		switch at := join(key, name.Value); {
		case i < 0:
			r.unknown(name, key, fields)
		case fields[i].read == nil:
			r.fail(name, at, "is not supported by this version")
		default:
			fields[i].read(value, at)
		}
	})
	return given
}

func (r *reader) unknown(name *yaml.Node, key string, fields []field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	r.fail(name, key, "unknown key %s; the nearest is %q", quote(name.Value), Nearest(name.Value, names))
}

// entries calls f with every key and value of the mapping n. An empty value is an
// empty mapping.
func (r *reader) entries(n *yaml.Node, key string, f func(name, value *yaml.Node)) {
	if empty(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, key, "wants keys and values")
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if name.Kind != yaml.ScalarNode {
			r.fail(name, key, "wants a word as key")
			continue
		}
		if line, twice := seen[name.Value]; twice {
			r.fail(name, key, "key %s is given twice, first on line %d", quote(name.Value), line)
			continue
		}
		seen[name.Value] = name.Line
		f(name, value)
	}
}

// items returns the elements of the list n; a single value is a list of one, an
// empty value a list of none.
func (r *reader) items(n *yaml.Node, key string) []*yaml.Node {
	switch {
	case empty(n):
		return nil
	case n.Kind == yaml.ScalarNode:
		return []*yaml.Node{n}
	case n.Kind == yaml.SequenceNode:
		return n.Content
	}
	r.fail(n, key, "wants a list")
	return nil
}

// text returns the value of the scalar n; ok is false, and the mistake noted,
// when there is none.
func (r *reader) text(n *yaml.Node, key, wants string) (value string, ok bool) {
	if n.Kind == yaml.ScalarNode && !empty(n) && n.Value != "" {
		return n.Value, true
	}
	r.fail(n, key, "%s", wants)
	return "", false
}

// empty reports whether nothing stands where a value could.
func empty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// quote quotes what a policy says in at most 64 bytes of it.
func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return fmt.Sprintf("%q", s)
}
