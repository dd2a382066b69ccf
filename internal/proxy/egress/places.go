package egress

import (
	"bytes"
	"cmp"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"gatehouse/internal/detect"
)

// place is a part of a request that leaves, and where it stands.
type place struct {
	name, text string
	in         string // what it was written in, where that is undone; "" where it is as sent
}

// joined is the place of what the parts of a request's head say together: see detect.Outlet.
const joined = "head"

// headPlaces lists what of r's head leaves, by place.
func headPlaces(r *http.Request) []place {
	url := r.URL.RequestURI()
	if strings.Contains(strings.ToLower(r.URL.RawQuery), "x-amz-signature=") {
		url = r.URL.Scheme + "://" + r.URL.Host + url // for whom it is presigned counts
	}
	places := []place{{name: "method", text: r.Method}, {name: "url", text: url}, {name: "host", text: r.Host}}
	places = append(places, fieldPlaces("header", r.Header)...)
	if pair := basicPair(r.Header); pair != "" {
		places = append(places, place{"header:authorization", pair, "base64"})
	}
	return append(places, fieldPlaces("trailer", r.Trailer)...) // names: values come last
}

// fieldPlaces lists the fields of h: a name at place kind, where case does not
// count, and its values at kind:name. The order is the same on every run.
func fieldPlaces(kind string, h http.Header) []place {
	places := make([]place, 0, 2*len(h)+1)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		places = append(places, place{name: kind, text: name})
		for _, value := range h[name] {
			places = append(places, place{name: kind + ":" + shortName(name), text: value})
		}
	}
	return places
}

// shortName is a header's name as records show it.
func shortName(name string) string { return strings.ToLower(name[:min(len(name), 64)]) }

// basicPair is the user and the password that h says in base64 (RFC 7617); "" where
// there are none.
func basicPair(h http.Header) string {
	for _, value := range h["Authorization"] {
		scheme, text, ok := strings.Cut(value, " ")
		if !ok || !strings.EqualFold(scheme, "Basic") {
			continue
		}
		text = strings.TrimRight(strings.TrimSpace(text), "=")
		pair, _ := base64.RawStdEncoding.DecodeString(text) // what comes before an error was read
		return string(pair)
	}
	return ""
}

const (
	// longPart is the longest part that is joined to others, in bytes. What a longer one
	// holds of a secret is found in itself: even in decimal, that is more than 12 bytes.
	longPart = 64
	// smallPart is how long a part is that may well come twice in a secret.
	smallPart = 3
	// shortJoint is how long a joint must be to hold a part of a secret that counts.
	shortJoint = 8
	// shortValue is the longest value of a header that everybody sends that is a part, in
	// bytes: a longer one holds enough to be told a secret's, in base64, too.
	shortValue = 16
	// maxObject is the longest value that is looked for parts in, in bytes.
	maxObject = 4 << 10
)

// joint puts the parts of a head together that are too short to be told a secret's by
// themselves: values in one text, names in the other.
type joint struct {
	values, names []byte
	undone        []byte // of values in hex or base64, what they are
	all           []byte // each part by itself, as it is sent; then what they say together
	parts         int
	deep          bool    // in what a value says
	at            string  // where what is added stands
	spread        []piece // each part, to be read with those of other requests
}

// piece is a part of a request that may go on with what another request said there.
type piece struct {
	place string
	spot  detect.Spot
	text  string
}

// maxSpread is how many parts of a request are read with those of others.
const maxSpread = 64

// spares are joints that nobody needs.
var spares = sync.Pool{New: func() any { return new(joint) }}

// free empties j and keeps it for another request.
func (j *joint) free() {
	clear(j.spread)
	*j = joint{values: j.values[:0], names: j.names[:0], undone: j.undone[:0], all: j.all[:0], spread: j.spread[:0]}
	spares.Put(j)
}

// head adds what the values of r's head say together, and what their names say: the
// path's segments, the query, cookies and headers as they were sent. sent are the names
// of the headers in their order, as far as it is known.
func (j *joint) head(r *http.Request, sent func() []string) {
	j.add(r.Method, r.URL.RequestURI(), r.Host)
	j.addFields(r.Header, r.Trailer)
	j.at = "url"
	i := 0
	for segment := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
		j.value(detect.Spot{Kind: "path", N: i}, segment)
		i++
	}
	j.pairs("query", r.URL.RawQuery, "&")
	j.at = "header:cookie"
	for _, cookies := range r.Header["Cookie"] {
		j.pairs("cookie", cookies, ";")
	}
	j.fields("header", r.Header, sent)
	if pair := basicPair(r.Header); pair != "" {
		j.at = "header:authorization"
		j.add(pair)
		j.value(detect.Spot{Kind: "basic"}, pair)
	}
}

// trailer is head for what comes behind a body.
func (j *joint) trailer(h http.Header) {
	j.addFields(h)
	j.fields("trailer", h, func() []string { return nil })
}

// add adds texts that leave by themselves.
func (j *joint) add(texts ...string) {
	for _, text := range texts {
		j.all = append(append(j.all, text...), '\n')
	}
}

// addFields adds what fieldPlaces lists.
func (j *joint) addFields(headers ...http.Header) {
	for _, h := range headers {
		for name, values := range h {
			j.add(name)
			j.add(values...)
		}
	}
}

// text is all that is to be looked at: where nothing is in that, nothing is in any part.
func (j *joint) text() []byte {
	for _, p := range j.places() {
		j.add(p.text)
	}
	return j.all
}

func (j *joint) places() (texts []place) {
	if j.parts < 2 {
		return nil
	}
	for _, text := range [...][]byte{j.values, j.names, j.undone} {
		if len(text) >= shortJoint {
			texts = append(texts, place{name: joined, text: string(text)})
		}
	}
	return texts
}

// value adds a part as it stands in a URL or a header.
func (j *joint) value(at detect.Spot, v string) {
	if len(v) > 3*longPart {
		j.object(v)
		return
	}
	v = unescaped(v)
	switch {
	case len(v) > longPart:
		j.object(v)
	case v != "":
		j.parts++
		if repeats(j.values, v) {
			return
		}
		j.values = append(j.values, v...)
		j.piece(at, v)
		if plain := undone(v); plain != "" {
			j.undone = append(j.undone, plain...)
			at.Undone = true
			j.piece(at, plain)
		}
	}
}

// object adds what a value says that is an object of JSON, or lines of names and values.
func (j *joint) object(v string) {
	if j.deep || len(v) > maxObject {
		return
	}
	j.deep = true
	defer func() { j.deep = false }()
	switch v = unescaped(v); {
	case v[0] == '{' || v[0] == '[':
		j.json(strings.ReplaceAll(v, `\"`, `"`))
	case strings.Contains(v, "\n"):
		j.pairs("line", v, "\n")
	}
}

// unescaped is v without percent encoding, however often it was done.
func unescaped(v string) string {
	for range 3 {
		if strings.IndexByte(v, '%') < 0 {
			break
		}
		plain, err := url.PathUnescape(v)
		if err != nil || plain == v {
			break
		}
		v = plain
	}
	return v
}

// undone is what v, a part, is in hex, base64 or base32; "" where that is no text.
func undone(v string) string {
	if len(v) < 2 || !mayBegin(v[0]) {
		return ""
	}
	digits := strings.TrimRight(v, "=")
	var room [longPart]byte
	n, err := hex.Decode(room[:], []byte(digits))
	for k := 0; err != nil || !isText(room[:n]); k++ {
		switch k {
		case 0:
			n, err = base64.RawStdEncoding.Decode(room[:], []byte(digits))
		case 1:
			n, err = base64.RawURLEncoding.Decode(room[:], []byte(digits))
		case 2:
			n, err = base32Digits.Decode(room[:], []byte(digits))
		default:
			return ""
		}
	}
	return string(room[:n])
}

var base32Digits = base32.StdEncoding.WithPadding(base32.NoPadding)

// mayBegin reports whether c is a digit that printable text begins with, in hex, base64
// or base32: its first byte is from 0x20 to 0x7e.
func mayBegin(c byte) bool {
	return c >= 'E' && c <= 'Z' || c >= 'a' && c <= 'f' || c >= '2' && c <= '7'
}

// isText reports whether b is printable ASCII.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func (j *joint) name(at detect.Spot, n string) {
	n = unescaped(n)
	if n != "" && len(n) <= longPart && !repeats(j.names, n) {
		j.names = append(j.names, n...)
		j.piece(at, n)
	}
}

// repeats reports whether text has v already, which is too long to be one character of
// a secret, or a few, that come twice.
func repeats(text []byte, v string) bool {
	return len(v) > smallPart && bytes.Contains(text, []byte(v))
}

func (j *joint) piece(at detect.Spot, text string) {
	if len(j.spread) < maxSpread {
		j.spread = append(j.spread, piece{j.at, at, text})
	}
}

// pairs adds the names and values of a query, or of cookies. What has no value is one.
func (j *joint) pairs(kind, text, between string) {
	for i := 0; text != ""; i++ {
		var pair string
		pair, text, _ = strings.Cut(text, between)
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			name, value = "", name
		}
		j.name(detect.Spot{Kind: kind, N: i}, name)
		j.value(detect.Spot{Kind: kind, Name: name, N: -1}, value)
	}
}

// fields adds headers: first those that are not in every request, in the order of sent
// and then by their names.
func (j *joint) fields(kind string, h http.Header, sent func() []string) {
	var buf [2][16]string
	chosen, usual := buf[0][:0], buf[1][:0]
	for name := range h {
		switch {
		case isUsual(name):
			usual = append(usual, name)
		case name != "Cookie": // its pairs are
			chosen = append(chosen, name)
		}
	}
	if len(chosen) > 1 {
		slices.SortFunc(chosen, inOrder(sent()))
	}
	slices.Sort(usual)
	for i, name := range append(chosen, usual...) {
		if i < len(chosen) {
			j.at = kind
			j.name(detect.Spot{Kind: kind, N: i}, strings.TrimPrefix(name, "X-"))
		}
		j.at = kind + ":" + shortName(name)
		for _, v := range h[name] {
			if i >= len(chosen) && len(v) > shortValue || name == "Content-Length" {
				continue
			}
			j.value(detect.Spot{Kind: kind, Name: name, N: -1}, v)
		}
	}
}

// inOrder compares names by where they stand in sent, the rest by itself.
func inOrder(sent []string) func(a, b string) int {
	rank := make(map[string]int, len(sent))
	for i, name := range sent {
		if name = http.CanonicalHeaderKey(name); rank[name] == 0 {
			rank[name] = i - len(sent) // before the 0 of those that are not there
		}
	}
	return func(a, b string) int {
		return cmp.Or(cmp.Compare(rank[a], rank[b]), byNumber(a, b))
	}
}

// byNumber compares names so that part-10 comes behind part-9.
func byNumber(a, b string) int {
	for a != "" && b != "" {
		n, m := digitsIn(a), digitsIn(b)
		if n == 0 || m == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := strings.TrimLeft(a[:n], "0"), strings.TrimLeft(b[:m], "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
			return c
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}

// digitsIn is how many digits s begins with.
func digitsIn(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isUsual reports whether a header of that name is in requests that nobody thinks about.
func isUsual(name string) bool {
	switch name {
	case "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection",
		"Content-Encoding", "Content-Length", "Content-Type", "Date", "Expect", "If-Match", "If-Modified-Since",
		"If-None-Match", "If-Unmodified-Since", "Origin", "Pragma", "Range", "Referer", "Te", "Traceparent", "Upgrade",
		"User-Agent", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Target", "X-Amzn-Trace-Id":
		return true
	}
	return false
}
