package redact

import (
	"errors"
	"strconv"
	"strings"
)

// step is one step of a path: a name, or an index.
type step struct {
	name  string
	index int  // -1: a name
	any   bool // in a pattern: every name, or every index
}

// path is the pattern of a place.
type path struct {
	steps []step
	deep  bool // from any place
}

// maxSteps bounds a path.
const maxSteps = 32

// errPath is what is wrong with a path.
var errPath = errors.New("wants a path, such as Records[*].body.iban; [*] stands for any index, * for any name, and **. in front for any place")

func parsePath(text string) (p path, err error) {
	rest, deep := strings.CutPrefix(text, "**.")
	p.deep = deep
	for first := true; rest != ""; first = false {
		var s step
		var ok bool
		if s, rest, ok = nextStep(rest, first); !ok || len(p.steps) == maxSteps {
			return path{}, errPath
		}
		p.steps = append(p.steps, s)
	}
	if len(p.steps) == 0 {
		return path{}, errPath
	}
	return p, nil
}

// nextStep takes name, .name, [3], [*] or ["name"] off text.
func nextStep(text string, first bool) (s step, rest string, ok bool) {
	if text[0] == '[' {
		return bracketStep(text[1:])
	}
	if !first {
		if text, ok = strings.CutPrefix(text, "."); !ok {
			return s, "", false
		}
	}
	n := strings.IndexAny(text, ".[")
	if n < 0 {
		n = len(text)
	}
	name := text[:n]
	return step{name: name, index: -1, any: name == "*"}, text[n:], name == "*" || name != "" && !strings.Contains(name, "*")
}

func bracketStep(text string) (s step, rest string, ok bool) {
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		name, err := strconv.Unquote(quoted)
		rest, closed := strings.CutPrefix(text[len(quoted):], "]")
		return step{name: name, index: -1}, rest, err == nil && closed
	}
	digits, rest, closed := strings.Cut(text, "]")
	if digits == "*" {
		return step{any: true}, rest, closed
	}
	n, err := strconv.Atoi(digits)
	return step{index: n}, rest, err == nil && closed && n >= 0
}

// named reports whether one of the paths names the place where w is.
func (w *walk) named() bool {
	for i := range w.m.paths {
		p := &w.m.paths[i]
		n := len(w.path) - len(p.steps)
		if n == 0 || n > 0 && p.deep {
			if fits(p.steps, w.path[n:]) {
				return true
			}
		}
	}
	return false
}

func fits(pattern, at []step) bool {
	for i := range pattern {
		p, s := &pattern[i], &at[i]
		if (p.index < 0) != (s.index < 0) || !p.any && (p.name != s.name || p.index != s.index) {
			return false
		}
	}
	return true
}
