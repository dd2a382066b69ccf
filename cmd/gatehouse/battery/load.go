package battery

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Load reads another battery. A file whose name ends in .jsonl or .jsonl.gz has
// one JSON object a line with the attack in "p"; any other has an attack a line.
// Empty lines are skipped. Errors name file and line.
func Load(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("loading battery: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	name, r := path, io.Reader(f)
	if plain, packed := strings.CutSuffix(path, ".gz"); packed {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("loading battery: %s: %w", path, err)
		}
		name = plain
	}
	read := func(line []byte) (string, error) { return string(line), nil }
	if strings.HasSuffix(name, ".jsonl") {
		read = readRow
	}
	rows, err := readLines(r, read)
	if err != nil {
		return nil, fmt.Errorf("loading battery: %s:%w", path, err)
	}
	return rows, nil
}

// maxLine bounds a line, in bytes: what an invocation takes.
const maxLine = 6 << 20

// readLines reads each line with read. Its error begins with the line's number.
func readLines(r io.Reader, read func([]byte) (string, error)) (rows []string, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	number := 1
	for ; lines.Scan(); number++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		row, err := read(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%d: %w", number, err)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%d: %w", number, err)
	}
	return rows, nil
}

var errNoRow = errors.New(`wants an object with the attack in "p"`)

func readRow(line []byte) (string, error) {
	var row struct{ P *string }
	if err := json.Unmarshal(line, &row); err != nil {
		return "", fmt.Errorf("%w: %w", errNoRow, err)
	}
	if row.P == nil {
		return "", errNoRow
	}
	return *row.P, nil
}
