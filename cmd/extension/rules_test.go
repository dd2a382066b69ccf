package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ruleID is a rule's id as a literal in the sources: in a table of rules, or by its
// kind.
var ruleID = regexp.MustCompile(`(?:\bid: "[a-z0-9-]+|"(?:leak|egress|event|gatehouse|response))\.[a-z][a-z-]*"`)

// Rule ids are in policies, saved searches and heads: one is added at the end of
// the golden list, and none ever changes or goes.
func TestRuleIDsAreAppendOnly(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.golden")
	if err != nil {
		t.Fatal(err)
	}
	golden := strings.Fields(string(text))
	var found []string
	for _, dir := range []string{"../../internal/detect", "../../internal/policy", "../../internal/proxy"} {
		found = append(found, ruleIDs(t, dir)...)
	}
	for _, id := range found {
		if !slices.Contains(golden, id) {
			t.Errorf("%s is not at the end of testdata/rules.golden", id)
		}
	}
	for _, id := range golden {
		if !slices.Contains(found, id) {
			t.Errorf("%s has gone from the sources", id)
		}
	}
}

func ruleIDs(t *testing.T, dir string) (ids []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range ruleID.FindAllString(string(text), -1) {
			ids = append(ids, strings.Trim(strings.TrimPrefix(m, "id: "), `"`))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
