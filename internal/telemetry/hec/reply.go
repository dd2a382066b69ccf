package hec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Class says what a reply means for the request that it answers.
type Class int

// The classes of replies.
const (
	// Accepted: all of it was taken, also with a code that is not 0.
	Accepted Class = iota
	// Busy: nothing was taken, try again later.
	Busy
	// Ambiguous: it may have been taken; trying again may duplicate.
	Ambiguous
	// Partial: objects before Reply.Invalid were taken, that one never will be.
	Partial
	// TooLarge: send less at once.
	TooLarge
	// Index: the token may not write to this index, or there is none.
	Index
	// Config: nothing will be taken until somebody changes a setting.
	Config
)

// String names c in messages.
func (c Class) String() string {
	names := [...]string{"accepted", "busy", "ambiguous", "partly accepted", "too large", "wrong index", "misconfigured"}
	if c < 0 || int(c) >= len(names) {
		return "unknown"
	}
	return names[c]
}

// Reply is a HEC's answer.
type Reply struct {
	Class  Class
	Status int
	Code   int    // HEC's own code; -1: the body was not HEC's
	Text   string // HEC's own text, cut to 120 bytes
	// Invalid is the position of the object that HEC names; -1: it names none.
	Invalid int
	// AckID is the number of an acknowledgement to ask for; -1: none.
	AckID int64
}

// String shows r in messages.
func (r Reply) String() string {
	switch {
	case r.Code >= 0:
		return fmt.Sprintf("%s: HTTP %d, code %d %q", r.Class, r.Status, r.Code, r.Text)
	case r.Text != "":
		return fmt.Sprintf("%s: HTTP %d, %s", r.Class, r.Status, r.Text)
	}
	return fmt.Sprintf("%s: HTTP %d", r.Class, r.Status)
}

// Full reports whether HEC took the request and is near its limits.
func (r Reply) Full() bool { return r.Class == Accepted && (r.Code == 24 || r.Code == 25) }

// token reports whether r is about the token.
func (r Reply) token() bool {
	return r.Class == Config && (r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden)
}

// maxText bounds Reply.Text, in bytes.
const maxText = 120

// ParseReply reads an answer. A body that is not HEC's, as of a proxy before it,
// is judged by its status alone. A page is no success, whatever its status: it
// comes from a load balancer that asks for patience or a log-in.
func ParseReply(status int, body []byte) Reply { return parseReply(status, body, "") }

// parseReply is ParseReply of what a server says that was shown token: should it reflect
// that, the reply does not. It goes before the text is cut, or half of it would stay.
func parseReply(status int, body []byte, token string) Reply {
	r := Reply{Status: status, Code: -1, Invalid: -1, AckID: -1}
	var b struct {
		Text    *string `json:"text"`
		Code    *int    `json:"code"`
		Invalid *int    `json:"invalid-event-number"`
		AckID   *int64  `json:"ackId"`
	}
	// A member of another type leaves the rest; no JSON leaves all of it empty.
	_ = json.Unmarshal(body, &b)
	if b.Code != nil && *b.Code >= 0 {
		r.Code = *b.Code
		if b.Text != nil {
			r.Text = clip(hide(*b.Text, token), maxText)
		}
		if b.Invalid != nil && *b.Invalid >= 0 {
			r.Invalid = *b.Invalid
		}
		if b.AckID != nil && *b.AckID >= 0 {
			r.AckID = *b.AckID
		}
	}
	r.Class = classify(status, r.Code)
	if r.Class == Accepted && r.Code < 0 && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n\ufeff"), []byte("<")) {
		r.Class, r.Text = Busy, "a page, not HEC's answer"
	}
	return r
}

// classify is the one table of what HEC's answers mean; the codes are those of
// "Troubleshoot HTTP Event Collector" in Splunk's documentation and of a Splunk
// Enterprise 10.4.
func classify(status, code int) Class {
	if status >= 200 && status < 300 {
		return Accepted // 24 and 25 warn of full queues, and took it
	}
	switch code {
	case 6, 12, 13, 15: // format, event missing, event blank, fields
		return Partial
	case 7:
		return Index
	case 14: // acknowledgements are off: it counts as taken
		return Accepted
	case 1, 2, 3, 4, 5, 10, 11, 16, 21, 22, 28: // token, no data, channel
		return Config
	case 9, 18, 19, 20, 23, 26, 27: // busy, unhealthy, shutting down, full
		return Busy
	case 8:
		return Ambiguous
	}
	switch status {
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusNotFound:
		return Busy // 404 comes during a rolling restart
	case http.StatusRequestTimeout:
		return Ambiguous
	}
	if status >= 500 {
		return Ambiguous
	}
	return Config // 3xx too: a redirect would take the token elsewhere
}

// hide returns s without token; "" is none.
func hide(s, token string) string {
	if token == "" {
		return s
	}
	return strings.ReplaceAll(s, token, "[token]")
}

// clip cuts s to at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "")
}
