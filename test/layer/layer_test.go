// Package layer_test builds the layer as a customer's build server would.
package layer_test

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.." // the repository

// build runs scripts/build-layer of the tree for amd64 and returns the zip.
func build(t *testing.T, tree string, env ...string) []byte {
	t.Helper()
	out := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(tree, "scripts", "build-layer"),
		"--out", out, "--version", "v0.0.0-test", "amd64")
	cmd.Env = append(os.Environ(), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build-layer in %s: %v\n%s", tree, err, said)
	}
	zipped, err := os.ReadFile(filepath.Join(out, "gatehouse-layer-amd64.zip"))
	if err != nil {
		t.Fatal(err)
	}
	return zipped
}

// Two builds of the same sources, in two places and with nothing cached by the
// first, give the same bytes.
func TestReproducible(t *testing.T) {
	here := build(t, root)
	elsewhere := t.TempDir()
	for _, part := range []string{"go.mod", "go.sum", "cmd", "internal", "layer", "scripts", "tools"} {
		to := filepath.Join(elsewhere, part)
		from := filepath.Join(root, part)
		if out, err := exec.CommandContext(t.Context(), "cp", "-R", from, to).CombinedOutput(); err != nil {
			t.Fatalf("copying %s: %v\n%s", part, err, out)
		}
	}
	there := build(t, elsewhere, "GOCACHE="+filepath.Join(elsewhere, ".gocache"), "TZ=Asia/Tokyo", "GOFLAGS=-v")
	if !bytes.Equal(here, there) {
		t.Errorf("two builds of one tree differ: %d and %d bytes", len(here), len(there))
	}
}

// What is in the zip is what Lambda needs: a static binary and the wrapper, both
// executable.
func TestContents(t *testing.T) {
	zipped := build(t, root)
	r, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
		executable := f.Name == "extensions/gatehouse" || f.Name == "gatehouse/wrapper"
		if got := f.Mode()&0o111 == 0o111; got != executable {
			t.Errorf("%s has mode %v", f.Name, f.Mode())
		}
	}
	want := "extensions/gatehouse gatehouse/policy.yaml gatehouse/proxy.cjs gatehouse/wrapper"
	if got := strings.Join(names, " "); got != want {
		t.Fatalf("the zip holds %s, want %s", got, want)
	}
	static(t, r.File[0])
}

// static reports a binary that asks for an interpreter or for libraries.
func static(t *testing.T, f *zip.File) {
	t.Helper()
	rc, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	data, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s is not static: it has a segment %v", f.Name, p.Type)
		}
	}
	if binary.Machine != elf.EM_X86_64 {
		t.Errorf("%s is for %v", f.Name, binary.Machine)
	}
}
