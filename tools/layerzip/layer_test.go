package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// layer makes a layer's sources in a new folder.
func layer(t *testing.T) (binary, folder string) {
	t.Helper()
	folder = t.TempDir()
	binary = filepath.Join(folder, "extension")
	for _, name := range []string{"extension", "wrapper", "proxy.cjs", "policy.yaml", "README.md"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("this is "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return binary, folder
}

func pack(t *testing.T, binary, folder string) []byte {
	t.Helper()
	entries, err := Layer(binary, folder)
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := Zip(entries)
	if err != nil {
		t.Fatal(err)
	}
	return zipped
}

func TestZipHoldsTheLayer(t *testing.T) {
	binary, folder := layer(t)
	zipped := pack(t, binary, folder)
	r, err := zip.NewReader(bytes.NewReader(zipped), int64(len(zipped)))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name string
		mode fs.FileMode
	}{
		{"extensions/gatehouse", 0o755},
		{"gatehouse/policy.yaml", 0o644},
		{"gatehouse/proxy.cjs", 0o644},
		{"gatehouse/wrapper", 0o755},
	}
	if len(r.File) != len(want) {
		t.Fatalf("%d entries, want %d", len(r.File), len(want))
	}
	for i, w := range want {
		if f := r.File[i]; f.Name != w.name || f.Mode() != w.mode {
			t.Errorf("entry %d is %s %v, want %s %v", i, f.Name, f.Mode(), w.name, w.mode)
		}
	}
}

// The bytes don't depend on when, where and by whom the files were made.
func TestZipIsReproducible(t *testing.T) {
	binary, folder := layer(t)
	first := pack(t, binary, folder)
	binary, folder = layer(t)
	if err := os.Chtimes(binary, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(folder, "wrapper"), 0o700); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, pack(t, binary, folder)) {
		t.Error("the same files gave two different zips")
	}
}

func TestLayerNamesWhatIsMissing(t *testing.T) {
	binary, folder := layer(t)
	if err := os.Remove(filepath.Join(folder, "proxy.cjs")); err != nil {
		t.Fatal(err)
	}
	if _, err := Layer(binary, folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Layer without proxy.cjs: %v, want that it does not exist", err)
	}
}
