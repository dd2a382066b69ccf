package egress_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"gatehouse/internal/proxy/egress"
)

const inspecting = "\n  inspect: {tls: true, bypass: [third.test]}"

func TestInspect(t *testing.T) {
	for _, h2 := range []bool{true, false} {
		t.Run(fmt.Sprintf("h2=%v", h2), func(t *testing.T) {
			g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
			s := newServer(t, hello)
			c := g.trusting()
			proto := "HTTP/2.0"
			if !h2 {
				c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
				proto = "HTTP/1.1"
			}
			for i := range 3 {
				body := get(t, c, s.url("api.test", fmt.Sprintf("/x?n=%d", i)), 200)
				if want := "GET api.test:" + s.port + " " + proto; body != want {
					t.Fatalf("got %q, want %q", body, want)
				}
			}
			c.CloseIdleConnections()
			r := g.connection()
			if !*r.Decrypted || r.SNI != "api.test" || r.DestIP != "127.0.0.1" || r.Action != "allowed" {
				t.Errorf("inspected %v, sni %q, ip %q, action %q", *r.Decrypted, r.SNI, r.DestIP, r.Action)
			}
			if r.SSLSubject == "" || r.SSLIssuer == "" || !strings.HasSuffix(r.SSLEnd, "Z") || !ja4.MatchString(r.JA4) {
				t.Errorf("certificate of %q by %q until %q, ja4 %q", r.SSLSubject, r.SSLIssuer, r.SSLEnd, r.JA4)
			}
			if len(r.Requests) != 3 || r.Requests[2].URL != s.url("api.test", "/x?n=2") || r.Requests[2].Status != 200 {
				t.Errorf("requests %v", r.Requests)
			}
			if r.URL != s.url("api.test", "/x?n=2") || r.HTTPMethod != "GET" || r.BytesIn < 500 || r.BytesOut < 300 {
				t.Errorf("url %q, method %q, %d bytes in, %d out", r.URL, r.HTTPMethod, r.BytesIn, r.BytesOut)
			}
		})
	}
}

// TestBypass leaves a host alone whose clients would not trust us.
func TestBypass(t *testing.T) {
	g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
	s := newServer(t, hello)
	get(t, g.client(authority.pool()), s.url("third.test", "/"), 200)
	c := g.client(authority.pool())
	if _, err := c.Get(s.url("api.test", "/")); err == nil {
		t.Error("a client that trusts only the server's authority was inspected without noticing")
	}
}

// TestBadCertificate never launders one.
func TestBadCertificate(t *testing.T) {
	var served atomic.Int32
	count := func(http.ResponseWriter, *http.Request) { served.Add(1) }
	self := startServer(t, count, true, "wrong.test")
	self.TLS.Certificates = []tls.Certificate{must(must(newTestCA()).leaf("api.test"))}
	tests := []struct {
		name string
		s    *server
		why  string
	}{
		{"another name", startServer(t, count, true, "wrong.test"), "not api.test"},
		{"an unknown authority", self, "unknown authority"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGate(t, "mode: monitor\negress:"+hosts+inspecting, nil)
			c := g.trusting()
			c.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
			_, err := c.Get(test.s.url("api.test", "/"))
			if err == nil || !strings.Contains(err.Error(), "remote error: tls: bad certificate") {
				t.Errorf("error %v", err)
			}
			if r := g.connection(); !strings.Contains(r.Reason, test.why) {
				t.Errorf("reason %q", r.Reason)
			}
		})
	}
	if n := served.Load(); n > 0 {
		t.Errorf("%d requests reached a server whose certificate is bad", n)
	}
}

// TestNotHTTP decrypts what is not HTTP and passes it on.
func TestNotHTTP(t *testing.T) {
	l := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{must(authority.leaf("api.test"))}})
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				first := make([]byte, 4)
				if _, err := io.ReadFull(c, first); err != nil {
					return
				}
				_, _ = c.Write([]byte("+" + string(first)))
				rest, _ := io.ReadAll(c)
				_, _ = c.Write(rest)
			}()
		}
	}()
	g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
	for _, text := range []string{"\x00bin", "*1\r\n"} {
		c := tls.Client(g.tunnel("api.test:"+portOf(l.Addr())), &tls.Config{ServerName: "api.test", InsecureSkipVerify: true})
		_, _ = c.Write([]byte(text)) // the reading below says
		got := make([]byte, 5)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "+"+text {
			t.Errorf("got %q, %v", got, err)
		}
		_, _ = c.Write([]byte("the rest")) // the reading below says
		_ = c.CloseWrite()
		if rest, err := io.ReadAll(c); string(rest) != "the rest" {
			t.Errorf("rest %q, %v", rest, err)
		}
		_ = c.Close()
	}
	g.await("connection", 2)
}

// TestHostOfARequest asks a host that is allowed for another one: by rights, and
// in spellings that a server may understand and no rule does.
func TestHostOfARequest(t *testing.T) {
	s := newServer(t, hello)
	for _, mode := range []string{"enforce", "monitor"} {
		g := newGate(t, "mode: "+mode+"\negress:"+hosts+inspecting+"\n  rules: [{deny: other.test}]", nil)
		target := "api.test:" + portOf(s.Listener.Addr())
		for _, test := range []struct {
			head    string
			refused bool
		}{
			{"HTTP/1.1\r\nHost: api.test", false}, {"HTTP/1.1\r\nHost: " + target, false}, {"HTTP/1.1\r\nHost: API.test.", false},
			{"HTTP/1.0", false}, {"HTTP/1.1\r\nHost: third.test", false},
			{"HTTP/1.1\r\nHost: other.test", true}, {"HTTP/1.1\r\nHost: other.test:99999", true}, {"HTTP/1.1\r\nHost: other.test:0", true},
			{"HTTP/1.1\r\nHost: other.test..", true}, {"HTTP/1.1\r\nHost: other.test:443:443", true}, {"HTTP/1.1\r\nHost: %6fther.test", true},
		} {
			c := tls.Client(g.tunnel(target), &tls.Config{ServerName: "api.test", InsecureSkipVerify: true})
			_, _ = c.Write([]byte("GET / " + test.head + "\r\nConnection: close\r\n\r\n")) // the reading says
			answer, err := io.ReadAll(c)
			want := "200"
			if test.refused && mode == "enforce" {
				want = "403"
			}
			if status := strings.Fields(string(answer) + " - -")[1]; status != want && (!test.refused || mode != "monitor" || status != "400") {
				t.Errorf("%s: %q: %.60q, %v, want %s", mode, test.head, answer, err, want)
			}
			_ = c.Close()
		}
	}
}

// TestLeakInOpaque leaks through a decrypted connection that is not HTTP.
func TestLeakInOpaque(t *testing.T) {
	l := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{must(authority.leaf("api.test"))}})
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all, _ := io.ReadAll(c) // what was cut short counts, too
		got <- string(all)
	}()
	g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
	c := tls.Client(g.tunnel("api.test:"+portOf(l.Addr())), &tls.Config{ServerName: "api.test", InsecureSkipVerify: true})
	_, _ = c.Write([]byte("*3\r\n$3\r\nSET\r\n$40\r\n" + secret + "\r\n")) // it may be cut meanwhile
	if all := <-got; strings.Contains(all, secret[:10]) {
		t.Errorf("the server saw %q", all)
	}
	if r := g.await("leak", 1)[0]; r.Path != "body" || r.Dest != "api.test" {
		t.Errorf("leak at %q to %q", r.Path, r.Dest)
	}
	if r := g.connection(); r.Action != "blocked" {
		t.Errorf("connection %q", r.Action)
	}
}

// TestServerSpeaksBeforeTLS has a server that is in league with the client say a
// byte before the handshake, so that the proxy takes the rest for something else.
func TestServerSpeaksBeforeTLS(t *testing.T) {
	for _, mode := range []string{"enforce", "monitor"} {
		l := listen(t)
		got := make(chan string, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("x")) // the client says
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{must(authority.leaf("api.test"))}})
			said := make([]byte, 100)
			n, _ := s.Read(said) // nothing is an answer, too
			got <- string(said[:n])
			_ = s.Close()
		}()
		g := newGate(t, "mode: "+mode+"\negress:"+hosts+inspecting, nil)
		under := g.tunnel("api.test:" + portOf(l.Addr()))
		if _, err := io.ReadFull(under, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		c := tls.Client(under, &tls.Config{ServerName: "api.test", InsecureSkipVerify: true})
		_, _ = c.Write([]byte("GET /?d=" + secret)) // it may be cut meanwhile
		_ = c.Close()
		if all := <-got; strings.Contains(all, secret) != (mode == "monitor") {
			t.Errorf("%s: the server saw %q", mode, all)
		}
		want := map[string]string{"enforce": "blocked", "monitor": "allowed"}[mode]
		if r := g.connection(); r.Action != want || r.WouldAction != "blocked" || !strings.HasPrefix(r.Reason, "egress.malformed-hello") {
			t.Errorf("%s: connection %s, would be %s, %q", mode, r.Action, r.WouldAction, r.Reason)
		}
		_ = l.Close()
	}
}

// TestServerSpeaksFirst inspects a protocol in which the client waits.
func TestServerSpeaksFirst(t *testing.T) {
	l := tls.NewListener(listen(t), &tls.Config{Certificates: []tls.Certificate{must(authority.leaf("api.test"))}})
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Write([]byte("220 ready\r\n"))
		_, _ = io.Copy(c, c)
	}()
	g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
	c := tls.Client(g.tunnel("api.test:"+portOf(l.Addr())), &tls.Config{ServerName: "api.test", InsecureSkipVerify: true})
	for _, step := range []struct{ say, hear string }{{"", "220 ready\r\n"}, {"EHLO x\r\n", "EHLO x\r\n"}, {"QUIT\r\n", "QUIT\r\n"}} {
		_, _ = c.Write([]byte(step.say)) // the reading says
		got := make([]byte, len(step.hear))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != step.hear {
			t.Fatalf("got %q, %v; want %q", got, err, step.hear)
		}
	}
}

func TestBigInspected(t *testing.T) {
	for h2, size := range map[bool]int64{true: 20 << 20, false: 100 << 20} {
		t.Run(fmt.Sprintf("h2=%v", h2), func(t *testing.T) {
			g := newGate(t, "mode: enforce\negress:"+hosts+inspecting, nil)
			s := newServer(t, mirror)
			c := g.trusting()
			c.Transport.(*http.Transport).ForceAttemptHTTP2 = h2
			moveMuch(t, c, s.url("api.test", "/"), size)
		})
	}
}

// TestOtherClients runs programs that are not written in Go.
func TestOtherClients(t *testing.T) {
	s := newServer(t, hello)
	url, port := s.url("api.test", "/"), s.port
	const urllib = `import sys,urllib.request;sys.stdout.write(urllib.request.urlopen(sys.argv[1]).read().decode())`
	const httpclient = `import sys,http.client,os
host,port=os.environ['https_proxy'][7:].split(':')
c=http.client.HTTPSConnection(host,int(port)); c.set_tunnel('api.test',int(sys.argv[1]))
c.request('GET','/'); sys.stdout.write(c.getresponse().read().decode())
c.request('GET','/'); sys.stdout.write(c.getresponse().read().decode())`
	tests := []struct {
		name string
		args []string
	}{
		{"curl", []string{"curl", "-sS", "-m", "10", url}},
		{"curl HTTP/1.1", []string{"curl", "-sS", "-m", "10", "--http1.1", url}},
		{"curl tunnel with HTTP/1.0", []string{"curl", "-sS", "-m", "10", "--proxy1.0", "", url}},
		{"python urllib", []string{"python3", "-c", urllib, url}},
		{"python http.client", []string{"python3", "-c", httpclient, port}},
	}
	for _, policy := range []string{"", inspecting} {
		for _, test := range tests {
			t.Run(test.name+policy, func(t *testing.T) {
				if _, err := exec.LookPath(test.args[0]); err != nil {
					t.Skip(err)
				}
				g := newGate(t, "mode: enforce\negress:"+hosts+policy, nil)
				args := append([]string(nil), test.args...)
				for i := range args {
					if args[i] == "--proxy1.0" {
						args[i+1] = g.addr
					}
				}
				cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
				ca := g.caFile()
				cmd.Env = append(cmd.Environ(), "https_proxy=http://"+g.addr, "SSL_CERT_FILE="+ca, "CURL_CA_BUNDLE="+ca)
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.HasPrefix(string(out), "GET api.test:"+port) {
					t.Errorf("%v: %s", err, out)
				}
				r := g.connection()
				if *r.Decrypted != (policy != "") || r.SNI != "api.test" {
					t.Errorf("inspected %v, sni %q", *r.Decrypted, r.SNI)
				}
			})
		}
	}
}

// TestLeaves fills the cache of certificates.
func TestLeaves(t *testing.T) {
	ca := must(egress.NewCA())
	first, _, err := ca.Certificate("host0.test")
	if err != nil {
		t.Fatal(err)
	}
	for i := range egress.MaxLeaves + 10 {
		if _, n, err := ca.Certificate(fmt.Sprintf("host%d.test", i)); err != nil || n > egress.MaxLeaves {
			t.Fatalf("%d cached, %v", n, err)
		}
	}
	again, _, err := ca.Certificate("host0.test")
	if err != nil || again == first {
		t.Errorf("the oldest was kept, or %v", err)
	}
	if strings.Contains(string(ca.PEM()), "PRIVATE") {
		t.Error("the PEM holds a key")
	}
}
