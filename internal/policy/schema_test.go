package policy

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// everywhere has every mapping that a policy can have.
const everywhere = `
version: 1
events: {exceptions: [{rule: sqli.tautology, path: q, reason: a}], refuse: {sns: success}}
egress:
  builtin_lists: {}
  rules: [{allow: a.test}]
  inspect: {}
  event_data: {}
  hosts: {a.test: 127.0.0.1}
secrets: {hosts: {A: a.test}}
responses: {}
records: {masks: {}}
`

// The schema knows the keys that the parser knows, at each place.
func TestSchemaKeys(t *testing.T) {
	root, err := load([]byte(everywhere))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]string{}
	r := &reader{policy: Default(), keys: func(key string, names []string) {
		keys[strings.NewReplacer("[0]", "").Replace(key)] = names
	}}
	r.root(root)
	if err := r.err(); err != nil {
		t.Fatal(err)
	}
	for key, names := range keys {
		s := policySchema()
		for part := range strings.SplitSeq(key, ".") {
			if part == "" {
				continue
			}
			if s = s.Properties[part]; s.Items != nil {
				s = s.Items
			}
		}
		if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, slices.Sorted(slices.Values(names))) {
			t.Errorf("%q: the schema has %v, the parser %v", key, got, names)
		}
	}
	if len(keys) != 12 {
		t.Errorf("%d mappings were looked at: %v", len(keys), slices.Sorted(maps.Keys(keys)))
	}
}

func TestSchemaIsCurrent(t *testing.T) {
	kept, err := os.ReadFile("../../docs/policy.schema.json")
	if err != nil || !bytes.Equal(kept, Schema()) {
		t.Errorf("docs/policy.schema.json is old: go run ./cmd/gatehouse policy schema > docs/policy.schema.json; %v", err)
	}
}
