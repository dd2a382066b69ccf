package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/cmd/gatehouse/remote"
	"gatehouse/internal/emulator"
	"gatehouse/internal/record"
)

// printable writes a file of all that is planted, in every way, or in the first of them,
// and as JSON.
func printable(t *testing.T, ways int) (path string, lines int) {
	t.Helper()
	var b bytes.Buffer
	for name, value := range planted {
		all := needles(name, value)
		all = all[:min(len(all), ways)]
		for i := 0; i < len(all); i += 12 {
			fmt.Fprintf(&b, "line %d", lines)
			for _, n := range all[i:min(len(all), i+12)] {
				b.WriteString(" / " + n.s)
			}
			b.WriteString("\n")
			lines++
		}
		text, err := json.Marshal(map[string]any{"level": "INFO", "a": value, "b": []string{"x" + value + "y"}, "c": map[string]string{value: base64.StdEncoding.EncodeToString([]byte(value))}})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
		lines++
	}
	path = filepath.Join(t.TempDir(), "print")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, lines
}

// attacks are events with secrets in what is recognised, beside it, and where it is cut.
func attacks(t *testing.T) (events []string) {
	t.Helper()
	const injection = "1' UNION SELECT password FROM users WHERE a='"
	for _, name := range []string{"DB_PASSWORD", "APP_PASSPHRASE", "GATEHOUSE_HEC_TOKEN", "STOCK_API_KEY"} {
		secret := planted[name]
		many := strings.Repeat(secret+" ", 1000/len(secret))
		for _, q := range []string{
			injection + secret + "' -- ", secret + injection + secret + "' -- " + secret, many + injection + many,
			base64.StdEncoding.EncodeToString([]byte(injection + secret + "' -- ")),
		} {
			events = append(events, order(t, map[string]string{"q": q, secret: "a key", "other": "x" + secret}))
		}
	}
	long := strings.Repeat(planted["APP_PASSPHRASE"]+" ", 10_000)
	events = append(events, order(t, map[string]string{"q": long + injection + long}))
	quoted := order(t, map[string]string{"q": injection + planted["DB_PASSWORD"] + "' -- "})
	return append(events, order(t, map[string]string{"message": quoted}), quoted+"\xff "+planted["DB_PASSWORD"])
}

// TestNoSecretLeaves looks for what is planted, and the token for Splunk, in every byte
// that leaves a sandbox: requests to the collector (but for the header that the token
// belongs in), the console's pages, the extension's output and error output, the run
// folder, what the function is answered, and what a remote host gets. It looks for the
// ways to write a secret that docs/leaks.md names, and for any 12 bytes of one.
//
// What a function prints is masked line by line, where it stands whole. What it prints
// compressed, XORed, with something between the characters, in small letters, or divided
// over lines is not known, and none of it is printed here.
func TestNoSecretLeaves(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"printed", spillPrinted},
		{"attacks", spillAttacks},
		{"asked", spillAsked},
		{"answered", spillAnswered},
		{"the next start", spillNextStart},
		{"SHUTDOWN", spillShutdown},
		{"echoes", spillEchoes},
		{"TLS", spillTLS},
		{"wrong settings", spillWrong},
		{"refusing to start", spillRefused},
	} {
		t.Run(tt.name, tt.run)
	}
}

// What the function prints, in all the ways. Fields are not hidden beside: what their
// masks cover cannot be seen.
func spillPrinted(t *testing.T) {
	s := spilling(t, "records: {masks: {defaults: false}}", nil)
	path, lines := printable(t, 1000)
	s.do(t, order(t, map[string]string{"print": path}))
	s.end(t)
	arrived := 0
	for _, r := range s.records(t, record.Log) {
		if r.LogType == "function" {
			arrived++
		}
	}
	if arrived != lines {
		t.Errorf("%d of %d lines arrived", arrived, lines)
	}
	for name := range planted {
		s.has(t, "hec", "{{"+name+":", `"object":"`+name+`"`)
	}
	// The control: nothing is masked where the function prints.
	said := make(map[string]bool)
	for n := range plantedHay().find([]byte(s.log("function"))) {
		said[n.s] = true
	}
	for name, value := range planted {
		for _, n := range needles(name, value) {
			if !said[string(lower([]byte(n.text())))] {
				t.Errorf("the function did not print %s of %s, or nobody found it: %q", n.how, name, n.text())
			}
		}
	}
}

func spillAttacks(t *testing.T) {
	for _, mode := range []string{"enforce", "monitor", "no collector"} {
		env := map[string]string{"GATEHOUSE_MODE": mode}
		if mode == "no collector" { // findings are printed
			env = map[string]string{"GATEHOUSE_HEC_URL": "-"}
		}
		s := spilling(t, "", env)
		events := attacks(t)
		for _, event := range events {
			s.do(t, event)
		}
		s.end(t)
		if mode == "no collector" {
			if n := len(printed(s.log("extension"))); n < len(events) {
				t.Errorf("%d findings of %d are printed", n, len(events))
			}
			continue
		}
		if n := len(s.records(t, record.Attack)); n < len(events) {
			t.Errorf("%s: %d attacks of %d", mode, n, len(events))
		}
		s.has(t, "hec", "UNION SELECT password FROM users WHERE a='{{DB_PASSWORD:", "{{GATEHOUSE_HEC_TOKEN:")
		s.has(t, "console", "UNION SELECT", "{{DB_PASSWORD:")
	}
}

// What the function asks for is refused, and neither it nor anybody else is told what.
func spillAsked(t *testing.T) {
	s := spilling(t, "secrets: {on_leak: block}", nil)
	places := []string{"path", "query", "header", "login", "body", "base64"}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(planted)) {
		if strings.Contains(name, "/") || strings.HasPrefix(name, "GATEHOUSE_") {
			continue // not in the function's environment
		}
		for _, place := range []string{"path", places[n/2%len(places)]} {
			s.do(t, order(t, map[string]string{"ask": []string{"https://" + remote.Name, "http://plain.test"}[n/2%2], "place": place, "secret": name}))
			n++
		}
	}
	for _, name := range []string{"STOCK_API_KEY", "GITHUB_TOKEN"} {
		s.do(t, order(t, map[string]string{"ask": "https://" + remote.Name, "place": "host", "secret": name}))
		s.do(t, order(t, map[string]string{"ask": "http://" + remote.Name, "place": "host", "secret": name}))
		s.do(t, order(t, map[string]string{"ask": "https://" + remote.Name, "place": "name", "secret": name}))
		n += 3
	}
	s.end(t)
	if got := len(s.records(t, record.Leak)); got < n {
		t.Errorf("%d leaks of %d", got, n)
	}
	s.has(t, "answers", "403 Forbidden gatehouse leak.own-secret")
	s.has(t, "console", "{{")
}

// The function answers with its secrets: the caller gets none where the policy says so,
// and the record shows none.
func spillAnswered(t *testing.T) {
	for _, action := range []string{"mask", "refuse"} {
		s := spilling(t, "responses: {action: "+action+"}", nil)
		for _, name := range []string{"DB_PASSWORD", "SMTP_PASSWORD", "AWS_SESSION_TOKEN", "APP_PASSPHRASE"} {
			s.do(t, order(t, map[string]string{"answer": name}))
		}
		s.end(t)
		s.has(t, "hec", `"dlp_type":"response"`)
	}
}

func busy(w http.ResponseWriter, _ int) { answer(w, 503, `{"text":"Server is busy","code":9}`) }

// The collector is down, and the next start of the sandbox sends what waits on disk.
func spillNextStart(t *testing.T) {
	s := spilling(t, "records: {masks: {defaults: false}}", nil)
	s.fail(busy)
	path, _ := printable(t, 12)
	s.do(t, order(t, map[string]string{"print": path}))
	for _, event := range attacks(t) {
		s.do(t, event)
	}
	eventually(t, "the freeze", func() bool { return s.Sandboxes().Freezes > len(attacks(t)) })
	s.kill(t)
	s.folder(t)
	s.has(t, "folder", "/spool/1\n", "/counters\n")
	s.fail(nil)
	_, _ = s.Invoke(t.Context(), emulator.Input{Event: []byte(`{}`)}) // the kill is noticed
	s.do(t, `{}`)
	s.end(t)
	s.has(t, "console", "UNION SELECT")
	if n := s.kinds(record.Log); n < 2*len(planted) {
		t.Errorf("%d lines", n)
	}
}

// The collector is down at the end: the findings are printed.
func spillShutdown(t *testing.T) {
	s := spilling(t, "", nil)
	s.fail(busy)
	path, _ := printable(t, 12)
	s.do(t, order(t, map[string]string{"print": path}))
	for _, event := range attacks(t) {
		s.do(t, event)
	}
	s.do(t, order(t, map[string]string{"ask": "https://" + remote.Name, "place": "path", "secret": "STOCK_API_KEY"}))
	s.end(t)
	if n := len(printed(s.log("extension"))); n < len(attacks(t))+len(planted) {
		t.Errorf("%d findings are printed", n)
	}
	s.has(t, "log", "{{DB_PASSWORD:", "records did not reach splunk")
}

// The collector's errors repeat the token: whole, cut at any place, encoded, and where a
// redirect leads.
func spillEchoes(t *testing.T) {
	token := planted["GATEHOUSE_HEC_TOKEN"]
	for status, code := range map[int]int{401: 2, 403: 4, 400: 6, 503: 9, 307: -1, 500: 8, 418: -1, 404: 404} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := spilling(t, "", nil)
			s.fail(func(w http.ResponseWriter, n int) {
				text := strings.Repeat(".", 30*n%115) + token + " Splunk " + token + " " + base64.StdEncoding.EncodeToString([]byte("x:"+token))
				w.Header().Set("Location", "http://127.0.0.1:1/"+token)
				w.Header().Set("X-Token", token)
				body, _ := json.Marshal(map[string]any{"text": text, "code": code, "invalid-event-number": 0})
				if code < 0 {
					body = []byte(text)
				}
				answer(w, status, string(body))
			})
			for range 4 {
				s.do(t, injected)
			}
			s.end(t)
			s.has(t, "hec", `"kind":"attack"`)
			if status != 400 {
				s.has(t, "log", "hec")
			}
		})
	}
}

// Splunk speaks no TLS, or with a certificate that nobody trusts, as a remote host does:
// neither gets so far as to see a token.
func spillTLS(t *testing.T) {
	unknown := httptest.NewTLSServer(nil)
	defer unknown.Close()
	for _, wrap := range []func(net.Listener, *tap) net.Listener{
		func(l net.Listener, p *tap) net.Listener { return heard{l, p} },
		func(l net.Listener, p *tap) net.Listener { return tls.NewListener(heard{l, p}, unknown.TLS) },
	} {
		splunk := newTap(t, wrap)
		s := spilling(t, "", map[string]string{"GATEHOUSE_HEC_URL": "https://" + splunk.listener.Addr().String(), "GATEHOUSE_UPSTREAM_CA": "-"})
		path, _ := printable(t, 12)
		s.do(t, order(t, map[string]string{"print": path}))
		s.do(t, injected)
		s.do(t, order(t, map[string]string{"ask": "https://" + remote.Name, "place": "header", "secret": "STOCK_API_KEY"}))
		s.do(t, order(t, map[string]string{"ask": "https://" + remote.Name + "/", "place": "path", "secret": "DB_PASSWORD"}))
		s.tap.add("hec", []byte(splunk.to("hec")))
		s.end(t)
		s.has(t, "log", `"kind":"attack"`, "tls")
		if splunk.to("hec") == "" {
			t.Error("nothing came to Splunk")
		}
	}
}

// Secrets stand where they do not belong.
func spillWrong(t *testing.T) {
	password, token := planted["STOCK_API_KEY"], planted["GATEHOUSE_HEC_TOKEN"]
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"+token+"\x00"+password), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		policy string
		env    map[string]string
		log    string
	}{
		"a mistyped token":         {"", map[string]string{"GATEHOUSE_HEC_TOKN": token, "GATEHOUSE_HEC_TOKEN": "-"}, "GATEHOUSE_HEC_TOKN: no such setting"},
		"a URL with a password":    {"", map[string]string{"GATEHOUSE_HEC_URL": "https://u:" + password + "@splunk.test", "GATEHOUSE_HEC_PROXY": "ftp://u:" + token + "@p.test"}, "must not carry credentials"},
		"a URL that is none":       {"", map[string]string{"GATEHOUSE_HEC_URL": "https://splunk.test:" + password + "/%zz" + token}, "wants a URL"},
		"a token in a URL":         {"", map[string]string{"GATEHOUSE_HEC_URL": "http://" + token + ".splunk.test/" + password}, "plain http only"},
		"a file that is no token":  {"", map[string]string{"GATEHOUSE_HEC_TOKEN": "-", "GATEHOUSE_HEC_TOKEN_FILE": file}, "a character that no token has"},
		"a token for a file":       {"", map[string]string{"GATEHOUSE_HEC_TOKEN": "-", "GATEHOUSE_HEC_TOKEN_FILE": token}, "GATEHOUSE_HEC_TOKEN_FILE"},
		"values elsewhere":         {"", map[string]string{"GATEHOUSE_MODE": token, "GATEHOUSE_FLUSH": password, "GATEHOUSE_EGRESS_ADDR": token, "GATEHOUSE_TELEMETRY": password, "GATEHOUSE_HEC_ACK": planted["DB_PASSWORD"], "GATEHOUSE_HEC_TOKEN_ARN": password, "GATEHOUSE_HEC_CA": "/" + token, "GATEHOUSE_HEC_CERT": password, "GATEHOUSE_HEC_KEY": token}, "is not one of"},
		"a proxy of the function":  {"", map[string]string{"HTTPS_PROXY": "socks5://u:" + password + "@proxy.test:1080", "HTTP_PROXY": password + "://" + token}, "degraded"},
		"a policy elsewhere":       {"", map[string]string{"GATEHOUSE_POLICY": "/tmp/" + token + "/" + password}, "GATEHOUSE_POLICY"},
		"a key of the policy":      {password + ": true", nil, "unknown key"},
		"a value of the policy":    {"mode: " + password + "\nrecords: {level: " + token + ", sample: " + password + "}", nil, "GATEHOUSE_POLICY"},
		"a host of the policy":     {"secrets: {hosts: {X: 'https://u:" + password + "@h.test'}, watch: {" + token + ": 1}}", nil, "GATEHOUSE_POLICY"},
		"a rule of the policy":     {"events: {exceptions: [{rule: " + password + ", path: a, reason: " + token + "}, {rule: sqli.union, until: " + token + "}]}", nil, "GATEHOUSE_POLICY"},
		"a mask of the policy":     {"records: {masks: {patterns: '(" + password + "', paths: 'a..', headers: '" + token + " x'}}", nil, "GATEHOUSE_POLICY"},
		"a policy that is no YAML": {"mode: [" + password + "\n" + token + ": {", nil, "GATEHOUSE_POLICY"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spilling(t, tt.policy, tt.env)
			s.do(t, injected)
			s.do(t, `{}`)
			s.end(t)
			s.has(t, "log", tt.log)
		})
	}
}

// The same where Lambda is told why the function must not run.
func spillRefused(t *testing.T) {
	password, token := planted["STOCK_API_KEY"], planted["GATEHOUSE_HEC_TOKEN"]
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	var s spill
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.tap.add("lambda", fmt.Appendf(nil, "%s %s %v %s", r.Method, r.RequestURI, r.Header, body))
		w.Header().Set("Lambda-Extension-Identifier", "2f0a4a4e-6c5c-4a5b-9d3e-0a3f0c9b7a11")
		if strings.HasSuffix(r.URL.Path, "/error") {
			w.WriteHeader(http.StatusAccepted)
		}
		_, _ = io.WriteString(w, `{"functionName":"function","status":"OK"}`)
	}))
	defer lambda.Close()
	s.tap = new(tap)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "layer/extensions/gatehouse"))
	env := policyFile(t, "mode: "+password+"\n"+token+": 1")
	maps.Copy(env, plantedEnv())
	maps.Copy(env, map[string]string{
		"GATEHOUSE_ON_ERROR": "closed", "GATEHOUSE_HEC_TOKN": token, "GATEHOUSE_MODE": password, "GATEHOUSE_HEC_URL": "https://u:" + password + "@" + token + ".test",
		"GATEHOUSE_RUN_DIR": filepath.Join(t.TempDir(), "run"), "AWS_LAMBDA_RUNTIME_API": lambda.Listener.Addr().String(),
	})
	for _, name := range []string{"EGRESS", "RUNTIME_API", "TELEMETRY"} {
		env["GATEHOUSE_"+name+"_ADDR"] = freeAddr(t)
	}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("it started")
	}
	s.tap.add("log", out)
	s.gate = &gate{env: env}
	s.folder(t)
	s.look(t, plantedHay())
	s.has(t, "lambda", "/init/error", "GatehouseConfig", "GATEHOUSE_HEC_TOKN")
	s.has(t, "log", "refusing to start")
}

// plantedHay looks for what is planted.
var plantedHay = sync.OnceValue(func() *haystack { return newHaystack(planted) })
