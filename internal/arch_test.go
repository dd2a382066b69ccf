// Package internal_test keeps the architecture: who may import whom, and what
// may be linked into the layer's binary. It reads the sources with go/build and
// never asks the go command, whose answers a cached test run would not repeat.
package internal_test

import (
	"bufio"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const (
	module = "gatehouse"
	root   = ".." // this file lies in internal/
)

// edges says which packages under internal/ each of them may import; what is
// missing here may not exist. A child may import its parent and all that its
// parent may.
var edges = map[string][]string{
	"detect":    {},
	"record":    {"detect"},
	"policy":    {"detect", "record"},
	"proxy":     {"detect", "record", "policy"},
	"telemetry": {"record", "detect"},
	"console":   {"record", "policy", "detect"},
	"emulator":  {},
	"lambdaapi": {},

	"detect/attack":      {},
	"detect/leak":        {},
	"proxy/runtimeapi":   {},
	"proxy/egress":       {},
	"proxy/enforce":      {},
	"telemetry/receiver": {},
	"telemetry/hec":      {},
	"telemetry/redact":   {},
}

// mayImport lists all that the package pkg may import. A child never reaches its
// siblings: only what stands in its own line, its parent and the parent's line.
func mayImport(pkg string) []string {
	may := edges[pkg]
	if parent := path.Dir(pkg); parent != "." {
		may = append(append(slices.Clone(may), parent), mayImport(parent)...)
	}
	return may
}

func TestEdges(t *testing.T) {
	internal := filepath.Join(root, "internal")
	for _, dir := range packages(t, internal) {
		rel, err := filepath.Rel(internal, dir)
		if err != nil {
			t.Fatal(err)
		}
		pkg := filepath.ToSlash(rel)
		if pkg == "." {
			continue // this test
		}
		if _, known := edges[pkg]; !known {
			t.Errorf("internal/%s is not in the table of packages: DESIGN.md says which there are", pkg)
			continue
		}
		may := mayImport(pkg)
		for _, imp := range ours(sources(t, dir)) {
			if inside, ok := strings.CutPrefix(imp, "internal/"); !ok || !slices.Contains(may, inside) {
				t.Errorf("internal/%s imports %s, and may import %v", pkg, imp, may)
			}
		}
	}
}

// An example is a customer's function: it must build without Gatehouse.
func TestExamplesAreStrangers(t *testing.T) {
	for _, dir := range packages(t, filepath.Join(root, "examples")) {
		for _, imp := range ours(sources(t, dir)) {
			if !strings.HasPrefix(imp, "examples/") {
				t.Errorf("%s imports %s", dir, imp)
			}
		}
	}
}

// TestLinked walks what cmd/extension links, on both architectures, and holds it
// to the list in testdata/linked.txt.
func TestLinked(t *testing.T) {
	start := filepath.Join(root, "cmd", "extension")
	allowed := lines(t, filepath.Join("testdata", "linked.txt"))
	for _, arch := range []string{"amd64", "arm64"} {
		w := walk{t: t, ctx: target(arch), modules: requirements(t), seen: map[string]string{}}
		w.from("cmd/extension", start)
		for pkg, by := range w.seen {
			if !matches(allowed, pkg) {
				t.Errorf("%s: %s, imported by %s, is not in testdata/linked.txt", arch, pkg, by)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	allowed := []string{"example.com/a", "example.com/b/..."}
	for pkg, want := range map[string]bool{
		"example.com/a": true, "example.com/a/c": false,
		"example.com/b": true, "example.com/b/c": true, "example.com/bc": false,
	} {
		if got := matches(allowed, pkg); got != want {
			t.Errorf("matches(%q) = %v, want %v", pkg, got, want)
		}
	}
}

// matches reports whether pkg stands in allowed, where "x/..." is x and all
// below it.
func matches(allowed []string, pkg string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		tree, ok := strings.CutSuffix(a, "/...")
		return a == pkg || ok && (pkg == tree || strings.HasPrefix(pkg, tree+"/"))
	})
}

// walk follows imports from package to package.
type walk struct {
	t       *testing.T
	ctx     build.Context
	modules map[string]string // module path → its folder
	seen    map[string]string // package → who imported it first
}

func (w *walk) from(pkg, dir string) {
	p, err := w.ctx.ImportDir(dir, 0)
	if err != nil {
		w.t.Fatalf("reading %s: %v", dir, err)
	}
	for _, imp := range p.Imports {
		if w.seen[imp] != "" || standard(imp) {
			continue
		}
		w.seen[imp] = pkg
		w.from(imp, w.folder(imp))
	}
}

// folder finds the sources of the package pkg: in this module, else in the
// module cache, in the module with the longest path that fits.
func (w *walk) folder(pkg string) string {
	if own, ok := strings.CutPrefix(pkg, module+"/"); ok {
		return filepath.Join(root, filepath.FromSlash(own))
	}
	for mod := pkg; mod != "."; mod = path.Dir(mod) {
		if dir, ok := w.modules[mod]; ok {
			return filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(pkg, mod)))
		}
	}
	w.t.Fatalf("no module in go.mod has the package %s", pkg)
	return ""
}

// target is what ships: static binaries for Linux.
func target(arch string) build.Context {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled = "linux", arch, false
	return ctx
}

// standard reports whether pkg is of the standard library: no dot in its first
// element, and not ours.
func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return first != module && !strings.Contains(first, ".")
}

// requirements reads go.mod, which since Go 1.17 names every module that this
// one's packages come from, and says where the module cache keeps each.
func requirements(t *testing.T) map[string]string {
	t.Helper()
	cache := os.Getenv("GOMODCACHE")
	if cache == "" {
		cache = filepath.Join(filepath.SplitList(build.Default.GOPATH)[0], "pkg", "mod")
	}
	modules := map[string]string{}
	for _, line := range lines(t, filepath.Join(root, "go.mod")) {
		f := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(f) == 2 && strings.HasPrefix(f[1], "v") {
			modules[f[0]] = filepath.Join(cache, escape(f[0])+"@"+escape(f[1]))
		}
	}
	if len(modules) == 0 {
		t.Fatal("go.mod requires nothing: has its form changed?")
	}
	return modules
}

// escape writes a capital as "!" and its small letter, as the module cache does.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return filepath.FromSlash(b.String())
}

// lines reads a text file without comments and blank lines.
func lines(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		line, _, _ := strings.Cut(s.Text(), "//")
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// packages lists the folders under dir that hold Go sources.
func packages(t *testing.T, dir string) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if at := filepath.Dir(name); strings.HasSuffix(name, ".go") && !slices.Contains(dirs, at) {
			dirs = append(dirs, at)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// sources lists what the files in dir import, whatever system they are for.
// Tests from outside (package x_test) stand beside their neighbours, so theirs
// don't count.
func sources(t *testing.T, dir string) []string {
	t.Helper()
	ctx := build.Default
	ctx.UseAllFiles = true
	p, err := ctx.ImportDir(dir, 0)
	if err != nil && len(p.GoFiles)+len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
		t.Fatalf("reading %s: %v", dir, err)
	}
	return slices.Concat(p.Imports, p.TestImports)
}

// ours keeps the imports of this module, without its name.
func ours(imports []string) []string {
	var own []string
	for _, imp := range imports {
		if rest, ok := strings.CutPrefix(imp, module+"/"); ok {
			own = append(own, rest)
		}
	}
	return own
}
