package receiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"gatehouse/internal/record"
)

// errSyntax is the error of a body that is no JSON.
var errSyntax = errors.New("receiver: the body is not JSON")

// event is one element of a batch, of any schema version: every part may be
// anything. Its parts hold until the next one is read.
type event struct {
	Time   json.RawMessage `json:"time"`
	Type   json.RawMessage `json:"type"`
	Record json.RawMessage `json:"record"`
	text   string          // what Record says, where isText
	isText bool
}

// window is how much of a batch is in memory, in bytes, unless one event is larger.
const window = 64 << 10

// elements takes a JSON array apart without having all of it in memory. What Lambda
// sends, and as it writes it, is read without reflection, in a tenth of the time.
type elements struct {
	r     io.Reader
	buf   []byte // what was read
	at    int    // of that is done with
	begun bool
	ended error // of r
}

// next returns the next element: io.EOF after the last one. A *json.UnmarshalTypeError
// is of an element that is no event, and after any other error there is nothing more.
func (s *elements) next() (e event, err error) {
	if err := s.advance(); err != nil {
		return e, err
	}
	for {
		if e, n := ordinary(s.buf[s.at:]); n > 0 {
			s.at += n
			return e, nil
		}
		n := valueEnd(s.buf[s.at:])
		if n < 0 {
			if !s.fill() {
				return e, s.cut()
			}
			continue
		}
		raw := s.buf[s.at : s.at+n]
		s.at += n
		if err = json.Unmarshal(raw, &e); err == nil {
			e.text, e.isText = unquote(e.Record)
		}
		return e, err
	}
}

// advance goes to where the next element begins.
func (s *elements) advance() error {
	c, err := s.mark()
	switch {
	case err != nil:
		return err
	case !s.begun && c != '[':
		return errNotArray
	case s.begun && c == ']':
		return io.EOF
	case s.begun && c != ',':
		return errSyntax
	}
	s.at++
	first := !s.begun
	s.begun = true
	if c, err = s.mark(); err == nil && first && c == ']' {
		return io.EOF
	}
	return err
}

// mark returns the next byte that is no blank, which stays.
func (s *elements) mark() (byte, error) {
	for {
		for ; s.at < len(s.buf); s.at++ {
			if c := s.buf[s.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
				return c, nil
			}
		}
		if !s.fill() {
			return 0, s.cut()
		}
	}
}

// fill reads a window more, or what there is, and reports whether there was any. What is
// done with gives room. Less at a time would have an event looked at again and again.
func (s *elements) fill() bool {
	if s.ended != nil {
		return false
	}
	if s.at > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.at:])]
		s.at = 0
	}
	if len(s.buf) == cap(s.buf) {
		s.buf = slices.Grow(s.buf, max(window, len(s.buf)))
	}
	n, err := io.ReadFull(s.r, s.buf[len(s.buf):cap(s.buf)])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	s.buf, s.ended = s.buf[:len(s.buf)+n], err
	return n > 0
}

// cut is the error of a batch that ends too early.
func (s *elements) cut() error {
	if errors.Is(s.ended, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return s.ended
}

// What an event of Lambda's looks like: {"time":"…","type":"…","record":…}
var timeMark, typeMark, recordMark = []byte(`{"time":"`), []byte(`,"type":"`), []byte(`,"record":`)

// ordinary returns the event that b begins with and its length; 0: another look is
// needed, or more of b.
func ordinary(b []byte) (e event, n int) {
	if !bytes.HasPrefix(b, timeMark) {
		return e, 0
	}
	at := len(timeMark) - 1
	if n = plainEnd(b[at:]); n == 0 {
		return e, 0
	}
	e.Time = b[at : at+n]
	if at += n; !bytes.HasPrefix(b[at:], typeMark) {
		return e, 0
	}
	at += len(typeMark) - 1
	if n = plainEnd(b[at:]); n == 0 {
		return e, 0
	}
	e.Type = b[at : at+n]
	if at += n; !bytes.HasPrefix(b[at:], recordMark) {
		return e, 0
	}
	at += len(recordMark)
	if n = valueEnd(b[at:]); n <= 0 {
		return e, 0
	}
	e.Record = b[at : at+n]
	if at += n; at == len(b) || b[at] != '}' {
		return e, 0
	}
	if e.text, e.isText = unquote(e.Record); e.isText || e.Record[0] != '"' && json.Valid(e.Record) {
		return e, at + 1
	}
	return e, 0
}

// plainEnd returns the length of the string b begins with; 0: it has escapes, or its end
// is not in sight.
func plainEnd(b []byte) int {
	n := bytes.IndexByte(b[1:], '"')
	if n < 0 || !record.Plain(b[1:1+n]) {
		return 0
	}
	return n + 2
}

// valueEnd returns the length of the value that b begins with, whose syntax is not
// looked at any closer; -1: its end is not in sight.
func valueEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); {
		switch b[i] {
		case '"':
			n := stringEnd(b[i:])
			if n < 0 {
				return -1
			}
			if i += n; depth == 0 {
				return i
			}
			continue
		case '[', '{':
			depth++
		case ']', '}':
			if depth <= 1 {
				return i + depth // behind the bracket that ends the value, or before one that is another's
			}
			depth--
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return -1
}

// stringEnd returns the length of the string that b begins with; -1: its end is not in
// sight.
func stringEnd(b []byte) int {
	for i := 1; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		slashes := 0
		for b[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}
