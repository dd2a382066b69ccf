package policy

import (
	"errors"
	"strings"
	"time"
)

// exception lets findings of one rule at one place pass.
type exception struct {
	rule, path, source string
	parts              []string  // path, split at [*]
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

// matchPath reports whether path is parts joined by indices: [0], [17].
func matchPath(parts []string, path string) bool {
	rest, ok := strings.CutPrefix(path, parts[0])
	for _, part := range parts[1:] {
		if !ok {
			return false
		}
		if rest, ok = cutIndex(rest); ok {
			rest, ok = strings.CutPrefix(rest, part)
		}
	}
	return ok && rest == ""
}

// cutIndex takes [digits] off the front of path.
func cutIndex(path string) (rest string, ok bool) {
	digits, rest, closed := strings.Cut(path, "]")
	digits, opened := strings.CutPrefix(digits, "[")
	return rest, opened && closed && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// maxPath bounds the pattern of an exception, in bytes.
const maxPath = 1024

var errPath = errors.New("wants a path as findings show it, such as Records[0].Sns.Message; [*] stands for any index")

func parsePath(text string) (parts []string, err error) {
	parts = strings.Split(text, "[*]")
	if text == "" || len(text) > maxPath || strings.Contains(strings.Join(parts, ""), "*") {
		return nil, errPath
	}
	return parts, nil
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
