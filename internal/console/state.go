package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatehouse/internal/record"
)

// state is the view as it stands in the URL, so that every view is a link.
type state struct{ values url.Values }

// With returns the URL of the overview with one value changed; "" takes it out.
func (s state) With(key, value string) string { return s.path("/", key, value) }

// Get returns a value of the state.
func (s state) Get(key string) string { return s.values.Get(key) }

// Record returns the URL of a record's page.
func (s state) Record(seq int64) string { return s.keep("/record/" + strconv.FormatInt(seq, 10)) }

// Home returns the URL of the overview without any filter.
func (s state) Home() string { return s.keep("/") }

// keep returns path with what concerns all pages.
func (s state) keep(path string) string {
	kept := url.Values{}
	for _, key := range []string{"static", "theme"} {
		if v := s.values.Get(key); v != "" {
			kept.Set(key, v)
		}
	}
	return target(path, kept.Encode())
}

func (s state) path(path, key, value string) string {
	values := url.Values{}
	for k, v := range s.values {
		if k != key && k != "before" {
			values[k] = v
		}
	}
	if key == "last" {
		values.Del("from")
		values.Del("to")
	}
	if value != "" {
		values.Set(key, value)
	}
	return target(path, values.Encode())
}

// stateKeys are the values that a URL may carry; others are dropped.
var stateKeys = []string{"function", "source", "type", "kind", "action", "q", "last", "from", "to", "before", "static", "theme"}

// maxValue bounds one value of the state.
const maxValue = 512

func stateOf(r *http.Request) state {
	q := r.URL.Query()
	s := state{url.Values{}}
	for _, key := range stateKeys {
		if v := q.Get(key); v != "" && len(v) <= maxValue {
			s.values.Set(key, v)
		}
	}
	return s
}

// lasts are the ranges of time that the page offers.
var lasts = []struct {
	Value, Label string
	span         time.Duration
}{
	{"15m", "15 min", 15 * time.Minute}, {"1h", "1 h", time.Hour}, {"24h", "24 h", 24 * time.Hour},
	{"168h", "7 d", 7 * 24 * time.Hour}, {"", "All", 0},
}

// filter reads the state. What does not parse selects nothing less.
func (s state) filter(now time.Time) Filter {
	f := Filter{
		Function: s.Get("function"), EventSource: s.Get("source"), Signature: s.Get("type"),
		Action: s.Get("action"), Kind: record.Kind(s.Get("kind")), Text: s.Get("q"),
		From: millis(s.Get("from")), To: millis(s.Get("to")),
	}
	for _, last := range lasts {
		if last.span > 0 && s.Get("last") == last.Value && f.From.IsZero() {
			f.From = now.Add(-last.span)
		}
	}
	_, _ = fmt.Sscanf(s.Get("before"), "%d-%d", &f.Before.Time, &f.Before.Seq) // else from the beginning
	return f
}

func millis(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 9e12 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// chip is one filter that is set, and the URL without it.
type chip struct{ Name, Value, Link string }

// Chips lists the filters that are set.
func (p overviewPage) Chips(s state) []chip {
	var list []chip
	for _, c := range []struct{ key, name string }{
		{"function", "function"}, {"source", "event source"}, {"type", "attack type"}, {"kind", "kind"},
		{"action", "action"}, {"q", "search"},
	} {
		if v := s.Get(c.key); v != "" {
			list = append(list, chip{c.name, v, s.With(c.key, "")})
		}
	}
	if !p.Filter.From.IsZero() && s.Get("from") != "" {
		span := p.Filter.From.Format("15:04:05") + " to "
		if p.Filter.To.IsZero() {
			span += "now"
		} else {
			span += p.Filter.To.Format("15:04:05")
		}
		list = append(list, chip{"time", span, s.With("last", s.Get("last"))})
	}
	return list
}

// FormKeys are the values that the search form carries along.
func (overviewPage) FormKeys() []string {
	return []string{"function", "source", "type", "kind", "action", "last", "from", "to", "static", "theme"}
}
