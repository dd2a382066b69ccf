package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// binaries are what the demonstration runs.
type binaries struct {
	layer    string // folder that stands for /opt
	function string
}

// buildAll builds the layer and the example function into dir, from the sources
// of this repository.
func buildAll(ctx context.Context, dir string) (binaries, error) {
	root, err := repository()
	if err != nil {
		return binaries{}, err
	}
	b := binaries{layer: filepath.Join(dir, "layer"), function: filepath.Join(dir, "function")}
	if err := os.CopyFS(filepath.Join(b.layer, "gatehouse"), os.DirFS(filepath.Join(root, "layer", "gatehouse"))); err != nil {
		return b, fmt.Errorf("copying the layer: %w", err)
	}
	if err := os.Chmod(filepath.Join(b.layer, "gatehouse", "wrapper"), 0o755); err != nil {
		return b, err
	}
	if err := build(ctx, root, "./cmd/extension", filepath.Join(b.layer, "extensions", "gatehouse")); err != nil {
		return b, err
	}
	return b, build(ctx, root, "./examples/sns-db-checker", b.function)
}

func build(ctx context.Context, root, pkg, out string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, text)
	}
	return nil
}

// repository finds the folder of this module, from the working directory
// upwards.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module gatehouse\n") {
			return dir, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the demonstration builds from the repository: run it from inside a clone")
		}
		dir = filepath.Dir(dir)
	}
}
