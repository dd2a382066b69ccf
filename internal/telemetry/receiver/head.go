package receiver

import (
	"encoding/json"
	"strings"

	"gatehouse/internal/record"
)

// head is what a line of text says of itself in the formats of Lambda's runtimes:
//
//	2026-11-26T10:00:00.000Z⇥REQUEST⇥INFO⇥text       Node
//	[INFO]⇥2026-11-26T10:00:00.000Z⇥REQUEST⇥text     Python
//	2026-11-26 10:00:00 REQUEST INFO  Class:17 - text  Java, with Lambda's layout for Log4j 2
//	[INFO] text, INFO: text                            others
type head struct{ requestID, level string }

// headOf reads the head of s. The function writes what it likes: an id that stands
// elsewhere in a line is none, and one that is none of Lambda's neither.
func headOf(s string) (h head) {
	if s == "" || s[0] != '[' && (s[0] < '0' || s[0] > '9') && (s[0] < 'A' || s[0] > 'Z') {
		return h // most lines
	}
	if s[0] >= '0' && s[0] <= '9' {
		rest, ok := afterTime(s)
		if !ok {
			return h
		}
		id, rest := field(rest)
		if !isRequestID(id) && id != "undefined" { // Node's, where there is none
			return head{level: levelWord(id)}
		}
		word, _ := field(rest)
		return head{requestID(id), levelWord(word)}
	}
	word, rest := field(s)
	if h.level = levelWord(word); h.level == "" || s[0] != '[' {
		return h
	}
	if rest, ok := afterTime(rest); ok {
		id, _ := field(rest)
		h.requestID = requestID(id)
	}
	return h
}

// requestID is id, or "" where it is none of Lambda's.
func requestID(id string) string {
	if isRequestID(id) {
		return id
	}
	return ""
}

// field cuts the first word off s: at a tab, or at spaces.
func field(s string) (word, rest string) {
	n := strings.IndexAny(s, "\t ")
	if n < 0 {
		return s, ""
	}
	return s[:n], strings.TrimLeft(s[n+1:], " ")
}

// afterTime is what follows the time that s begins with: 2026-11-26T10:00:00.000Z, or
// with a space in the middle.
func afterTime(s string) (rest string, ok bool) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return "", false
	}
	end := strings.IndexAny(s[11:min(len(s), 40)], "\t ")
	if end < 0 {
		return "", false
	}
	return strings.TrimLeft(s[11+end+1:], " "), true
}

// isRequestID reports whether s is a UUID, as Lambda's ids are.
func isRequestID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
	}
	return true
}

// levelWord returns the level that s names, in lower case; "": it names none.
func levelWord(s string) string {
	s = strings.TrimSuffix(s, ":")
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
	}
	switch strings.ToLower(s) {
	case "trace", "verbose", "finest", "finer":
		return "trace"
	case "debug", "fine":
		return "debug"
	case "info", "information", "notice", "config":
		return "info"
	case "warn", "warning":
		return "warn"
	case "error", "err", "severe":
		return "error"
	case "fatal", "critical", "crit", "alert", "emerg", "emergency", "panic":
		return "fatal"
	}
	return ""
}

// Level returns the level that a line of a log says it has: trace, debug, info, warn, error
// or fatal; "": it says none. In JSON that is the member level or severity, a word or one
// of pino's numbers (https://getpino.io/#/docs/api?id=logger-level).
func Level(r *record.Record) string {
	if r.MessageJSON == nil {
		return headOf(r.Message).level
	}
	var line struct {
		Level    any `json:"level"`
		Severity any `json:"severity"`
	}
	_ = json.Unmarshal(r.MessageJSON, &line) // what is another type leaves the rest
	if level := levelOf(line.Level); level != "" {
		return level
	}
	return levelOf(line.Severity)
}

func levelOf(v any) string {
	switch v := v.(type) {
	case string:
		return levelWord(v)
	case float64:
		for i, word := range [...]string{"trace", "debug", "info", "warn", "error"} {
			if v >= 1 && v < float64(10*(i+1)+5) {
				return word
			}
		}
		if v >= 55 && v <= 100 {
			return "fatal"
		}
	}
	return ""
}
