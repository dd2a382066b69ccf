package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatehouse/cmd/gatehouse/remote"
	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
)

// planted are the secrets, by the names in whose masks they stand. They are made up.
var planted = map[string]string{
	"DB_PASSWORD":               `Xk7/q"W\v9<Lm>2&pD+e=Z`,
	"GITHUB_TOKEN":              "ghp_Zk3Qw8Rt5Yp1Lm7Nb4Vc9Xs2Df6Gh0Jk4Lq8",
	"AWS_SECRET_ACCESS_KEY":     "tG7/xQ2mLk9+Vb4nRs8wYc1ZpHd5Jf3KuEo6aTiX",
	"AWS_SESSION_TOKEN":         "FwoGZXIvYXdzEHkaDLm4Qz7Vr2Ks9Wt5Yb1NcXp8Gd3Hf6Jk0Ml/2Qn+5Rv8Tz1Bx4Cy7Dw0Ea3Fb6Gc9Hd2Je5Kf8Lg1Mh4Ni7Pj0Qk3Rm6Sn9To2==",
	"DATABASE_URL/password":     "pR4@tz:9/wK?2mVx",
	"SETTINGS/api_token":        "set-8fJ2kQ7xWm4Zr9Tb",
	"APP_PASSPHRASE":            "Grüne Äpfel, 7 rote & Nüsse",
	"SMTP_PASSWORD":             "h8!Kq2zW",
	"STOCK_API_KEY":             "sk_live_7Yc2Qm9RkV5sXw8ZtB3nLp6D",
	"LEGACY_BLOB":               "m4Qz7Vr2Ks9Wt5Yb1NcXp8Gd3Hf6Jk0LbR",
	"GATEHOUSE_FINGERPRINT_KEY": "Fp3kZ9wQ6rT1xM8vB5nC2yL7",
	"GATEHOUSE_HEC_TOKEN":       "7c1e9a52-4b0d-4f63-9e8a-d25b6f3017ce",
}

// plantedEnv are the variables that hold them.
func plantedEnv() map[string]string {
	env := maps.Clone(planted)
	maps.DeleteFunc(env, func(name, _ string) bool { return strings.Contains(name, "/") })
	env["DATABASE_URL"] = "postgres://app:pR4%40tz%3A9%2FwK%3F2mVx@db.test:5432/orders"
	env["SETTINGS"] = `{"api_token":"` + planted["SETTINGS/api_token"] + `","retries":"3"}`
	return env
}

// gone is all that left: what was sent, printed, written and answered.
type gone struct {
	mu   sync.Mutex
	text map[string]*bytes.Buffer // by where it went
}

func (c *gone) add(to string, text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.text == nil {
		c.text = make(map[string]*bytes.Buffer)
	}
	if c.text[to] == nil {
		c.text[to] = new(bytes.Buffer)
	}
	c.text[to].Write(text)
	c.text[to].WriteByte('\n')
}

func (c *gone) to(where string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.text[where] == nil {
		return ""
	}
	return c.text[where].String()
}

// tap is the collector that a gate has. It notes every byte of each request, and hands
// on to a console what a fault does not answer.
type tap struct {
	gone
	listener net.Listener
	token    string // what must be in each request, in its place

	mu    sync.Mutex
	fault func(w http.ResponseWriter, n int) // nil: none
	posts int
	url   string // the console's
	login string
	bad   []string
}

// newTap listens; wrap, where it is not nil, stands between.
func newTap(t *testing.T, wrap func(net.Listener, *tap) net.Listener) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{listener: l, token: planted["GATEHOUSE_HEC_TOKEN"]}
	if wrap != nil {
		l = wrap(l, p)
	}
	s := &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = s.Close() })
	return p
}

// heard notes every byte that comes, before anybody reads it.
type heard struct {
	net.Listener
	p *tap
}

type heardConn struct {
	net.Conn
	p *tap
}

func (h heard) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	return heardConn{c, h.p}, err
}

func (c heardConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.p.add("hec", b[:n])
	return n, err
}

func (p *tap) fail(f func(w http.ResponseWriter, n int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

func (p *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	p.posts++
	f, n, url, login := p.fault, p.posts, p.url, p.login
	if got := r.Header.Values("Authorization"); len(got) != 1 || got[0] != "Splunk "+p.token {
		p.bad = append(p.bad, fmt.Sprintf("%q", got))
	}
	p.mu.Unlock()
	headers := r.Header.Clone()
	headers.Del("Authorization")
	body := raw
	if headers.Get("Content-Encoding") == "gzip" {
		if z, err := gzip.NewReader(bytes.NewReader(raw)); err == nil {
			body, _ = io.ReadAll(z)
		}
	}
	p.add("hec", fmt.Appendf(nil, "%s %s %s %v %v\n%s", r.Method, r.Host, r.RequestURI, headers, r.Trailer, body))
	if f != nil {
		f(w, n)
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, url+r.RequestURI, bytes.NewReader(raw))
	if err != nil {
		panic(err) // the console's own URL
	}
	req.Header = headers
	req.Header.Set("Authorization", "Splunk "+login)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = res.Body.Close() }()
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}

// spill is a gate whose function has all that is planted.
type spill struct {
	*gate
	*tap
	remote *remote.Host
}

// spilling starts one, with what env says, and a policy. Everything is logged.
func spilling(t *testing.T, policy string, env map[string]string) *spill {
	t.Helper()
	s := &spill{tap: newTap(t, nil)}
	var err error
	dir := t.TempDir()
	if s.remote, err = remote.Start(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remote.Close)
	hosts := fmt.Sprintf("egress:\n  hosts: {%s: %q, plain.test: %q}\n  inspect: {tls: true}\n", remote.Name, s.remote.Addr, s.remote.Addr)
	all := policyFile(t, hosts+policy)
	maps.Copy(all, plantedEnv())
	maps.Copy(all, map[string]string{
		"GATEHOUSE_HEC_URL": "http://" + s.listener.Addr().String(), "GATEHOUSE_LOG_LEVEL": "debug",
		"GATEHOUSE_UPSTREAM_CA": s.remote.CAFile, "GATEHOUSE_TELEMETRY": "platform,function,extension",
	})
	maps.Copy(all, env)
	s.gate = start(t, "spiller", setup{attach: wrapper, env: all, change: func(c *emulator.Config) {
		for name, value := range c.Env {
			if value == "-" {
				delete(c.Env, name)
			}
		}
	}})
	s.tap.mu.Lock()
	s.url, s.login = s.console.HECURL(), s.console.HECToken()
	s.tap.mu.Unlock()
	return s
}

// do invokes the function and notes the answer, which says nothing but what the function
// was told.
func (s *spill) do(t *testing.T, event string) {
	t.Helper()
	out, err := s.Invoke(t.Context(), emulator.Input{Event: []byte(event)})
	if err != nil {
		t.Fatal(err)
	}
	s.tap.add("answers", out.Payload)
	s.tap.add("answers", []byte(out.FunctionError))
}

func order(t *testing.T, what map[string]string) string {
	t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// end ends the sandbox, and looks at all that left.
func (s *spill) end(t *testing.T) {
	t.Helper()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.folder(t)
	s.pages(t)
	for _, source := range []string{"extension", "platform"} {
		s.tap.add("log", []byte(s.log(source)))
	}
	for _, r := range s.remote.Received() {
		s.tap.add("remote", []byte(r))
	}
	s.look(t, plantedHay())
}

// folder notes every file of the run folder.
func (s *spill) folder(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(s.env["GATEHOUSE_RUN_DIR"], func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			s.tap.add("folder", []byte(path))
			return err
		}
		text, err := os.ReadFile(path)
		s.tap.add("folder", []byte(path))
		s.tap.add("folder", text)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
}

// pages notes what the console shows: the overview, and records of each kind of finding.
func (s *spill) pages(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	get := func(url string) {
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %v", url, res.Status, err)
		}
		s.tap.add("console", text)
	}
	get(s.console.URL())
	for _, k := range []record.Kind{record.Attack, record.Leak} {
		for i, r := range s.records(t, k) {
			if i == 2 {
				break
			}
			get(s.console.HECURL() + "/incident/" + r.ID)
		}
	}
}

// maxShown bounds how many secrets a failure shows, of each place.
const maxShown = 5

// look fails for each secret that left.
func (s *spill) look(t *testing.T, h *haystack) {
	t.Helper()
	size := 0
	for where, b := range s.text {
		size += b.Len()
		found := h.find(b.Bytes())
		shown := make(map[string]bool)
		for n, at := range found {
			if key := n.secret + n.how; !shown[key] && len(shown) < maxShown {
				shown[key] = true
				t.Errorf("%s: %s of %s (%.60q) in %q", where, n.how, n.secret, n.s, b.Bytes()[max(0, at-100):min(b.Len(), at+min(len(n.s), 60)+40)])
			}
		}
		if len(found) > 0 {
			t.Errorf("%s: %d needles in %d bytes", where, len(found), b.Len())
		}
	}
	for _, b := range s.bad {
		t.Errorf("a request had the authorization %s", b)
	}
	t.Logf("%d bytes left", size)
}

// has fails where what went there says none of the texts.
func (s *spill) has(t *testing.T, where string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(s.to(where), text) {
			t.Errorf("%s has no %q:\n%.1500s", where, text, s.to(where))
		}
	}
}
