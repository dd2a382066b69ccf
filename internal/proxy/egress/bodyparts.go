package egress

import (
	"bytes"
	"strings"

	"gatehouse/internal/detect"
)

// body is head for a short body: the strings and numbers of JSON, the pairs of a form, the
// parts of multipart, else the body itself.
func (j *joint) body(contentType string, body []byte) {
	j.at = "body"
	kind, _, _ := strings.Cut(contentType, ";")
	switch first := bytes.TrimLeft(body, " \t\r\n"); {
	case len(first) > 0 && (first[0] == '{' || first[0] == '['):
		j.json(string(body))
	case bytes.HasPrefix(first, []byte("--")):
		j.multipart(string(first))
	case strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded"):
		j.pairs("form", string(body), "&")
	default:
		j.value(detect.Spot{Kind: "body"}, string(body))
	}
}

// json adds the strings and the numbers of JSON, each under the name before it. It need not
// be well-formed. Escapes stay: who has 1 byte a string does not escape it.
func (j *joint) json(text string) {
	name, names := "", 0
	for text != "" {
		i := 0
		for i < len(text) && text[i] != '"' && !isDigit(text[i]) {
			i++
		}
		if text = text[i:]; text == "" {
			return
		}
		if text[0] != '"' {
			n := digitsIn(text)
			j.value(detect.Spot{Kind: "json", Name: name, N: -1}, text[:n])
			text = text[n:]
			continue
		}
		n := stringEnd(text)
		value := text[1:n]
		text = text[min(n+1, len(text)):]
		for text != "" && (text[0] == ' ' || text[0] == '\t' || text[0] == '\r' || text[0] == '\n') {
			text = text[1:]
		}
		if !strings.HasPrefix(text, ":") {
			j.value(detect.Spot{Kind: "json", Name: name, N: -1}, value)
			continue
		}
		j.name(detect.Spot{Kind: "json", N: names}, value)
		name = value
		names++
	}
}

// stringEnd is where the string that text begins with ends: at its quote, or with text.
func stringEnd(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
}

// multipart adds the names and the contents of parts.
func (j *joint) multipart(text string) {
	boundary, rest, _ := strings.Cut(text, "\n")
	boundary = "\n" + strings.TrimRight(boundary, "\r\n")
	for i := 0; rest != ""; i++ {
		var part string
		part, rest, _ = strings.Cut(rest, boundary)
		head, content, ok := strings.Cut(part, "\r\n\r\n")
		if !ok {
			continue
		}
		for k, quoted := range strings.Split(head, `"`) {
			if k%2 == 1 {
				j.name(detect.Spot{Kind: "part name", N: 2*i + k/2}, quoted)
			}
		}
		j.value(detect.Spot{Kind: "part", N: i}, strings.TrimSuffix(content, "\r"))
	}
}
