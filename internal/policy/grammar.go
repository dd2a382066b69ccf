package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"gatehouse/internal/detect"
)

func (r *reader) root(n *yaml.Node) {
	p := r.policy
	given := r.mapping(n, "", []field{
		{"version", r.version},
		{"mode", choice(r, &p.Mode, word[Mode]{"monitor", Monitor}, word[Mode]{"enforce", Enforce})},
		{"events", r.events},
		{"egress", r.egress},
		{"secrets", r.secrets},
		{"responses", r.responses},
		{"records", r.records},
	})
	if !slices.Contains(given, "version") {
		r.fail(n, "version", "missing; wants 1")
	}
}

func (r *reader) version(n *yaml.Node, key string) {
	if n.Kind != yaml.ScalarNode || n.Value != "1" {
		r.fail(n, key, "wants 1")
	}
}

// word is a value as written and what it means.
type word[T any] struct {
	text    string
	meaning T
}

// choice reads one of words into what into points at.
func choice[T any](r *reader, into *T, words ...word[T]) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		texts := make([]string, len(words))
		for i, w := range words {
			if n.Kind == yaml.ScalarNode && n.Value == w.text {
				*into = w.meaning
				return
			}
			texts[i] = w.text
		}
		wants := strings.Join(texts[:len(texts)-1], ", ") + " or " + texts[len(texts)-1]
		if n.Kind == yaml.ScalarNode {
			wants += ", not " + quote(n.Value)
		}
		r.fail(n, key, "wants %s", wants)
	}
}

func (r *reader) events(n *yaml.Node, key string) {
	r.mapping(n, key, []field{
		{"profile", choice(r, &r.policy.Profile, word[Profile]{"block", ProfileBlock}, word[Profile]{"detect", ProfileDetect})},
		{"on_budget", choice(r, &r.policy.OnBudgetClosed, word[bool]{"open", false}, word[bool]{"closed", true})},
		{"exceptions", r.exceptions},
		{"refuse", r.refuse},
	})
}

func (r *reader) exceptions(n *yaml.Node, key string) {
	for i, item := range r.items(n, key) {
		at := fmt.Sprintf("%s[%d]", key, i)
		var e exception
		given := r.mapping(item, at, []field{
			{"rule", r.word(&e.rule, "wants a rule id, such as sqli.tautology", isRuleID)},
			{"path", func(n *yaml.Node, key string) { e.path, e.parts = r.path(n, key) }},
			{"source", r.source(&e.source)},
			{"until", func(n *yaml.Node, key string) {
				if text, ok := r.text(n, key, errUntil.Error()); ok {
					e.until = value(r, n, key, text, parseUntil)
				}
			}},
			{"reason", func(n *yaml.Node, key string) { _, _ = r.text(n, key, "wants words") }},
		})
		r.require(item, at, given, "rule", "path", "reason")
		r.policy.file.exceptions = append(r.policy.file.exceptions, e)
	}
}

func (r *reader) path(n *yaml.Node, key string) (path string, parts []part) {
	path, _ = r.text(n, key, errPath.Error())
	if path == "" {
		return "", nil
	}
	return path, value(r, n, key, path, parsePath)
}

func (r *reader) refuse(n *yaml.Node, key string) {
	words := make([]word[detect.Form], len(detect.Forms))
	for f, text := range detect.Forms {
		words[f] = word[detect.Form]{text, detect.Form(f)}
	}
	r.entries(n, key, func(name, value *yaml.Node) {
		var source string
		var form detect.Form
		r.source(&source)(name, key)
		before := len(r.errs)
		choice(r, &form, words...)(value, join(key, name.Value))
		if s := r.known(source); s != nil && len(r.errs) == before && !s.Offers(form) {
			r.fail(value, join(key, name.Value), "%s offers %s, not %s", source, formsOf(s), form)
		}
		put(&r.policy.file.refuse, source, form)
	})
}

// known returns the event source called name; nil where there is none, or where
// the caller does not know any.
func (r *reader) known(name string) *detect.Source {
	for i := range r.sources {
		if r.sources[i].Name == name {
			return &r.sources[i]
		}
	}
	return nil
}

// formsOf lists the forms of s, its own first.
func formsOf(s *detect.Source) string {
	list := s.Form.String()
	for _, f := range s.Others {
		if f != s.Form {
			list += ", " + f.String()
		}
	}
	return list
}

func (r *reader) secrets(n *yaml.Node, key string) {
	r.mapping(n, key, []field{
		{"watch", r.listed(true)},
		{"ignore", r.listed(false)},
		{"hosts", r.secretHosts},
		{"aws_accounts", r.accounts},
		{"on_budget", choice(r, &r.policy.UninspectedClosed, word[bool]{"open", false}, word[bool]{"closed", true})},
		{"on_leak", choice(r, &r.policy.OnLeak,
			word[OnLeak]{"monitor", LeakMonitor}, word[OnLeak]{"block", LeakBlock}, word[OnLeak]{"halt", LeakHalt})},
	})
}

func (r *reader) responses(n *yaml.Node, key string) {
	r.mapping(n, key, []field{
		{"action", choice(r, &r.policy.Responses,
			word[ResponseAction]{"monitor", ResponseMonitor}, word[ResponseAction]{"mask", ResponseMask},
			word[ResponseAction]{"refuse", ResponseRefuse})},
	})
}

func (r *reader) accounts(n *yaml.Node, key string) {
	for i, item := range r.items(n, key) {
		at := fmt.Sprintf("%s[%d]", key, i)
		var account string
		r.word(&account, "wants the 12 digits of an AWS account", isAccount)(item, at)
		r.policy.file.accounts = append(r.policy.file.accounts, account)
	}
}

const wantsVariable = "wants the name of a secret: an environment variable, or secretsmanager:NAME, ssm:NAME"

// listed reads the names of secrets.watch or secrets.ignore.
func (r *reader) listed(watch bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		for i, item := range r.items(n, key) {
			at := fmt.Sprintf("%s[%d]", key, i)
			var name string
			r.word(&name, wantsVariable, isSecretName)(item, at)
			if before, twice := r.policy.file.secrets[name]; twice && before != watch {
				r.fail(item, at, "%s is both watched and ignored", name)
			}
			if name != "" {
				put(&r.policy.file.secrets, name, watch)
			}
		}
	}
}

func (r *reader) secretHosts(n *yaml.Node, key string) {
	r.entries(n, key, func(name, value *yaml.Node) {
		at := join(key, name.Value)
		if !isSecretName(name.Value) {
			r.fail(name, key, "%s, not %s", wantsVariable, quote(name.Value))
		}
		hosts := r.hostPatterns(value, at)
		if slices.ContainsFunc(hosts, func(h hostPattern) bool { return h.any }) {
			r.fail(value, at, "* would let the secret go anywhere; secrets.ignore says that")
		}
		put(&r.policy.file.secretHosts, name.Value, hosts)
	})
}

// require notes the names of a mapping that were not given.
func (r *reader) require(n *yaml.Node, key string, given []string, names ...string) {
	for _, name := range names {
		if !slices.Contains(given, name) {
			r.fail(n, join(key, name), "missing")
		}
	}
}

// word reads a scalar that ok accepts.
func (r *reader) word(into *string, wants string, ok func(string) bool) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		text, given := r.text(n, key, wants)
		if given && !ok(text) {
			r.fail(n, key, "%s, not %s", wants, quote(text))
			return
		}
		*into = text
	}
}

// source reads the name of an event source.
func (r *reader) source(into *string) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		if text, ok := r.text(n, key, errSource.Error()); ok {
			*into = value(r, n, key, text, r.sourceName)
		}
	}
}

var errSource = errors.New("wants the name of an event source, such as sns or apigateway-rest")

// sourceName checks the name of an event source, or its shape alone where the
// caller does not know any.
func (r *reader) sourceName(text string) (string, error) {
	switch {
	case !isSource(text):
		return "", errSource
	case len(r.sources) == 0 || r.known(text) != nil:
		return text, nil
	}
	names := make([]string, len(r.sources))
	for i := range r.sources {
		names[i] = r.sources[i].Name
	}
	return "", fmt.Errorf("wants the name of an event source, the nearest is %q", Nearest(text, names))
}

// value parses text, which n holds, and notes the mistake.
func value[T any](r *reader, n *yaml.Node, key, text string, parse func(string) (T, error)) T {
	v, err := parse(text)
	if err != nil {
		r.fail(n, key, "%v, not %s", err, quote(text))
	}
	return v
}

func isSource(s string) bool { return of(s, "-") }

// isRuleID accepts kind.what-it-sees.
func isRuleID(s string) bool {
	kind, what, ok := strings.Cut(s, ".")
	return ok && of(kind, "-") && of(what, "-")
}

// TokenName is how secrets.hosts calls the tokens of a vendor that are no variable's:
// token:github.
func TokenName(vendor string) string {
	return "token:" + strings.ReplaceAll(strings.ToLower(vendor), " ", "-")
}

// isSecretName accepts a variable, a part of one behind a slash, what AWS's services
// call a secret, and the tokens of a vendor.
func isSecretName(s string) bool {
	if vendor, ok := strings.CutPrefix(s, "token:"); ok {
		return vendor != "" && of(vendor, "-.")
	}
	for _, service := range [...]string{"secretsmanager:", "ssm:", "kms:"} {
		if rest, ok := strings.CutPrefix(s, service); ok {
			return rest != "" && len(rest) <= 1024 && of(strings.ToLower(rest), "/_+=.@-")
		}
	}
	variable, part, parted := strings.Cut(s, "/")
	return isVariable(variable) && (!parted || part != "" && of(strings.ToLower(part), "_.-"))
}

// isVariable accepts the names that Lambda accepts: a letter, then letters,
// digits and underscores; a leading underscore as the shell does.
func isVariable(s string) bool {
	return s != "" && of(strings.ToLower(s), "_") && (s[0] < '0' || s[0] > '9')
}

// of reports whether s is of lower case letters, digits and the bytes of extra.
func of(s, extra string) bool {
	return s != "" && strings.IndexFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(extra, c)
	}) < 0
}

// put sets a key of a map that is made with its first one.
func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	(*m)[key] = value
}
