package console

import (
	"strconv"
	"strings"
)

// step is one level of a path into an event: a key, or an index where key is "".
type step struct {
	key   string
	index int // -1 for a key
}

// maxSteps bounds a path. Events nest deeper; what people read does not.
const maxSteps = 256

// parsePath reads a path as findings have it: Records[0].headers["x-odd key"]. It
// returns what it could read: paths are cut at 1 KiB and then end in "…".
func parsePath(path string) []step {
	var steps []step
	for path != "" && len(steps) < maxSteps {
		s, rest, ok := cutStep(path)
		if !ok {
			break
		}
		steps, path = append(steps, s), rest
	}
	return steps
}

func cutStep(path string) (s step, rest string, ok bool) {
	if strings.HasPrefix(path, `["`) {
		quoted, err := strconv.QuotedPrefix(path[1:])
		if err != nil {
			return step{}, "", false
		}
		key, err := strconv.Unquote(quoted)
		rest, closed := strings.CutPrefix(path[1+len(quoted):], "]")
		return step{key, -1}, rest, err == nil && closed
	}
	if inner, found := strings.CutPrefix(path, "["); found {
		digits, rest, closed := strings.Cut(inner, "]")
		n, err := strconv.Atoi(digits)
		return step{"", n}, rest, closed && err == nil && n >= 0
	}
	path = strings.TrimPrefix(path, ".")
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	return step{path[:end], -1}, path[end:], end > 0
}
