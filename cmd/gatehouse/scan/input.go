package scan

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// extensions are those that a folder is searched for, ".gz" behind them or not.
var extensions = [...]string{".json", ".jsonl", ".ndjson"}

// errEmptyFolder is a folder without anything to judge: more likely a slip than
// what was meant.
var errEmptyFolder = errors.New("holds no .json, .jsonl or .ndjson file")

// each calls file with every file that name stands for, and bad with what cannot
// be read. A folder is searched through; links to folders are not followed.
func each(name string, file func(string), bad func(string, error)) {
	info, err := os.Stat(name)
	if err != nil {
		bad(name, cause(err))
		return
	}
	if !info.IsDir() {
		file(name)
		return
	}
	found := false
	// With a slash behind it, a link that was named is followed.
	_ = filepath.WalkDir(name+string(filepath.Separator), func(at string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			found = true
			bad(at, cause(err))
		case entry.IsDir() || !wanted(at):
		default:
			found = true
			one(at, file, bad)
		}
		return nil
	})
	if !found {
		bad(name, errEmptyFolder)
	}
}

// one calls file with a file in a folder. What is neither a file nor a link to
// one may block for ever.
func one(name string, file func(string), bad func(string, error)) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		bad(name, cause(err))
	case info.IsDir():
		bad(name, errors.New("is a link to a folder, which is not followed"))
	case !info.Mode().IsRegular():
		bad(name, errors.New("is not a file"))
	default:
		file(name)
	}
}

// wanted reports whether a file in a folder is to be read.
func wanted(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	for _, e := range extensions {
		if strings.HasSuffix(name, e) {
			return true
		}
	}
	return false
}

// unzipped returns what r holds, decompressed where it begins as gzip does.
func unzipped(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, readSize)
	if head, _ := b.Peek(2); !bytes.Equal(head, []byte{0x1f, 0x8b}) { // whoever reads on gets the error
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("reading gzip: %w", err)
	}
	return z, nil
}

// cause is err without the name of the file, which stands before it anyway.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
