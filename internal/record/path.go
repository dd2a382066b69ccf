package record

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// maxIndex bounds the nulls that stand for what comes before an array's element.
// Behind it the element stands alone in its array.
const maxIndex = 99

// step is one step of a path: an object's key or an array's index.
type step struct {
	key   string
	index int // -1: key
}

// wrap returns inner as the only content of s's object or array.
func (s step) wrap(inner json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if s.index < 0 {
		b.WriteByte('{')
		b.Write(quote(s.key))
		b.WriteByte(':')
		b.Write(inner)
		b.WriteByte('}')
		return b.Bytes()
	}
	b.WriteByte('[')
	if s.index <= maxIndex {
		b.WriteString(strings.Repeat("null,", s.index))
	}
	b.Write(inner)
	b.WriteByte(']')
	return b.Bytes()
}

// maxSteps bounds the depth of a skeleton.
const maxSteps = 64

// steps splits a path, Records[0].Sns["a.b"].Message, into its steps. A path that
// it cannot read, or that is too deep, is one key.
func steps(path string) []step {
	var out []step
	for rest := path; rest != ""; {
		s, tail, ok := nextStep(rest)
		if !ok || len(out) == maxSteps {
			return []step{{key: path, index: -1}}
		}
		out, rest = append(out, s), tail
	}
	return out
}

// nextStep takes the first step off path.
func nextStep(path string) (s step, rest string, ok bool) {
	if path[0] == '[' {
		return bracketStep(path)
	}
	path = strings.TrimPrefix(path, ".")
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	return step{key: path[:end], index: -1}, path[end:], end > 0
}

// bracketStep takes [3] or ["key"] off path.
func bracketStep(path string) (s step, rest string, ok bool) {
	quoted, err := strconv.QuotedPrefix(path[1:])
	if err == nil {
		key, err := strconv.Unquote(quoted)
		rest, closed := strings.CutPrefix(path[1+len(quoted):], "]")
		return step{key: key, index: -1}, rest, err == nil && closed
	}
	digits, rest, closed := strings.Cut(path[1:], "]")
	n, err := strconv.Atoi(digits)
	return step{index: n}, rest, err == nil && closed && n >= 0
}
