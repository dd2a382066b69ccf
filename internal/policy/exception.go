package policy

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// exception lets findings of one rule at one place pass.
type exception struct {
	rule, path, source string
	parts              []part
	until              time.Time // first instant at which it no longer holds; zero: no end
}

// String names e as records do: rule@path.
func (e *exception) String() string { return e.rule + "@" + e.path }

func (e *exception) covers(rule, path, source string, now time.Time) bool {
	return e.rule == rule &&
		(e.source == "" || e.source == source) &&
		(e.until.IsZero() || now.Before(e.until)) &&
		matchPath(e.parts, path)
}

// part is a piece of an exception's path: text, and what stands for anything
// behind it.
type part struct {
	text string
	wild wild
}

// wild is what one step of a path may be.
type wild uint8

const (
	end      wild = iota
	anyIndex      // [0], [17]
	anyName       // .name, ["x-odd name"]
)

// matchPath reports whether path fits parts.
func matchPath(parts []part, path string) bool {
	rest := path
	for _, p := range parts {
		var ok bool
		if rest, ok = strings.CutPrefix(rest, p.text); !ok {
			return false
		}
		switch p.wild {
		case end:
			return rest == ""
		case anyIndex:
			rest, ok = cutIndex(rest)
		case anyName:
			rest, ok = cutName(rest, len(rest) == len(path))
		}
		if !ok {
			return false
		}
	}
	return false
}

// cutIndex takes [digits] off the front of path.
func cutIndex(path string) (rest string, ok bool) {
	digits, rest, closed := strings.Cut(path, "]")
	digits, opened := strings.CutPrefix(digits, "[")
	return rest, opened && closed && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// cutName takes .name or ["name"] off the front of path; the first name of a path
// has no dot.
func cutName(path string, first bool) (rest string, ok bool) {
	if quoted, bracket := strings.CutPrefix(path, "["); bracket {
		name, err := strconv.QuotedPrefix(quoted)
		if err != nil || name[0] != '"' {
			return "", false
		}
		return strings.CutPrefix(quoted[len(name):], "]")
	}
	if !first {
		if path, ok = strings.CutPrefix(path, "."); !ok {
			return "", false
		}
	}
	n := strings.IndexAny(path, ".[")
	if n < 0 {
		n = len(path)
	}
	// A path that was cut ends in "…", and may have had more steps. A name that holds
	// one itself stands in quotes.
	return path[n:], n > 0 && !strings.Contains(path[:n], "…")
}

// maxPath bounds the pattern of an exception, in bytes.
const maxPath = 1024

var errPath = errors.New("wants a path as findings show it, such as Records[0].Sns.Message; [*] stands for any index, * for any name")

func parsePath(text string) (parts []part, err error) {
	if text == "" || len(text) > maxPath {
		return nil, errPath
	}
	for rest := text; ; {
		i := strings.IndexByte(rest, '*')
		if i < 0 {
			return append(parts, part{text: rest}), nil
		}
		before, behind := rest[:i], rest[i+1:]
		if index, ok := strings.CutSuffix(before, "["); ok && strings.HasPrefix(behind, "]") {
			parts, rest = append(parts, part{index, anyIndex}), behind[1:]
			continue
		}
		name, dotted := strings.CutSuffix(before, ".")
		begins := dotted || before == "" && parts == nil
		ends := behind == "" || behind[0] == '.' || behind[0] == '['
		if !begins || !ends {
			return nil, errPath
		}
		parts, rest = append(parts, part{name, anyName}), behind
	}
}

var errUntil = errors.New("wants the last day on which it holds (2027-01-31, UTC), or an instant (2027-01-31T18:00:00Z)")

// parseUntil reads a day, which holds to its end in UTC, or an instant.
func parseUntil(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errUntil
	}
	return at, nil
}
