package policy

import (
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Records says what is sent of what was seen.
type Records struct {
	// NoLogs leaves out the lines of the function and of extensions.
	NoLogs bool
	// Level leaves out lines of less weight that say how much they have.
	Level Level
	// Sample is the part of the invocations whose lines are sent, 0 to 1.
	Sample float64
	// NoEvent leaves the event out of findings. What was matched in it stays.
	NoEvent bool
	// Masks are beside the function's own secrets, which are always masked.
	Masks Masks
}

// Level is the weight of a line of a log.
type Level uint8

// The levels, as Lambda's log levels are called. LevelNone is that of a line that says none.
const (
	LevelNone Level = iota
	LevelTrace
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
	LevelFatal
)

// String is the word that a policy has for it.
func (l Level) String() string {
	return [...]string{"none", "trace", "debug", "info", "warn", "error", "fatal"}[l]
}

// Below reports whether a line whose level is word is left out. One that says none is not.
func (r *Records) Below(word string) bool {
	for l := LevelTrace; l < r.Level; l++ {
		if l.String() == word {
			return true
		}
	}
	return false
}

// Sampled reports whether the lines of an invocation are sent: always the same for the
// same one, in every sandbox.
func (r *Records) Sampled(requestID string) bool {
	if r.Sample >= 1 || requestID == "" {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(requestID)) // it never fails
	// Ids that differ in their last characters alone differ in the low bits: mix them.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11)/(1<<53) < r.Sample
}

// Masks are what is hidden in records; see package redact, which does it.
type Masks struct {
	// Defaults hides passwords, credentials, cookies and card numbers.
	Defaults bool
	// Paths are places in an event, or in a line that is JSON; Headers are names;
	// Patterns are regular expressions, as package regexp has them.
	Paths, Headers, Patterns []string
}

// maxMasks bounds each list of masks: every one of them is looked for in every record.
const maxMasks = 64

func (r *reader) records(n *yaml.Node, key string) {
	to := &r.policy.Records
	r.mapping(n, key, []field{
		{"logs", choice(r, &to.NoLogs, word[bool]{"true", false}, word[bool]{"false", true})},
		{"level", choice(r, &to.Level, levels()...)},
		{"sample", r.sample},
		{"event", choice(r, &to.NoEvent, word[bool]{"whole", false}, word[bool]{"none", true})},
		{"masks", r.masks},
	})
}

func levels() (words []word[Level]) {
	for l := LevelTrace; l <= LevelFatal; l++ {
		words = append(words, word[Level]{l.String(), l})
	}
	return words
}

func (r *reader) sample(n *yaml.Node, key string) {
	const wants = "wants a number from 0 to 1, the part of the invocations whose lines are sent"
	text, ok := r.text(n, key, wants)
	if !ok {
		return
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0 && x <= 1) { // NaN is neither
		r.fail(n, key, "%s, not %s", wants, quote(text))
		return
	}
	r.policy.Records.Sample = x
}

func (r *reader) masks(n *yaml.Node, key string) {
	m := &r.policy.Records.Masks
	r.mapping(n, key, []field{
		{"defaults", choice(r, &m.Defaults, word[bool]{"true", true}, word[bool]{"false", false})},
		{"paths", r.maskList(&m.Paths, checkMaskPath)},
		{"headers", r.maskList(&m.Headers, checkHeader)},
		{"patterns", r.maskList(&m.Patterns, checkPattern)},
	})
}

// maskList reads masks of one sort, which check knows.
func (r *reader) maskList(into *[]string, check func(string) error) func(*yaml.Node, string) {
	return func(n *yaml.Node, key string) {
		items := r.items(n, key)
		if len(items) > maxMasks {
			r.fail(n, key, "%d are too many; there are at most %d", len(items), maxMasks)
			return
		}
		for i, item := range items {
			at := fmt.Sprintf("%s[%d]", key, i)
			text, ok := r.text(item, at, check("").Error())
			if !ok {
				continue
			}
			if err := check(text); err != nil {
				r.fail(item, at, "%v, not %s", err, quote(text))
				continue
			}
			*into = append(*into, text)
		}
	}
}

var (
	errMaskPath = errors.New("wants a path, such as Records[*].body.iban; [*] stands for any index, * for any name, and **. in front for any place")
	errHeader   = errors.New("wants the name of a header, such as X-Api-Key")
	errPattern  = errors.New("wants a regular expression of at most 1024 bytes that matches something")
)

// checkMaskPath accepts the paths of exceptions, with **. in front where they may begin
// anywhere.
func checkMaskPath(text string) error {
	rest, _ := strings.CutPrefix(text, "**.")
	if rest == "" || len(text) > maxPath {
		return errMaskPath
	}
	for steps, first := 0, true; rest != ""; steps, first = steps+1, false {
		before, ok := rest, false
		switch after, any := strings.CutPrefix(rest, "[*]"); {
		case any:
			rest, ok = after, true
		case strings.HasPrefix(rest, `["`) || rest[0] != '[':
			rest, ok = cutName(rest, first)
			name := strings.TrimPrefix(before[:len(before)-len(rest)], ".")
			ok = ok && (name == "*" || name[0] == '[' || !strings.Contains(name, "*"))
		default:
			rest, ok = cutIndex(rest)
		}
		if !ok || steps == maxMaskSteps {
			return errMaskPath
		}
	}
	return nil
}

// maxMaskSteps bounds the steps of a path.
const maxMaskSteps = 32

func checkHeader(text string) error {
	if len(text) > 64 || !of(strings.ToLower(text), "-_") {
		return errHeader
	}
	return nil
}

func checkPattern(text string) error {
	if text == "" || len(text) > 1024 {
		return errPattern
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return err
	}
	if re.MatchString("") {
		return errPattern // it would match everywhere, and hide nothing
	}
	return nil
}
