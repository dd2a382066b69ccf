package egress_test

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"gatehouse/test/egress/corpus"
)

// request is one that arrived, or what did of it.
type request struct {
	target, host string
	header       [][2]string
	body         string
	trailer      [][2]string
}

// read takes the requests out of what one connection brought, as far as they go.
func read(text string) (all []request) {
	for text != "" {
		head, rest, _ := strings.Cut(text, "\r\n\r\n")
		line, fields, _ := strings.Cut(head, "\r\n")
		_, target, _ := strings.Cut(line, " ")
		target, _, _ = strings.Cut(target, " HTTP/")
		q := request{target: target, header: readFields(fields)}
		q.host = q.value("Host")
		n, chunked := len(rest), strings.EqualFold(q.value("Transfer-Encoding"), "chunked")
		switch length, err := strconv.Atoi(q.value("Content-Length")); {
		case chunked:
			q.body, rest = dechunked(rest)
			if next, none := strings.CutPrefix(rest, "\r\n"); none {
				rest = next
				break
			}
			fields, rest, _ = strings.Cut(rest, "\r\n\r\n")
			q.trailer = readFields(fields)
		case err == nil:
			n = min(n, length)
			q.body, rest = rest[:n], rest[n:]
		case strings.HasPrefix(text, "GET ") && strings.HasSuffix(line, "/1.1"):
		default:
			q.body, rest = rest, ""
		}
		all = append(all, q)
		text = rest
	}
	return all
}

func readFields(text string) (list [][2]string) {
	for line := range strings.SplitSeq(text, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		list = append(list, [2]string{name, strings.TrimSpace(value)})
	}
	return list
}

// dechunked is the body in text, and what comes after the last of its chunks.
func dechunked(text string) (body, rest string) {
	for {
		size, data, ok := strings.Cut(text, "\r\n")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 31)
		if !ok || err != nil || n == 0 {
			return body, data
		}
		k := min(int(n), len(data))
		body += data[:k]
		text = strings.TrimPrefix(data[k:], "\r\n")
	}
}

// value is that of a header, "" without one.
func (q *request) value(name string) string {
	for _, h := range q.header {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

// between is what stands between a and b in text, or from a to its end.
func between(text, a, b string) string {
	_, v, ok := strings.Cut(text, a)
	if !ok {
		return ""
	}
	v, _, _ = strings.Cut(v, b)
	return v
}

var (
	partOf  = regexp.MustCompile(`(?:^|[?&; ])v[0-9]*=([^&;]*)`)
	member  = regexp.MustCompile(`"v[0-9]*":"((?:[^"\\]|\\.)*)`)
	field   = regexp.MustCompile(`name="v[0-9]+"\r\n\r\n((?s:.*?))(?:\r\n--bb|$)`)
	numbers = regexp.MustCompile(`(?i)^X-Part-[0-9]+$`)
)

// taken are the values that a thief put into one place of q. It is told where he does.
func taken(place string, q *request) (list []string) {
	unquote := strings.NewReplacer(`\"`, `"`, `\n`, "\n").Replace
	unform := func(v string) string { s, _ := url.QueryUnescape(v); return s }
	unpath := func(v string) string { s, _ := url.PathUnescape(v); return s }
	all := func(re *regexp.Regexp, text string, undo func(string) string) {
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			list = append(list, undo(m[1]))
		}
	}
	add := func(v string) { list = append(list, v) }
	same := func(v string) string { return v }
	switch place {
	case "path":
		if _, parts, ok := strings.Cut(q.target, "/s/"); ok && !strings.Contains(q.target, "/hacked/") {
			for p := range strings.SplitSeq(parts, "/") {
				add(unpath(p))
			}
		}
		add(unpath(between(q.target, "/hacked/", "/x")))
	case "query":
		all(partOf, q.target[strings.IndexByte(q.target, '?')+1:], unform)
	case "query name":
		add(unform(between(q.target, "?", "=1")))
	case "header":
		for _, h := range q.header {
			if strings.EqualFold(h[0], "X-Trace") || numbers.MatchString(h[0]) {
				add(h[1])
			}
		}
	case "header name":
		for _, h := range q.header {
			add(strings.TrimPrefix(strings.TrimPrefix(h[0], "X-"), "x-"))
		}
	case "Referer":
		add(unpath(between(q.value("Referer"), "//1.a/", "\n")))
	case "Cookie":
		all(partOf, q.value("Cookie"), func(v string) string { return strings.ReplaceAll(v, "%3B", ";") })
		all(partOf, q.value("Cookie"), unform)
	case "User-Agent":
		add(strings.TrimPrefix(q.value("User-Agent"), "curl/8 "))
	case "Basic", "userinfo":
		pair, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(q.value("Authorization"), "Basic "))
		add(strings.TrimSuffix(strings.TrimPrefix(string(pair), "user:"), ":"))
	case "JSON", "GraphQL":
		all(member, q.body, unquote)
	case "JSON key":
		add(unquote(between(q.body, `"a":{"`, `":1}`)))
	case "JSON in JSON":
		add(strings.NewReplacer(`\\\"`, `"`, `\\n`, "\n", `\\`, `\`).Replace(between(q.body, `\"v\":\"`, `\"}`)))
	case "form":
		all(partOf, q.body, unform)
	case "form name":
		add(unform(between(q.body, "a=1&", "=2")))
	case "multipart":
		all(field, q.body, same)
		add(between(q.body, "\r\n\r\n", "\r\n--bb"))
	case "file name":
		add(between(q.body, `filename="`, `"`))
	case "multipart field":
		add(between(q.body, `name="`, `"`))
	case "large body":
		add(between(q.body, "\nv=", "\nline of"))
	case "trailer":
		for _, h := range q.trailer {
			add(h[1])
		}
		add(between(q.body, "X-Sum: ", "\r\n")) // of HTTP/2, as the test writes it down
	case "gRPC":
		if len(q.body) > 6 {
			rest := q.body[6:]
			for rest != "" && rest[0] >= 0x80 {
				rest = rest[1:]
			}
			add(rest[min(1, len(rest)):])
		}
	case "metadata":
		add(q.value("X-Amz-Meta-Note"))
	case "security token":
		add(q.value("X-Amz-Security-Token"))
	case "body", "signed by another", "presigned by another":
		add(q.body)
	}
	return list
}

// parts marks what of secret came whole, part by part, in the order in which the thief
// sent them: what a server can tell even of single letters.
func parts(r *corpus.Row, secret string, texts, names []string) []bool {
	seen := make([]bool, len(secret))
	var came []string
	for _, text := range texts {
		switch r.Transport {
		case "raw", "rawtls", "websocket":
			came = append(came, text)
			continue
		}
		for _, q := range read(text) {
			came = append(came, taken(r.Place, &q)...)
			if r.Place == "Host header" || r.Place == "host" || r.Place == "SNI" {
				came = append(came, labelsOf(q.host))
			}
		}
	}
	for _, name := range names {
		came = append(came, labelsOf(name))
	}
	encode, n := corpus.EncodingOf(r.Encoding).Encode, r.Parts(len(secret))
	at, next := 0, 0
	for _, v := range came {
		at = next
		for i := range n {
			k := (at + i) % n // it may have tried again
			part := r.Part(secret, k)
			if put := encode(part); part != "" && alike(v, put) {
				for j := range part {
					seen[k*len(r.Part(secret, 0))+j] = true
				}
				next = k + 1
				break
			}
		}
	}
	return seen
}

// alike reports whether what came is what was put, as far as its place could take it:
// no more than letters and digits, of either case, are sure to be kept by all.
func alike(came, put string) bool {
	if came == put {
		return true
	}
	keep := func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r > 0x7f {
			return r
		}
		return -1
	}
	a, b := strings.Map(keep, came), strings.Map(keep, put)
	return b != "" && strings.EqualFold(a, b)
}
