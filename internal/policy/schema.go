package policy

import (
	"encoding/json"

	"gatehouse/internal/detect"
)

// schema is a JSON Schema, as far as policies need it.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        string             `json:"type,omitempty"`
	Const       any                `json:"const,omitempty"`
	Enum        []any              `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Minimum     *float64           `json:"minimum,omitempty"`
	Maximum     *float64           `json:"maximum,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Closed      *bool              `json:"additionalProperties,omitempty"`
	Any         *schema            `json:"-"`
	Items       *schema            `json:"items,omitempty"`
	Required    []string           `json:"required,omitempty"`
	OneOf       []*schema          `json:"oneOf,omitempty"`
	AnyOf       []*schema          `json:"anyOf,omitempty"`
}

// MarshalJSON writes Any, which shares a keyword with Closed.
func (s *schema) MarshalJSON() ([]byte, error) {
	type plain schema
	if s.Any == nil {
		return json.Marshal((*plain)(s))
	}
	return json.Marshal(struct {
		*plain
		Any *schema `json:"additionalProperties"`
	}{(*plain)(s), s.Any})
}

func object(description string, properties map[string]*schema) *schema {
	return &schema{Description: description, Type: "object", Properties: properties, Closed: new(bool)}
}

func words(description string, values ...any) *schema {
	return &schema{Description: description, Enum: values}
}

func text(description, pattern string) *schema {
	return &schema{Description: description, Type: "string", Pattern: pattern}
}

// some is one value or a list of them.
func some(one *schema) *schema {
	return &schema{Description: one.Description, AnyOf: []*schema{one, {Type: "array", Items: one}}}
}

// Schema returns the JSON Schema (2020-12) of a policy, for editors. Parse says more:
// what it refuses, this may accept.
func Schema() []byte {
	out, err := json.MarshalIndent(policySchema(), "", "  ")
	if err != nil {
		panic(err) // made of strings alone
	}
	return append(out, '\n')
}

func policySchema() *schema {
	root := object("docs/policy.md says what each key means", map[string]*schema{
		"version":   {Const: 1},
		"mode":      words("record only, or refuse", "monitor", "enforce"),
		"events":    eventsSchema(),
		"egress":    egressSchema(),
		"secrets":   secretsSchema(),
		"records":   recordsSchema(),
		"responses": object("", map[string]*schema{"action": words("what becomes of a response that holds a secret", "monitor", "mask", "refuse")}),
	})
	root.Schema, root.Title, root.Required = "https://json-schema.org/draft/2020-12/schema", "A policy of Gatehouse's", []string{"version"}
	return root
}

func eventsSchema() *schema {
	exception := object("findings of one rule at one place that pass", map[string]*schema{
		"rule": text("a rule id: sqli.tautology", `^[a-z0-9-]+\.[a-z0-9-]+$`), "path": text("a JSON path: Records[*].body", ""),
		"source": text("an event source: sns", ""), "until": text("the last day: 2026-12-31", ""), "reason": text("why", ""),
	})
	exception.Required = []string{"rule", "path", "reason"}
	return object("events that come in", map[string]*schema{
		"profile": words("rules that may refuse, or weak ones as well", "block", "detect"), "on_budget": words("what becomes of an event that is too much to inspect", "open", "closed"),
		"exceptions": {Type: "array", Items: exception}, "refuse": {Description: "event source: form", Type: "object", Any: words("", forms()...)},
	})
}

func egressSchema() *schema {
	host := text("a host name, *.suffix, an address or a block, aws:self, aws:s3/BUCKET, aws:s3:ACCOUNT, github:OWNER, slack:TEAM, discord:WEBHOOK or *", "")
	answer := func() *schema { return words("", "allow", "monitor", "refuse") }
	one := object("", map[string]*schema{
		"allow": some(host), "deny": some(host), "ports": some(&schema{AnyOf: []*schema{{Type: "integer"}, text("", `^[0-9]+(-[0-9]+)?$`)}}),
		"methods": some(text("an HTTP method", "")), "paths": some(text("a path, or a prefix that ends in *", "^/")),
		"phases": some(words("", "init", "invoke", "after_response", "shutdown")), "sources": some(text("an event source", "")), "reason": text("why", ""),
	})
	one.OneOf = []*schema{{Required: []string{"allow"}}, {Required: []string{"deny"}}}
	return object("connections that go out", map[string]*schema{
		"default":           words("what becomes of a target that no rule names", "allow", "deny"),
		"init":              words("the same while the function initializes", "allow", "deny"),
		"hosts":             {Description: "host: address to dial", Type: "object", Any: text("", "")},
		"private_addresses": words("RFC 1918, 4193, 6598", "allow", "deny"),
		"builtin_lists":     object("", map[string]*schema{"tier1": answer(), "tier2": answer()}),
		"lookalikes":        answer(),
		"rules":             {Type: "array", Items: one},
		"inspect": object("", map[string]*schema{
			"tls": {Type: "boolean", Description: "decrypt TLS"}, "bypass": some(host), "snapstart": {Type: "boolean", Description: "under SnapStart too"},
		}),
		"event_data": object("", map[string]*schema{"host": answer(), "request": answer(), "hosts": some(host)}),
	})
}

func secretsSchema() *schema {
	return object("the function's secrets", map[string]*schema{
		"watch": some(text("a variable's name", "")), "ignore": some(text("a secret's name", "")), "hosts": {Description: "secret: hosts", Type: "object", Any: some(text("a host", ""))},
		"aws_accounts": some(&schema{AnyOf: []*schema{text("12 digits", "^[0-9]{12}$"), {Type: "integer"}}}), "on_leak": words("", "monitor", "block", "halt"),
		"on_budget": words("what becomes of a body of which not all can be decoded", "open", "closed"),
	})
}

func recordsSchema() *schema {
	return object("what is sent of what was seen", map[string]*schema{
		"logs":   {Type: "boolean", Description: "whether lines of the function and of extensions are sent"},
		"level":  words("lines of less weight are left out", "trace", "debug", "info", "warn", "error", "fatal"),
		"sample": {Type: "number", Minimum: new(0.0), Maximum: new(1.0), Description: "the part of the invocations whose lines are sent"},
		"event":  words("whether findings hold the event", "whole", "none"),
		"masks": object("what is hidden in it, beside the function's own secrets", map[string]*schema{
			"defaults": {Type: "boolean", Description: "passwords, credentials, cookies and card numbers"},
			"paths":    some(text("a JSON path: Records[*].body.iban, **.iban", "")), "headers": some(text("a header's name", "")),
			"patterns": some(text("a regular expression; where it has groups, these are hidden", "")),
		}),
	})
}

// forms are the words for how an event is refused.
func forms() []any {
	var list []any
	for _, f := range detect.Forms {
		list = append(list, f)
	}
	return list
}
