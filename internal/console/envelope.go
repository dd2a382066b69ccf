package console

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// maxEvent is Splunk's maxEventSize (inputs.conf, [http]), in bytes. It bounds an
// envelope here, and a line of /raw.
const maxEvent = 5 << 20

// What may be wrong with an envelope. Each is one of HEC's reply codes; see
// replyOf.
var (
	errFormat     = errors.New("invalid data format")
	errNoEvent    = errors.New("event field is required")
	errBlankEvent = errors.New("event field cannot be blank")
	errFields     = errors.New("error in handling indexed fields")
	// errForeignKey ends a request in silence: Splunk answers 200 and indexes
	// only what came before an envelope with an unknown key.
	errForeignKey = errors.New("unknown key in the envelope")
	// errSkip drops one envelope: fields without event is a metric or nothing.
	errSkip = errors.New("no event to store")
)

// envelope is one HEC event and what the sender said about it.
type envelope struct {
	time                            int64 // nanoseconds since 1970; 0 when not given
	host, source, sourcetype, index string
	event                           json.RawMessage
	fields                          json.RawMessage
}

// splitter cuts a request's body into JSON objects. They follow each other with
// or without white space; an array of them is taken too, as other collectors do.
type splitter struct {
	r     *bufio.Reader
	buf   []byte
	array bool
}

func newSplitter(r io.Reader) *splitter { return &splitter{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next object, which is valid until the following call. At the
// end of the body it returns io.EOF; anything that cannot be an object, or is
// longer than maxEvent, is errFormat.
func (s *splitter) next() ([]byte, error) {
	first, err := s.begin()
	if err != nil {
		return nil, err
	}
	if first != '{' {
		return nil, errFormat
	}
	s.buf = append(s.buf[:0], '{')
	var scan objectScan
	for scan.depth = 1; scan.depth > 0; {
		if len(s.buf) >= maxEvent {
			return nil, errFormat
		}
		b, err := s.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil, errFormat
		}
		if err != nil {
			return nil, err
		}
		s.buf = append(s.buf, b)
		scan.step(b)
	}
	return s.buf, nil
}

// begin skips what may stand between objects and returns the byte after it.
func (s *splitter) begin() (byte, error) {
	for {
		b, err := s.r.ReadByte()
		if err != nil {
			return 0, err
		}
		switch {
		case b == ' ' || b == '\t' || b == '\r' || b == '\n':
		case b == '[' && !s.array:
			s.array = true
		case b == ',' && s.array:
		case b == ']' && s.array:
			s.array = false
		default:
			return b, nil
		}
	}
}

// objectScan follows braces outside strings. Whether the object is JSON is for
// the decoder to say.
type objectScan struct {
	depth          int
	quoted, escape bool
}

func (o *objectScan) step(b byte) {
	switch {
	case o.escape:
		o.escape = false
	case o.quoted && b == '\\':
		o.escape = true
	case b == '"':
		o.quoted = !o.quoted
	case o.quoted:
	case b == '{':
		o.depth++
	case b == '}':
		o.depth--
	}
}

// parseEnvelope reads one object. What it does not say comes from defaults.
func parseEnvelope(object []byte, defaults envelope) (envelope, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(object, &keys); err != nil {
		return envelope{}, errFormat
	}
	e := defaults
	for _, key := range slices.Sorted(maps.Keys(keys)) { // sorted: of two faults always the same one
		if err := e.set(key, keys[key]); err != nil {
			return envelope{}, err
		}
	}
	return e, e.check()
}

func (e *envelope) set(key string, value json.RawMessage) error {
	switch key {
	case "event":
		e.event = bytes.Clone(value)
	case "fields":
		e.fields = bytes.Clone(value)
	case "time":
		return e.setTime(value)
	case "host":
		return setString(&e.host, value)
	case "source":
		return setString(&e.source, value)
	case "sourcetype":
		return setString(&e.sourcetype, value)
	case "index":
		return setString(&e.index, value)
	default:
		return fmt.Errorf("%w: %q", errForeignKey, key)
	}
	return nil
}

func (e *envelope) setTime(value json.RawMessage) error {
	text := string(value)
	if text == "null" {
		return nil
	}
	if strings.HasPrefix(text, `"`) {
		if err := setString(&text, value); err != nil {
			return err
		}
	}
	t, err := parseEpoch(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errFormat, err)
	}
	e.time = t
	return nil
}

func setString(to *string, value json.RawMessage) error {
	if err := json.Unmarshal(value, to); err != nil {
		return fmt.Errorf("%w: %w", errFormat, err)
	}
	return nil
}

func (e *envelope) check() error {
	if e.event == nil {
		if e.fields != nil {
			return errSkip
		}
		return errNoEvent
	}
	if text := string(e.event); text == "null" || text == `""` {
		return errBlankEvent
	}
	return checkFields(e.fields)
}

// checkFields holds fields to a flat object of scalars and arrays of scalars.
func checkFields(fields json.RawMessage) error {
	if fields == nil {
		return nil
	}
	var flat map[string]json.RawMessage
	if err := json.Unmarshal(fields, &flat); err != nil {
		return errFields
	}
	for _, value := range flat {
		if value[0] == '{' {
			return errFields
		}
		if value[0] == '[' && bytes.ContainsAny(value[1:], "{[") && nested(value) {
			return errFields
		}
	}
	return nil
}

func nested(array json.RawMessage) bool {
	var items []json.RawMessage
	if json.Unmarshal(array, &items) != nil {
		return true
	}
	for _, item := range items {
		if item[0] == '{' || item[0] == '[' {
			return true
		}
	}
	return false
}
