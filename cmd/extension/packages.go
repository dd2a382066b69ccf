package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxPackages bounds how many packages are known by name, and maxEntries how many
// entries of folders are read for it.
const (
	maxPackages = 2000
	maxEntries  = 20000
)

// packageFolders are where Lambda lays what a function's code is made of: the task root,
// and layers. The extension is not told of another task root.
var packageFolders = []string{
	"/var/task", "/var/task/node_modules", "/var/task/node_modules/@*", "/var/task/python", "/var/task/vendor/*",
	"/opt/nodejs/node_modules", "/opt/nodejs/node_modules/@*", "/opt/python", "/opt/python/lib/python*/site-packages",
}

// packages are the names of the packages in the function's code and its layers: of
// folders of node_modules, and of what pip installed.
func packages() []string { return packagesIn(packageFolders) }

func packagesIn(folders []string) []string {
	var names []string
	read := 0
	for _, pattern := range folders {
		found, _ := filepath.Glob(pattern) // the patterns are ours
		for _, dir := range found {
			entries, err := os.ReadDir(dir)
			if err != nil || read+len(entries) > maxEntries {
				continue
			}
			read += len(entries)
			for _, e := range entries {
				if name := packageName(dir, e); name != "" && len(names) < maxPackages {
					names = append(names, name)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// packageName is what an entry of dir says that there is; "" for nothing. A scope of
// npm's is a name, too.
func packageName(dir string, e os.DirEntry) string {
	name := strings.ToLower(e.Name())
	if installed, ok := strings.CutSuffix(name, ".dist-info"); ok { // NAME-VERSION
		name, _, _ = strings.Cut(installed, "-")
		return name
	}
	inModules := strings.Contains(dir, "node_modules") || strings.Contains(dir, "vendor")
	if !e.IsDir() || !inModules || strings.HasPrefix(name, ".") {
		return ""
	}
	return strings.TrimPrefix(name, "@")
}
