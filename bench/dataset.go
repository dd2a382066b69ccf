package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// row is one string, or one event, of a data set.
type row struct {
	set, class string
	attack     bool
	text       string // what yardsticks judge and people read; an event's is its JSON
	whole      bool   // text is an event
	rule       string // of ours that flagged it, "" for none
	flags      flags
}

// flags are what was said of a row.
type flags uint8

const (
	flagBlock        flags = 1 << iota // ours, what may be refused
	flagDetect                         // ours, weak signals too
	flagLibinjection                   //
	flagCRS1                           // Coraza with CRS at paranoia 1
	flagCRS2                           // and at paranoia 2
	sampled                            // Coraza was asked
)

// wrong reports whether f says the wrong thing of r.
func (r *row) wrong(f flags) bool { return r.attack != (r.flags&f != 0) }

// event is what ours inspects: the row's event, or its string as the one member of
// an object.
func (r *row) event() []byte {
	if r.whole {
		return []byte(r.text)
	}
	text, _ := json.Marshal(r.text) // a string always can be
	return fmt.Appendf(nil, `{"q":%s}`, text)
}

// dataSets are all sets, benign ones first.
var dataSets = []string{
	"aws-events", "httpparams", "fortunes", "commit-messages", "libinjection-fp", "grananqvist", "sqlmap",
	"libinjection", "payloadbox", "payloadsallthethings", "fuzzdb", "crs-regression", "crs-regression-neg",
}

// readSets reads the sets that are in dir. It returns the names of those that are
// not.
func readSets(dir string, names []string) (rows []*row, absent []string, err error) {
	for _, name := range names {
		set, err := readSet(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, name)
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("reading data set %q: %w", name, err)
		}
		rows = append(rows, set...)
	}
	return rows, absent, nil
}

func readSet(dir, name string) ([]*row, error) {
	file, err := os.Open(filepath.Join(dir, name+".jsonl.gz"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	var rows []*row
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		r, err := parseRow(name, lines.Bytes())
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, lines.Err()
}

func parseRow(set string, line []byte) (*row, error) {
	var in struct {
		P     string          `json:"p"`
		Cat   string          `json:"cat"`
		Y     int             `json:"y"`
		Event json.RawMessage `json:"event"`
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return nil, err
	}
	if in.Event != nil {
		return &row{set: set, class: "events", text: string(in.Event), whole: true}, nil
	}
	return &row{set: set, class: in.Cat, attack: in.Y == 1, text: strings.Clone(in.P)}, nil
}

// class is the rows of one class of one set.
type class struct {
	set, name string
	rows      []*row
}

// attack reports whether what the class holds is to be flagged.
func (c *class) attack() bool { return c.rows[0].attack }

// count returns how many rows there are of which f says the wrong thing.
func (c *class) count(f flags) (n, wrong int) {
	for _, r := range c.rows {
		if r.wrong(f) {
			wrong++
		}
	}
	return len(c.rows), wrong
}

// only returns c with the rows that keep likes.
func (c *class) only(keep func(i int, r *row) bool) *class {
	some := &class{set: c.set, name: c.name}
	for i, r := range c.rows {
		if keep(i, r) {
			some.rows = append(some.rows, r)
		}
	}
	return some
}

// classesOf sorts rows by set and class, in the order in which each comes first.
func classesOf(rows []*row) []*class {
	var all []*class
	at := make(map[[2]string]*class)
	for _, r := range rows {
		key := [2]string{r.set, r.class}
		if at[key] == nil {
			at[key] = &class{set: r.set, name: r.class}
			all = append(all, at[key])
		}
		at[key].rows = append(at[key].rows, r)
	}
	return all
}
