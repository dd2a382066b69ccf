package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// readSize is how much is read at a time, in bytes.
const readSize = 64 << 10

// place is a position in a text. Lines and columns count from 1, columns in
// characters.
type place struct{ line, column int }

// after returns the place behind text, which begins at p.
func (p place) after(text []byte) place {
	if n := bytes.Count(text, []byte("\n")); n > 0 {
		p.line, p.column = p.line+n, 1
		text = text[bytes.LastIndexByte(text, '\n')+1:]
	}
	p.column += utf8.RuneCount(text)
	return p
}

// syntaxError is text that is no JSON. Reading can go on behind it.
type syntaxError struct {
	place
	problem string
}

func (e *syntaxError) Error() string { return e.problem }

var bom = []byte("\ufeff")

// documents cuts a text into its JSON documents: one, one a line, or one behind
// the other. It holds one document at a time.
type documents struct {
	src io.Reader
	max int // of a document, in bytes

	buf   []byte // what was read; the part before pos is done with
	pos   int
	at    place // of buf[pos]
	ended error // of src
}

// next returns the next document and where it begins; it holds until the next
// call. At the end the error is io.EOF. A *syntaxError says where the text is no
// JSON; next then goes on with the next line that begins with a bracket. Every
// other error is the last.
func (d *documents) next() ([]byte, place, error) {
	if err := d.begin(); err != nil {
		return nil, d.at, err
	}
	n, err := d.extent()
	doc, at := d.buf[d.pos:d.pos+n], d.at
	switch bad, problem := check(doc); {
	case problem == "" && err == nil:
		d.skip(n)
		return doc, at, nil
	case err != nil && (problem == "" || bad == n): // what there is of it is good
		return nil, at, err
	default:
		if at = at.after(doc[:bad]); at.line > d.at.line {
			problem += fmt.Sprintf(", in the document that begins on line %d", d.at.line)
		}
		d.recover(bad)
		return nil, at, &syntaxError{at, "malformed JSON: " + problem}
	}
}

// begin goes to the first byte of a document.
func (d *documents) begin() error {
	if d.at.line == 0 {
		d.at = place{1, 1}
		for len(d.buf) < len(bom) && d.fill() {
		}
		d.buf = bytes.TrimPrefix(d.buf, bom)
	}
	for {
		rest := d.buf[d.pos:]
		blank := len(rest) - len(bytes.TrimLeft(rest, " \t\r\n"))
		d.skip(blank)
		if blank < len(rest) {
			return nil
		}
		if !d.fill() {
			return d.ended
		}
	}
}

// extent returns how long the document is that begins here, from its brackets and
// quotes alone. It ends where it cannot be JSON either: at a line break in a
// string.
func (d *documents) extent() (int, error) {
	var s shape
	for n := 0; ; n++ {
		if n > d.max {
			return n, fmt.Errorf("the document is longer than %d bytes; the rest of the file is not read", d.max)
		}
		if d.pos+n == len(d.buf) && !d.fill() {
			if errors.Is(d.ended, io.EOF) {
				return n, nil
			}
			return n, d.ended
		}
		if s.str && !s.escape { // most of an event is text
			n += plainText(d.buf[d.pos+n:])
			if d.pos+n == len(d.buf) {
				n--
				continue
			}
		}
		switch s.step(d.buf[d.pos+n]) {
		case last:
			return n + 1, nil
		case beyond:
			return n, nil
		}
	}
}

// plainText returns how much of a string's text, at its beginning, is nothing but
// that.
func plainText(text []byte) int {
	if i := bytes.IndexAny(text, "\"\\\n"); i >= 0 {
		return i
	}
	return len(text)
}

// fill reads more. It reports false at the end, or where reading failed.
func (d *documents) fill() bool {
	if d.ended != nil {
		return false
	}
	if d.pos > len(d.buf)/2 {
		d.buf = d.buf[:copy(d.buf, d.buf[d.pos:])]
		d.pos = 0
	}
	d.buf = slices.Grow(d.buf, readSize)
	for {
		n, err := d.src.Read(d.buf[len(d.buf):cap(d.buf)])
		d.buf = d.buf[:len(d.buf)+n]
		d.ended = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
}

// skip is done with n bytes.
func (d *documents) skip(n int) {
	d.at = d.at.after(d.buf[d.pos : d.pos+n])
	d.pos += n
}

// recover is done with n bytes, and with what follows up to a line that begins
// with a bracket. The first byte that cannot be JSON is not one.
func (d *documents) recover(n int) {
	d.skip(n)
	for {
		for d.pos == len(d.buf) {
			if !d.fill() {
				return
			}
		}
		rest := d.buf[d.pos:]
		if d.at.column == 1 && (rest[0] == '{' || rest[0] == '[') {
			return
		}
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			d.skip(i + 1)
		} else {
			d.skip(len(rest))
		}
	}
}

// check returns what is wrong with doc and at which byte, len(doc) where it could
// go on; "" for JSON.
func check(doc []byte) (bad int, problem string) {
	if json.Valid(doc) {
		return 0, ""
	}
	var one json.RawMessage
	d := json.NewDecoder(bytes.NewReader(doc))
	err := d.Decode(&one)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return max(int(syntax.Offset)-1, 0), syntax.Error()
	case err != nil:
		return len(doc), "the document is not complete"
	}
	return int(d.InputOffset()), "more behind a number or word"
}
