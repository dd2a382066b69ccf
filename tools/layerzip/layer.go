package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Entry is one file of a layer.
type Entry struct {
	Name string      // in the zip, which Lambda unpacks to /opt
	Mode fs.FileMode // permission bits
	Data []byte
}

// files are what the layer's folder gatehouse holds, and no more: everything in
// the zip counts towards the function's 250 MB.
var files = []Entry{
	{Name: "policy.yaml", Mode: 0o644},
	{Name: "proxy.cjs", Mode: 0o644},
	{Name: "wrapper", Mode: 0o755},
}

// epoch is the time of every entry: the first that a zip can hold.
var epoch = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Layer reads a layer's files: the binary becomes extensions/gatehouse, the name
// that it registers with. Every non-directory in extensions/ is started by
// Lambda, so nothing else may lie there.
func Layer(binary, folder string) ([]Entry, error) {
	data, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("reading the extension: %w", err)
	}
	entries := []Entry{{Name: "extensions/gatehouse", Mode: 0o755, Data: data}}
	for _, f := range files {
		if f.Data, err = os.ReadFile(filepath.Join(folder, f.Name)); err != nil {
			return nil, fmt.Errorf("reading the layer's files: %w", err)
		}
		f.Name = "gatehouse/" + f.Name
		entries = append(entries, f)
	}
	return entries, nil
}

// Zip packs entries in their order. The same entries give the same bytes, with
// one version of Go.
func Zip(entries []Entry) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	w.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	for _, e := range entries {
		header := zip.FileHeader{Name: e.Name, Method: zip.Deflate, Modified: epoch}
		header.SetMode(e.Mode)
		f, err := w.CreateHeader(&header)
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", e.Name, err)
		}
		if _, err := f.Write(e.Data); err != nil {
			return nil, fmt.Errorf("packing %s: %w", e.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("closing the zip: %w", err)
	}
	return out.Bytes(), nil
}
