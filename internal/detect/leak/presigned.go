package leak

import (
	"bytes"
	"net/url"
	"strings"
)

// maxURL bounds what is read of a URL behind a credential, in bytes.
const maxURL = 4 << 10

// signature says whether a credential stands in a presigned URL.
type signature uint8

const (
	unsigned  signature = iota
	undecided           // it may, and the rest of the URL is still to come
	signed
)

// presigned judges match m in w. The key id and the session token stand in every
// URL that the function presigns, and are worth nothing without the secret access
// key; where such a URL is well-formed and goes to a host that ours names, they
// are no leak. last says that nothing follows w. A nil ours excuses nothing.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (s *Set) presigned(ix *index, w []byte, m match, ours func(host string) bool, last bool) signature {
	field := s.credential(ix, m)
	if field == "" || ours == nil || m.start < len(field) ||
		!strings.EqualFold(string(w[m.start-len(field):m.start]), field) {
		return unsigned
	}
	from := max(0, m.start-lookBehind)
	if i := lastDelimiter(w[from:m.start]); i >= 0 {
		from += i + 1
	}
	end, ended := urlEnd(w, m.end)
	switch {
	case !ended && !last && len(w)-m.end < maxURL:
		return undecided
	case isPresigned(plainURL(w[from:m.start])+"\x00"+plainURL(w[m.end:end]), ours):
		return signed
	}
	return unsigned
}

// credential returns what must stand in front of m in a presigned URL; "" where m
// is no credential that one may have.
func (s *Set) credential(ix *index, m match) string {
	return credentialField(s.secrets[ix.patterns[m.pattern].secret].Name)
}

// credentialField is credential for the secret called name.
func credentialField(name string) string {
	switch name {
	case "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN":
		return "x-amz-security-token="
	case "AWS_ACCESS_KEY_ID":
		return "x-amz-credential="
	}
	return ""
}

// urlDelimiters end a URL in text, in JSON and in HTML.
const urlDelimiters = "\"'<>`{}|^ \t\r\n\x00"

func lastDelimiter(b []byte) int { return bytes.LastIndexAny(b, urlDelimiters) }

// urlEnd returns where the URL that w[at:] goes on with ends, and whether that is
// seen. A backslash ends it where it begins no escape of a mark that URLs have.
func urlEnd(w []byte, at int) (end int, ended bool) {
	for i := at; i < min(len(w), at+maxURL); i++ {
		if strings.IndexByte(urlDelimiters, w[i]) >= 0 {
			return i, true
		}
		if w[i] == '\\' && i+1 < len(w) && strings.IndexByte("\\/u", w[i+1]) < 0 {
			return i, true
		}
	}
	return min(len(w), at+maxURL), false
}

// plainURL undoes what JSON and HTML do to the marks of a URL.
func plainURL(b []byte) string {
	return strings.NewReplacer(`\\`, ``, `\u0026`, "&", `\u003d`, "=", `\/`, "/", "u0026", "&", "&amp;", "&", `\`, "").Replace(string(b))
}

// isPresigned reports whether text is a URL, its credential replaced by NUL, that
// was presigned for a host that ours names.
func isPresigned(text string, ours func(host string) bool) bool {
	at := strings.LastIndex(text[:strings.IndexByte(text, 0)], "://")
	if at < 0 {
		return false
	}
	switch scheme := strings.ToLower(text[:at]); {
	case strings.HasSuffix(scheme, "https"), strings.HasSuffix(scheme, "http"), strings.HasSuffix(scheme, "wss"):
	default:
		return false
	}
	place, query, ok := strings.Cut(text[at+len("://"):], "?")
	query, _, _ = strings.Cut(query, "#")
	query = strings.TrimRight(query, ".,;:!?)]*") // of the sentence round it
	authority, _, _ := strings.Cut(place, "/")
	host, _, _ := strings.Cut(strings.ToLower(authority), ":")
	return ok && !strings.Contains(authority, "@") && ours(host) && isSigned(query)
}

// isSigned reports whether query has all that Signature Version 4 asks for, once
// each. The credential that is judged stands as NUL.
func isSigned(query string) bool {
	given := map[string]string{}
	for field := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(field, "=")
		name = strings.ToLower(name)
		if _, twice := given[name]; twice && strings.HasPrefix(name, "x-amz-") {
			return false
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			return false
		}
		given[name] = value
	}
	return strings.HasPrefix(given["x-amz-algorithm"], "AWS4-") &&
		isScope(given["x-amz-credential"]) && isDate(given["x-amz-date"]) &&
		strings.Contains(given["x-amz-signedheaders"], "host") &&
		isHex(given["x-amz-signature"]) && oneCredential(given)
}

// oneCredential reports whether the credential is the whole value of its field,
// or the key id that begins a scope.
func oneCredential(given map[string]string) bool {
	return given["x-amz-security-token"] == "\x00" || strings.HasPrefix(given["x-amz-credential"], "\x00/")
}

// isScope reports whether v is like AKIA…/20260101/eu-west-1/s3/aws4_request. The
// asymmetric form has no region.
func isScope(v string) bool {
	parts := strings.Split(v, "/")
	return (len(parts) == 5 || len(parts) == 4) && len(parts[1]) == 8 && digits([]byte(parts[1])) == 8 &&
		parts[len(parts)-1] == "aws4_request"
}

// isDate reports whether v is like 20260101T120000Z.
func isDate(v string) bool {
	return len(v) == 16 && digits([]byte(v)) == 8 && v[8] == 'T' && digits([]byte(v[9:])) == 6 && v[15] == 'Z'
}

// isHex reports whether v may be a signature: 64 hex digits, or more where it is
// asymmetric.
func isHex(v string) bool {
	return len(v) >= 64 && len(v) <= 160 && strings.Trim(strings.ToLower(v), "0123456789abcdef") == ""
}
