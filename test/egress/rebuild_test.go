package egress_test

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"gatehouse/test/egress/corpus"
)

// gram is the shortest piece of a secret that counts as having arrived.
const gram = 4

// arrived returns how many bytes of secret can be told from what arrived, by somebody
// who knows how it was sent: all requests together, and the names that were asked for;
// and the longest run of them in one request.
func arrived(row *corpus.Row, value, secret string, texts, names []string) (bytes, run int) {
	e := corpus.EncodingOf(row.Encoding)
	seen := within(value, secret, parts(row, value, texts, names))
	if !slices.Contains(seen, false) {
		return len(secret), len(secret)
	}
	var all []string
	for _, text := range append(slices.Clone(texts), names...) {
		for _, piece := range pieces(text) {
			decoded := e.Decode(piece)
			mark(seen, secret, decoded)
			run = max(run, longest(secret, decoded))
		}
		all = append(all, values(text))
	}
	mark(seen, secret, e.Decode(strings.Join(all, "")))
	for _, s := range seen {
		if s {
			bytes++
		}
	}
	return bytes, run
}

// within says of each byte of secret whether it was seen of value, which it is the
// main part of.
func within(value, secret string, seen []bool) []bool {
	list := make([]bool, len(secret))
	at, n := max(0, strings.Index(value, secret[:4])), 0
	for ; at < len(value) && n < len(secret); at++ {
		if value[at] == secret[n] {
			list[n] = seen[at]
			n++
		}
	}
	return list
}

var (
	word  = regexp.MustCompile(`[A-Za-z0-9+/_=%\\:.~!$,@#&*-]{8,}`)
	value = regexp.MustCompile(`(?:v[0-9]*|c[0-9]+)=([^&;\s"]*)|X-Part-[0-9]: ([^\r\n]*)|"v":\s*\[?"([^\r\n]*?)"[\]},]`)
	basic = regexp.MustCompile(`Authorization: Basic ([A-Za-z0-9+/=]+)`)
)

// pieces are the parts of a request in which something may stand.
func pieces(text string) []string {
	plain := corpus.EncodingOf("percent").Decode(text)
	list := []string{text, plain, strings.NewReplacer(" ", "", "\n", "", "\r", "").Replace(plain)}
	if _, body, ok := strings.Cut(text, "\r\n\r\n"); ok {
		list = append(list, body, strings.Trim(body, "\r\n"))
		if _, part, ok := strings.Cut(body, "\r\n\r\n"); ok { // of a multipart body
			part, _, _ = strings.Cut(part, "\r\n--bb")
			list = append(list, part)
		}
	}
	for _, t := range []string{text, plain} {
		for _, w := range word.FindAllString(t, -1) {
			list = append(list, w, strings.TrimPrefix(w, "v="))
			for p := range strings.SplitSeq(w, "/") {
				list = append(list, p)
			}
			for p := range strings.FieldsFuncSeq(w, func(r rune) bool { return r == '=' || r == '&' || r == ':' || r == '-' }) {
				list = append(list, p)
			}
		}
	}
	for _, m := range basic.FindAllStringSubmatch(text, -1) {
		if pair, err := base64.StdEncoding.DecodeString(m[1]); err == nil {
			user, password, _ := strings.Cut(string(pair), ":")
			list = append(list, user, password)
		}
	}
	for _, between := range [][2]string{{"v=", " HTTP/1.1"}, {"X-Trace: ", "\r\n"}, {`"v":"`, `","n"`}} {
		if _, v, ok := strings.Cut(plain, between[0]); ok {
			v, _, _ = strings.Cut(v, between[1])
			list = append(list, strings.ReplaceAll(v, `\n`, "\n"), strings.ReplaceAll(v, `\"`, `"`))
		}
	}
	return append(list, labelsOf(text))
}

// labelsOf is the name of the host without its dots.
func labelsOf(text string) string {
	_, host, ok := strings.Cut(text, "Host: ")
	if !ok {
		host = text
	}
	host, _, _ = strings.Cut(host, "\r\n")
	name, _, _ := strings.Cut(host, ".row")
	return strings.ReplaceAll(name, ".", "")
}

// values joins what was put into the request.
func values(text string) string {
	var b strings.Builder
	for _, t := range []string{corpus.EncodingOf("percent").Decode(text)} {
		for _, m := range value.FindAllStringSubmatch(t, -1) {
			b.WriteString(strings.ReplaceAll(m[1]+m[2]+m[3], `","`, ""))
		}
	}
	return b.String()
}

// mark notes which pieces of secret stand in text, whatever the case of its letters.
func mark(seen []bool, secret, text string) {
	for _, t := range []string{text, strings.ToLower(text)} {
		s := secret
		if t != text {
			s = strings.ToLower(secret)
		}
		for i := 0; i+gram <= len(s); i++ {
			if strings.Contains(t, s[i:i+gram]) {
				for k := range gram {
					seen[i+k] = true
				}
			}
		}
	}
}

// longest is the length of the longest piece of secret in text, from gram on.
func longest(secret, text string) (n int) {
	for i := range secret {
		for n >= gram-1 && i+n < len(secret) && strings.Contains(text, secret[i:i+n+1]) || n < gram-1 && i+gram <= len(secret) && strings.Contains(text, secret[i:i+gram]) {
			n = max(n+1, gram)
		}
	}
	return n
}
