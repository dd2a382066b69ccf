package egress_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
	"gatehouse/internal/proxy/egress"
	"gatehouse/internal/record"
)

// pieces cuts text into pieces of n bytes.
func pieces(text string, n int) (list []string) {
	for part := range slices.Chunk([]byte(text), n) {
		list = append(list, string(part))
	}
	return list
}

// spreads put pieces into the head of one request.
var spreads = []struct {
	name string
	put  func(r *http.Request, pieces []string)
}{
	{"query", func(r *http.Request, pieces []string) {
		var pairs []string
		for i, p := range pieces {
			pairs = append(pairs, fmt.Sprintf("v%d=%s", i, url.QueryEscape(p)))
		}
		r.URL.RawQuery = strings.Join(pairs, "&")
	}},
	{"names in the query", func(r *http.Request, pieces []string) {
		for i, p := range pieces {
			pieces[i] = url.QueryEscape(p) + "=1"
		}
		r.URL.RawQuery = strings.Join(pieces, "&")
	}},
	{"path", func(r *http.Request, pieces []string) {
		for i, p := range pieces {
			pieces[i] = url.PathEscape(p)
		}
		r.URL.RawPath = "/" + strings.Join(pieces, "/")
		r.URL.Path, _ = url.PathUnescape(r.URL.RawPath) // it was escaped a line ago
	}},
	{"cookies", func(r *http.Request, pieces []string) {
		for i, p := range pieces {
			r.Header.Add("Cookie", fmt.Sprintf("c%d=%s", i, p))
		}
	}},
	{"headers", func(r *http.Request, pieces []string) {
		for i, p := range pieces {
			r.Header.Set(fmt.Sprintf("X-Part-%d", i), p)
		}
	}},
	{"values of one header", func(r *http.Request, pieces []string) { r.Header["X-Part"] = pieces }},
	{"a trailer", func(r *http.Request, pieces []string) {
		setBody(r, "harmless", true)
		r.Trailer = http.Header{}
		for i, p := range pieces {
			r.Trailer.Set(fmt.Sprintf("X-Part-%d", i), p)
		}
	}},
	{"path, query, cookie, headers", func(r *http.Request, pieces []string) {
		last := pieces[len(pieces)-1]
		for len(pieces) < 4 {
			pieces = append(pieces, last)
		}
		r.URL.RawPath = "/" + url.PathEscape(pieces[0])
		r.URL.Path = "/" + pieces[0]
		r.URL.RawQuery = "q=" + url.QueryEscape(pieces[1])
		r.Header.Set("Cookie", "sid="+pieces[2])
		for i, p := range pieces[3:] {
			r.Header.Set(fmt.Sprintf("X-Part-%d", i), p)
		}
	}},
}

// A secret that goes in pieces, each too short to be told for one, over the head of one
// request is one all the same.
func TestPiecesOfOneRequest(t *testing.T) {
	forms := []struct {
		name, text string
		sizes      []int
	}{
		{"as it is", secret, []int{1, 4, 5, 7}},
		{"base64", base64.StdEncoding.EncodeToString([]byte("x" + secret)), []int{4, 7}},
		{"hex", hex.EncodeToString([]byte(secret)), []int{5, 14}},
		{"base32", base32.StdEncoding.EncodeToString([]byte("xy" + secret)), []int{6, 10}},
	}
	for _, way := range ways {
		g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
		w := new(witness)
		s := way.server(t, w)
		for _, spread := range spreads {
			for _, form := range forms {
				for _, size := range form.sizes {
					t.Run(fmt.Sprintf("%s/%s/%s by %d", way.name, spread.name, form.name, size), func(t *testing.T) {
						method, n := http.MethodGet, len(g.await(record.Leak, 0))
						if spread.name == "a trailer" {
							method = http.MethodPost
						}
						r, err := http.NewRequestWithContext(t.Context(), method, s.url("api.test", "/"), nil)
						if err != nil {
							t.Fatal(err)
						}
						spread.put(r, pieces(form.text, size))
						if resp, err := way.client(g).Do(r); err == nil {
							_, _ = io.Copy(io.Discard, resp.Body) // it may be cut
							_ = resp.Body.Close()
							if resp.StatusCode != http.StatusForbidden {
								t.Fatalf("status %s", resp.Status)
							}
						}
						found := g.await(record.Leak, n+1)[n]
						if found.Path != "head" && spread.name != "path" || found.Object != "AWS_SECRET_ACCESS_KEY" || strings.Contains(found.Matched, secret[:8]) {
							t.Errorf("leak of %s at %q: %q", found.Object, found.Path, found.Matched)
						}
					})
				}
			}
		}
		if saw, n := w.saw(); n > len(forms)*4 { // trailers come after a head that may leave
			t.Errorf("%d requests arrived: %s", n, saw)
		}
	}
}

// Headers are put together in the order in which they were sent, where that shows.
func TestPiecesInTheirOrder(t *testing.T) {
	g := newGate(t, "mode: enforce\negress:"+hosts, nil)
	s := newPlainServer(t, hello)
	head := "GET " + s.url("api.test", "/") + " HTTP/1.1\r\nHost: api.test\r\n"
	for i, p := range pieces(secret, 5) {
		head += fmt.Sprintf("X-%c: %s\r\n", "QFZAMBXC"[i], p)
	}
	c := g.dial(head + "\r\n")
	answer := make([]byte, 12)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 403" {
		t.Errorf("answer %q, %v", answer, err)
	}
	if found := g.await(record.Leak, 1)[0]; found.Path != "head" {
		t.Errorf("leak at %q", found.Path)
	}
}

// What is written in Basic authentication is looked into like everything else.
func TestBasicPair(t *testing.T) {
	for name, text := range map[string]string{
		"base32": base32.StdEncoding.EncodeToString([]byte("z" + secret)), "hex": hex.EncodeToString([]byte(secret)),
		"reversed base64": base64.URLEncoding.EncodeToString([]byte(reversed(secret))),
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t, "mode: enforce\negress:"+hosts, nil)
			s := newPlainServer(t, hello)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url("api.test", "/"), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.SetBasicAuth("user", text)
			resp, err := g.client(nil).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			found := g.await(record.Leak, 1)[0]
			if resp.StatusCode != http.StatusForbidden || found.Path != "header:authorization" || found.EncodingChain[0] != "base64" {
				t.Errorf("%s, leak at %q in %q", resp.Status, found.Path, found.EncodingChain)
			}
		})
	}
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// Requests that nobody thinks about say nothing together either.
func TestNothingTogether(t *testing.T) {
	for _, way := range ways {
		g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
		s := way.server(t, new(witness))
		for _, change := range []func(r *http.Request){
			func(r *http.Request) { r.URL.RawQuery = "page=2&size=50&sort=name&q=%20a" },
			func(r *http.Request) { r.Header.Set("Cookie", "a=1; b=2; session=wJalrXU") },
			func(r *http.Request) { r.Header["X-Part"] = []string{"hunter2", "-Hun", "wJal", "rXU"} }, // 7 of one, 11 of the other
			func(r *http.Request) { r.SetBasicAuth("orders", "of-no-importance") },
			func(r *http.Request) { r.Header.Set("Authorization", "Basic %%%"); r.URL.RawQuery = "%zz&=&&;" },
		} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url("api.test", "/a/b/c"), nil)
			if err != nil {
				t.Fatal(err)
			}
			change(r)
			resp, err := way.client(g).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %s %v: %s", way.name, r.URL, r.Header, resp.Status)
			}
		}
	}
}

// FuzzJoints puts heads together: what comes of them is no longer than they are.
func FuzzJoints(f *testing.F) {
	f.Add("/a/b?c=d&e=%41", "sid=1; x", "X-A", "1", "Basic eDp5", "X-A\nX-B")
	f.Add("/%zz/?=&;&%", ";=;", "Part-10", strings.Repeat("a", 100), "basic ????", "")
	f.Fuzz(func(t *testing.T, uri, cookie, name, value, authorization, sent string) {
		u, err := url.ParseRequestURI(uri)
		if err != nil {
			return
		}
		r := &http.Request{URL: u, Header: http.Header{"Cookie": {cookie}, name: {value, value}, "Authorization": {authorization}, "X-B": {value}}}
		n := 0
		for _, text := range egress.Joints(r, strings.Split(sent, "\n")) {
			n += len(text)
		}
		if limit := len(uri) + len(cookie) + len(name) + 3*len(value) + 2*len(authorization) + 3; n > limit {
			t.Errorf("%d bytes of a head of %d", n, limit)
		}
	})
}

// BenchmarkHead is what looking through the head of a usual request costs: a short one,
// and one with cookies and headers of its own.
func BenchmarkHead(b *testing.B) {
	g := guardedBy(b)
	for name, more := range map[string]http.Header{
		"usual": nil,
		"own":   {"Cookie": {"sid=8f3a9c; theme=dark; lang=en"}, "X-Request-Id": {"5f6e1a2b-77aa-4c1d-9e0f-1234567890ab"}, "X-Api-Version": {"2026-01-01"}, "X-Tenant": {"acme"}},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://api.test/v1/orders?source=bench&page=2", nil)
		r.Header = http.Header{
			"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}, "Authorization": {"Bearer of-no-secret"},
			"Content-Type": {"application/json"}, "Content-Length": {"1024"}, "User-Agent": {"Go-http-client/1.1"},
			"X-Amzn-Trace-Id": {"Root=1-5e1b4151-43a0913a12345678901234567;Sampled=0"},
		}
		for k, v := range more {
			r.Header[k] = v
		}
		b.Run(name, func(b *testing.B) { again(b, egress.HeadScan(g.Proxy, r)) })
	}
}

// BenchmarkBody is what looking through a body of 1 KB costs.
func BenchmarkBody(b *testing.B) {
	g := guardedBy(b)
	for name, one := range map[string]string{
		"json": `{"order":%d,"customer":"c-%[1]d","city":"Lyon","price":%[1]d.50,"note":"left at the door"},`,
		"form": "order_%d=c-%[1]d&city=Lyon&price=%[1]d.50&note=left+at+the+door&",
		"text": "Order %d was left at the door in Lyon by customer c-%[1]d, who paid %[1]d.50.\n",
	} {
		var body []byte
		for i := 4711; len(body) < 1<<10; i++ {
			body = fmt.Appendf(body, one, i)
		}
		r := httptest.NewRequest(http.MethodPost, "http://api.test/v1/orders", nil)
		r.Header.Set("Content-Type", map[string]string{"json": "application/json", "form": "application/x-www-form-urlencoded", "text": "text/plain"}[name])
		b.Run(name, func(b *testing.B) { again(b, egress.BodyScan(g.Proxy, r, bytes.TrimRight(body[:1<<10], "&"))) })
	}
}

func again(b *testing.B, scan func() bool) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if scan() {
			b.Fatal("found something")
		}
	}
}

// guardedBy is a gate that looks for twenty secrets in all ways there are.
func guardedBy(b *testing.B) *gate {
	b.Helper()
	secrets := make([]leak.Secret, 20)
	for i := range secrets {
		x := uint64(i+1) * 0x9E3779B97F4A7C15
		secrets[i] = leak.Secret{Name: fmt.Sprint("TOKEN_", i), Value: fmt.Appendf(nil, "tok_%x%x%x", x, x*x, x*x*x)}
	}
	set := leak.New(secrets)
	var trail leak.Trail
	var crumbs leak.Crumbs
	return newGate(b, "mode: enforce\negress:"+hosts, func(p *egress.Proxy) {
		p.Guard.Scanner = func(o detect.Outlet) detect.Scanner {
			return leak.Decode(o, nil, set.Touches, func() detect.Scanner {
				return leak.Both(set.Scanner(leak.Stream{}), set.Crumbs(&crumbs, o.Host, nil))
			})
		}
		p.Guard.Quiet = func(o detect.Outlet, text []byte) bool {
			crumbs.Pass(o.Host, len(text))
			return set.Quiet(text)
		}
		p.Guard.Follow = func(host string, at detect.Spot, value string) []byte {
			return trail.Follow(host, at, value, set.Touches)
		}
	})
}
