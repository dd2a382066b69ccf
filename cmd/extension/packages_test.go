package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPackages(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{
		"node_modules/lodash", "node_modules/@tanstack/query-core", "node_modules/.bin", "litellm-1.82.6.dist-info", "litellm", "src", "python/requests-2.32.0.dist-info",
	} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got := packagesIn([]string{dir, dir + "/node_modules", dir + "/node_modules/@*", dir + "/python", dir + "/nowhere"})
	if want := []string{"litellm", "lodash", "query-core", "requests", "tanstack"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
