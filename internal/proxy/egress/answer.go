package egress

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

// maxTold bounds what is kept of an answer that somebody wants to hear, in bytes.
const maxTold = 1 << 20

// told keeps an answer for the guard's Answers. A nil *told keeps nothing.
type told struct {
	x    *exchange
	to   func(body []byte)
	zip  bool
	body []byte
}

// tells returns what keeps resp's body; nil where nobody wants to hear it.
func (x *exchange) tells(resp *http.Response) *told {
	if x.f.quiet || x.f.p.Guard.Answers == nil || resp.StatusCode != http.StatusOK || resp.ContentLength > maxTold {
		return nil
	}
	encoding := strings.ToLower(strings.Join(resp.Header["Content-Encoding"], ","))
	if encoding != "" && encoding != "identity" && encoding != "gzip" {
		return nil
	}
	to := x.f.p.Guard.Answers(x.secretsFor(resp.Request))
	if to == nil {
		return nil
	}
	return &told{x: x, to: to, zip: encoding == "gzip"}
}

// more keeps p, and tells all of it with its end: before the function has that.
func (t *told) more(p []byte, err error) {
	if t == nil || t.to == nil {
		return
	}
	if len(t.body)+len(p) > maxTold {
		t.to, t.body = nil, nil // it is no answer of the kind
		return
	}
	t.body = append(t.body, p...)
	if errors.Is(err, io.EOF) {
		defer t.x.p.recover(func() {})
		t.to(t.plain())
		t.to, t.body = nil, nil
	}
}

// plain is the body without its coding.
func (t *told) plain() []byte {
	if !t.zip {
		return t.body
	}
	z, err := gzip.NewReader(bytes.NewReader(t.body))
	if err != nil {
		return nil
	}
	out, err := io.ReadAll(io.LimitReader(z, maxTold+1))
	if err != nil || len(out) > maxTold {
		return nil
	}
	return out
}
