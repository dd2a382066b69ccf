// Package records reads Gatehouse's records from where they are kept: JSON lines, what
// HEC was sent, an export of Splunk's as JSON or CSV, or the console's store.
package records

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"gatehouse/internal/record"
)

// Stdin is the name of standard input.
const Stdin = "-"

// Reader reads records. What is none of ours is passed over and counted.
type Reader struct {
	Stdin io.Reader
	// Each takes a record.
	Each func(*record.Record)
	// Foreign counts what was no record.
	Foreign int
}

// Read reads the file called name.
func (r *Reader) Read(ctx context.Context, name string) error {
	if name == Stdin {
		return r.stream(name, r.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	in := bufio.NewReader(f)
	if head, _ := in.Peek(16); string(head) == "SQLite format 3\x00" {
		return r.store(ctx, name)
	}
	return r.stream(name, in)
}

// stream reads text, gzip or not.
func (r *Reader) stream(name string, src io.Reader) error {
	in := bufio.NewReaderSize(src, 64<<10)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		in = bufio.NewReaderSize(z, 64<<10)
	}
	first, err := firstByte(in)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case first == '{' || first == '[':
		err = r.documents(in)
	default:
		err = r.table(in)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// firstByte is the first that is no blank, which stays to be read.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		c, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != 0xef && c != 0xbb && c != 0xbf {
			return c, in.UnreadByte()
		}
	}
}

// documents reads JSON documents, one behind the other, or arrays of them.
func (r *Reader) documents(in io.Reader) error {
	d := json.NewDecoder(in)
	for {
		var one json.RawMessage
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var list []json.RawMessage
		if one[0] != '[' || json.Unmarshal(one, &list) != nil {
			list = []json.RawMessage{one}
		}
		for _, text := range list {
			r.document(text)
		}
	}
}

// wrapped is how others wrap a record: HEC's envelope, and Splunk's exports.
type wrapped struct {
	Kind   string          `json:"kind"`
	Event  json.RawMessage `json:"event"`
	Result json.RawMessage `json:"result"`
	Raw    string          `json:"_raw"`
}

// maxWraps bounds how deep a record is wrapped.
const maxWraps = 4

func (r *Reader) document(text []byte) {
	for range maxWraps {
		var w wrapped
		if json.Unmarshal(text, &w) != nil {
			break
		}
		switch {
		case w.Kind != "":
			r.take(text)
			return
		case w.Raw != "":
			text = []byte(w.Raw)
		case len(w.Result) > 0:
			text = w.Result
		case len(w.Event) > 0:
			text = w.Event
		default:
			r.Foreign++
			return
		}
	}
	r.Foreign++
}

func (r *Reader) take(text []byte) {
	one := new(record.Record)
	if json.Unmarshal(text, one) != nil {
		r.Foreign++
		return
	}
	r.Each(one)
}

// table reads CSV with a column called _raw.
func (r *Reader) table(in io.Reader) error {
	c := csv.NewReader(in)
	c.FieldsPerRecord, c.LazyQuotes, c.ReuseRecord = -1, true, true
	head, err := c.Read()
	if err != nil {
		return err
	}
	raw := -1
	for i, name := range head {
		if strings.EqualFold(strings.TrimPrefix(name, "\ufeff"), "_raw") {
			raw = i
		}
	}
	if raw < 0 {
		return errors.New("neither JSON nor CSV with a column _raw")
	}
	for {
		row, err := c.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case raw < len(row):
			r.document([]byte(row[raw]))
		}
	}
}

// store reads the console's.
func (r *Reader) store(ctx context.Context, name string) error {
	db, err := sql.Open("sqlite", "file:"+name+"?mode=ro")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() { _ = db.Close() }() // only read
	rows, err := db.QueryContext(ctx, `SELECT event FROM bodies ORDER BY seq`)
	if err != nil {
		return fmt.Errorf("%s: not a console's store: %w", name, err)
	}
	defer func() { _ = rows.Close() }() // Err says it
	for rows.Next() {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.document(text)
	}
	return rows.Err()
}
