// Package redact hides fields: what stands in records under a name that promises a
// password, a credential or a cookie, card numbers, and what the customer's policy
// names. It knows nothing of the function's own secrets, which are masked before, and
// it leaves alone what stands in their place.
package redact

import (
	"fmt"
	"regexp"
	"strings"
)

// Config says what is to be hidden.
type Config struct {
	// Defaults hides passwords, credentials, cookies and card numbers.
	Defaults bool
	// Paths are places in JSON: Records[*].body.iban. [*] is any index, * any name, and
	// **. in front any place: **.iban.
	Paths []string
	// Headers are names whose values are hidden wherever they stand, in JSON and in
	// text, whatever their case.
	Headers []string
	// Patterns are regular expressions: what they match is hidden, or where they have
	// groups, what those match.
	Patterns []string
}

// Masks is a compiled Config. It is immutable and safe for concurrent use; nil hides
// nothing.
type Masks struct {
	cards    bool
	names    [26][]name // by their last letter
	odd      []name     // of those that end in no letter
	paths    []path
	patterns []*regexp.Regexp
}

// name is one under which something is hidden, as fold writes it.
type name struct {
	text   string
	shown  string // in the mask
	header bool   // its value goes to the end of the line
	suffix bool   // names that end in it count
}

// Compile returns the masks that c describes. Its errors name what they are about.
func Compile(c Config) (*Masks, error) {
	m := &Masks{cards: c.Defaults}
	if c.Defaults {
		for _, n := range usual {
			m.add(name{fold(n), n, false, true})
		}
		for _, n := range usualHeaders {
			m.add(name{fold(n), n, true, true})
		}
	}
	for _, n := range c.Headers {
		m.add(name{fold(n), strings.ToLower(n), true, false})
	}
	for _, text := range c.Paths {
		p, err := parsePath(text)
		if err != nil {
			return nil, fmt.Errorf("the path %q: %w", text, err)
		}
		m.paths = append(m.paths, p)
	}
	for _, text := range c.Patterns {
		re, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("the pattern %q: %w", text, err)
		}
		m.patterns = append(m.patterns, re)
	}
	return m, nil
}

// usual are the ends of names whose values are hidden unless the policy says
// otherwise, and usualHeaders those of headers, whose values may have spaces.
// CheckpointToken and taskToken let whoever has them act for a durable function or a
// state machine.
var (
	usual = [...]string{
		"password", "passwd", "passphrase", "passcode", "pwd", "secret", "secret_key", "secret_access_key", "private_key",
		"api_key", "access_token", "refresh_token", "id_token", "auth_token", "session_token", "security_token", "CheckpointToken", "taskToken",
		"authorizationToken",
	}
	usualHeaders = [...]string{"authorization", "cookie", "cookies"}
)

func (m *Masks) add(n name) {
	last := n.text[len(n.text)-1]
	if last < 'a' || last > 'z' {
		m.odd = append(m.odd, n)
		return
	}
	m.names[last-'a'] = append(m.names[last-'a'], n)
}

// maxName bounds a name that is looked at, in bytes.
const maxName = 64

// fold returns a name in lower case, without what people put between words.
func fold(s string) string {
	var b [maxName]byte
	return string(b[:foldInto(&b, s)])
}

func foldInto(b *[maxName]byte, s string) (n int) {
	for i := 0; i < len(s) && n < len(b); i++ {
		switch c := s[i]; {
		case c == '-' || c == '_' || c == '.' || c == ' ':
		case c >= 'A' && c <= 'Z':
			b[n] = c | 0x20
			n++
		default:
			b[n] = c
			n++
		}
	}
	return n
}

// lookup returns what s is called by; nil: nothing is hidden under it.
func (m *Masks) lookup(s string) *name {
	if len(s) == 0 || len(s) > maxName {
		return nil
	}
	last := s[len(s)-1] | 0x20
	names := m.odd
	if last >= 'a' && last <= 'z' {
		names = m.names[last-'a']
	}
	if len(names) == 0 {
		return nil
	}
	var b [maxName]byte
	folded := b[:foldInto(&b, s)]
	for i := range names {
		n := &names[i]
		if string(folded) == n.text || n.suffix && len(folded) > len(n.text) && string(folded[len(folded)-len(n.text):]) == n.text {
			return n
		}
	}
	return nil
}

// mask stands for what was hidden, of the name what.
func mask(what string) string { return "{{masked:" + what + "}}" }

// masked reports whether s is what a mask left.
func masked(s string) bool {
	return strings.HasPrefix(s, "{{") && strings.IndexByte(s, '}') == len(s)-2 && strings.HasSuffix(s, "}}")
}
