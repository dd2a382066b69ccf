package leak_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/detect"
	"gatehouse/internal/detect/leak"
)

// passed is what came of a response that was swept.
type passed struct {
	findings []*detect.Finding
	text     string // as it left
}

func (p passed) rules() string {
	var list []string
	for _, f := range p.findings {
		list = append(list, f.RuleID+" "+f.Object)
	}
	return strings.Join(list, ", ")
}

// pass lets text through sw in pieces whose lengths cuts gives in turn, masking.
func pass(t *testing.T, sw detect.Sweep, text, cuts []byte) (p passed) {
	t.Helper()
	var window []byte
	var out strings.Builder
	held, at := 0, 0 // of window
	for i := 0; ; i++ {
		n := len(text) - at
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[i%len(cuts)]))
		}
		fresh := len(window)
		window = append(window, text[at:at+n]...)
		at += n
		last := at == len(text)
		s := sw(window, fresh, last)
		for _, h := range s.Hits {
			if h.Start < 0 || h.Start > h.End || h.End > len(window) {
				t.Fatalf("hit %d:%d of a window of %d bytes", h.Start, h.End, len(window))
			}
			h.Mask(window)
			if h.Finding != nil {
				p.findings = append(p.findings, h.Finding)
			}
		}
		if s.Held > s.Keep || s.Keep > len(window) || last && s.Held > 0 {
			t.Fatalf("held %d of %d kept of %d, last %v", s.Held, s.Keep, len(window), last)
		}
		left := fresh - held
		held = min(s.Held, len(window)-left)
		out.Write(window[left : len(window)-held])
		window = append(window[:0:0], window[len(window)-s.Keep:]...)
		if last {
			p.text = out.String()
			return p
		}
	}
}

const token = "IQoJb3JpZ2luX2VjEHoaCWV1LXdlc3QtMSJHMEUCIQD/A7mexample+token/of+made+up+bytes9Zk3Lw5QxN1pTtR0uVvYgHjKl=="

func ours(host string) bool { return strings.HasSuffix(host, ".amazonaws.com") }

// signing is a function's environment.
func signing() *leak.Set {
	return leak.New([]leak.Secret{
		{Name: "AWS_SECRET_ACCESS_KEY", Value: []byte(awsKey), Fingerprint: "f0f0"},
		{Name: "AWS_SESSION_TOKEN", Value: []byte(token), Fingerprint: "cdcd"},
		{Name: "AWS_ACCESS_KEY_ID", Value: []byte("ASIAIOSFODNN7EXAMPLE"), Fingerprint: "efef"},
		{Name: "DB", Value: []byte(password), Fingerprint: "abab"},
	})
}

func how() leak.Response { return leak.Response{Signed: ours, Fingerprint: fingerprint, Traces: true} }

// rsaKey has the form of a key, and is none.
var rsaKey = "-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat("MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF8PbnGy0AHB7MhExampleExample\n", 6) + "AQAB+/==\n-----END RSA PRIVATE KEY-----\n"

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestResponseFinds(t *testing.T) {
	const own = "leak.own-secret "
	tests := []struct{ name, text, want string }{
		{"nothing", `{"statusCode":200,"body":"all is well (really)"}`, ""},
		{"a secret", `{"key":"` + awsKey + `"}`, own + "AWS_SECRET_ACCESS_KEY"},
		{"one twice", awsKey + " " + awsKey, own + "AWS_SECRET_ACCESS_KEY"},
		{"two", awsKey + " " + quoted(password), own + "AWS_SECRET_ACCESS_KEY, " + own + "DB"},
		{"in base64", base64.StdEncoding.EncodeToString([]byte("x" + awsKey)), own + "AWS_SECRET_ACCESS_KEY"},
		{"in hex", hex.EncodeToString([]byte(awsKey)), own + "AWS_SECRET_ACCESS_KEY"},
		{"a token by itself", `{"token":"` + token + `"}`, own + "AWS_SESSION_TOKEN"},
		{"a key", rsaKey, "response.private-key RSA PRIVATE KEY"},
		{"a key in JSON", quoted(rsaKey), "response.private-key RSA PRIVATE KEY"},
		{"a key in JSON in JSON", quoted(quoted(rsaKey)), "response.private-key RSA PRIVATE KEY"},
		{"a key in base64", base64.StdEncoding.EncodeToString([]byte("ab" + rsaKey)), "response.private-key RSA PRIVATE KEY"},
		{"an encrypted key", strings.Replace(rsaKey, "KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0123456789ABCDEF0123456789ABCDEF\n\n", 1), "response.private-key RSA PRIVATE KEY"},
		{"words about a key", "begin it with -----BEGIN RSA PRIVATE KEY----- and end it with -----END RSA PRIVATE KEY-----", ""},
		{"a certificate", strings.ReplaceAll(rsaKey, "RSA PRIVATE KEY", "CERTIFICATE"), ""},
		{"Python", quoted("Traceback (most recent call last):\n  File \"/var/task/app.py\", line 12, in handler\n"), "response.stack-trace stack trace"},
		{"Java", "java.lang.NullPointerException: x\n\tat com.example.Handler.handleRequest(Handler.java:23)\n", "response.stack-trace stack trace"},
		{"Kotlin", `"at com.example.HandlerKt$main$1.invoke(Handler.kt:7)"`, "response.stack-trace stack trace"},
		{"Node", quoted("Error: x\n    at handler (/var/task/index.js:3:9)\n"), "response.stack-trace stack trace"},
		{"Node's own", "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)", "response.stack-trace stack trace"},
		{"Go", quoted("panic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:12 +0x1d\n"), "response.stack-trace stack trace"},
		{".NET with symbols", "   at App.Function.Handle(String name) in /src/Function.cs:line 12", "response.stack-trace stack trace"},
		{".NET", quoted("System.Exception: x\r\n   at App.Function.Handle(String name)\r\n   at App.Program.Main()\r\n"), "response.stack-trace stack trace"},
		{"PHP", "#0 /var/task/index.php(12): run()\n#1 {main}", "response.stack-trace stack trace"},
		{"Ruby", "/var/task/app.rb:12:in 'handler'", "response.stack-trace stack trace"},
		{"words with brackets", "at noon (/see above:1) call f(x) in the morning, or Main(Handler.java) and (12:30:15)", ""},
		{"a file's name", `{"file":"app.rb","time":"app.rb:12"}`, ""},
	}
	for _, tt := range tests {
		for _, cuts := range [][]byte{nil, {0}, {6}, {40, 3}} {
			got := pass(t, signing().Sweep(how()), []byte(tt.text), cuts)
			if got.rules() != tt.want {
				t.Errorf("%s, cut by %v: %q, want %q", tt.name, cuts, got.rules(), tt.want)
			}
			for _, f := range got.findings {
				expectMasked(t, tt.name, f)
			}
		}
	}
}

// expectMasked checks that a finding shows nothing of what it is about.
func expectMasked(t *testing.T, name string, f *detect.Finding) {
	t.Helper()
	for _, s := range []string{awsKey, password, token, "0Z3VS5JJcds3xfn", "ExampleExample"} {
		if strings.Contains(fmt.Sprint(*f), s) {
			t.Errorf("%s: the finding shows it: %+v", name, *f)
		}
	}
	if f.RuleID != leak.RuleStackTrace && f.Fingerprint == "" || f.Weak != (f.RuleID == leak.RuleStackTrace) {
		t.Errorf("%s: finding %+v", name, *f)
	}
}

// presign makes a URL as the SDKs do; order says where the token stands.
func presign(scheme, host, change string, tokenFirst bool) string {
	v := url.QueryEscape(token)
	q := "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20260101T120000Z&X-Amz-Expires=900"
	sig := "&X-Amz-SignedHeaders=host&X-Amz-Signature=" + strings.Repeat("0123456789abcdef", 4)
	u := q + "&X-Amz-Security-Token=" + v + sig
	if tokenFirst {
		u = "X-Amz-Security-Token=" + v + "&" + q + sig
	}
	if from, to, ok := strings.Cut(change, "→"); ok {
		u = strings.Replace(u, from, to, 1)
	}
	return scheme + "://" + host + "/reports/2026%20january.pdf?" + u
}

func TestPresignedURLsAreNoLeak(t *testing.T) {
	const host = "bucket.s3.eu-west-1.amazonaws.com"
	both := "leak.own-secret AWS_ACCESS_KEY_ID, leak.own-secret AWS_SESSION_TOKEN"
	tests := []struct{ name, text, want string }{
		{"alone", presign("https", host, "", false), ""},
		{"in text", "Your report: " + presign("https", host, "", false) + ".\nBye", ""},
		{"in HTML", `<a href="` + strings.ReplaceAll(presign("https", host, "", true), "&", "&amp;") + `">x</a>`, ""},
		{"in JSON", quoted(presign("https", host, "", false)), ""},
		{"in JSON with slashes escaped", `{"url":"` + strings.ReplaceAll(presign("https", host, "", true), "/", `\/`) + `"}`, ""},
		{"in JSON in JSON", quoted(quoted(presign("https", host, "", true))), ""},
		{"in Markdown", "[report](" + presign("https", host, "", false) + ")", ""},
		{"of a broker", presign("wss", "abc-ats.iot.eu-west-1.amazonaws.com", "", false), ""},
		{"two", presign("https", host, "", false) + " " + presign("https", host, "", true), ""},
		{"another host", presign("https", "bucket.s3.evil.test", "", false), both},
		{"a host before ours", presign("https", "evil.test?"+host, "", false), both},
		{"a user before the host", presign("https", host+"@evil.test", "", false), both},
		{"another scheme", presign("gopher", host, "", false), both},
		{"no signature", presign("https", host, "&X-Amz-Signature=→&x=", false), both},
		{"a short signature", presign("https", host, "Signature=0123→Signature=", false), both},
		{"no algorithm", presign("https", host, "X-Amz-Algorithm=AWS4-HMAC-SHA256&→", false), both},
		{"no date", presign("https", host, "X-Amz-Date=2026→X-Amz-Date=", false), both},
		{"no scope", presign("https", host, "aws4_request→aws4", false), both},
		{"twice the date", presign("https", host, "X-Amz-Expires→X-Amz-Date", false), both},
		{"more than the token", presign("https", host, "%3D%3D→%3D%3Dx", false), "leak.own-secret AWS_SESSION_TOKEN"},
		{"the secret access key beside it", presign("https", host, "", false) + "&k=" + url.QueryEscape(awsKey), "leak.own-secret AWS_SECRET_ACCESS_KEY"},
		{"the secret access key in its place", strings.Replace(presign("https", host, "", false), url.QueryEscape(token), url.QueryEscape(awsKey), 1), "leak.own-secret AWS_SECRET_ACCESS_KEY"},
	}
	for _, tt := range tests {
		for _, cuts := range [][]byte{nil, {0}, {11}, {200, 5}} {
			got := pass(t, signing().Sweep(how()), []byte(tt.text), cuts)
			if tt.name == "more than the token" { // of the key id the URL is well-formed
				got.findings = got.findings[max(0, len(got.findings)-1):]
			}
			if got.rules() != tt.want {
				t.Errorf("%s, cut by %v: %q, want %q", tt.name, cuts, got.rules(), tt.want)
			}
			if tt.want == "" && got.text != tt.text {
				t.Errorf("%s, cut by %v: left as %q", tt.name, cuts, got.text)
			}
			cleared, f := stream(signing().Scanner(leak.Stream{Signed: ours}), []byte(tt.text), cuts)
			if (f == nil) != (tt.want == "") || f == nil && string(cleared) != tt.text {
				t.Errorf("%s, cut by %v: the scanner found %+v and cleared %q", tt.name, cuts, f, cleared)
			}
		}
	}
}

// What is masked has its length, no secret in it, and is JSON where it was.
func TestMaskedResponsesStayWhole(t *testing.T) {
	inner := `{"key":"` + awsKey + `","db":` + quoted(password) + `}`
	tests := []string{
		inner, quoted(inner), `{"isBase64Encoded":true,"body":"` + base64.StdEncoding.EncodeToString([]byte(inner)) + `"}`,
		`{"hex":"` + hex.EncodeToString([]byte(password)) + `"}`, `"\n` + awsKey + `"`, `"\u000a` + awsKey + `\t"`,
		quoted(rsaKey), quoted(quoted(rsaKey)), strings.ReplaceAll(quoted(rsaKey), "+", `\u002b`),
		`{"a":"` + base64.StdEncoding.EncodeToString([]byte(rsaKey)) + `"}`,
		`"\n` + base64.StdEncoding.EncodeToString([]byte("x"+awsKey)) + `"`,
		`{"url":"https://evil.test/?t=` + url.QueryEscape(token) + `"}`,
	}
	for _, text := range tests {
		for _, cuts := range [][]byte{nil, {0}, {2}, {7}, {90, 1}} {
			got := pass(t, signing().Sweep(how()), []byte(text), cuts)
			if len(got.text) != len(text) || len(got.findings) == 0 {
				t.Errorf("%q cut by %v: %d bytes left as %d, findings %q", text, cuts, len(text), len(got.text), got.rules())
			}
			if !json.Valid([]byte(got.text)) {
				t.Errorf("%q cut by %v left as %q, which is no JSON", text, cuts, got.text)
			}
			again := pass(t, signing().Sweep(how()), []byte(got.text), nil)
			for _, f := range again.findings {
				if f.RuleID == leak.RuleOwnSecret {
					t.Errorf("%q cut by %v left as %q, which holds %s", text, cuts, got.text, f.Object)
				}
			}
			if strings.Contains(got.text, "VS5JJcds3xfn") {
				t.Errorf("%q cut by %v left as %q", text, cuts, got.text)
			}
			var body struct{ Body string }
			if json.Unmarshal([]byte(got.text), &body) == nil && body.Body != "" {
				if _, err := base64.StdEncoding.DecodeString(body.Body); err != nil {
					t.Errorf("the body %q: %v", body.Body, err)
				}
			}
		}
	}
}

func TestResponseHoldsBackOnlyABeginning(t *testing.T) {
	sw := set().Sweep(leak.Response{})
	steps := []struct {
		write string
		held  int
	}{
		{"hello ", 0},
		{awsKey[:3], 0}, // too short to be worth waiting for
		{awsKey[3:20], 20},
		{"!", 0}, // no secret after all
		{"x" + awsKey[:30], 30},
		{"y-----BEGIN RSA PRIV", 19},
		{"ATE KEY-----\nMIIE", 36}, // waits for enough of a key
		{" are the letters of one", 0},
	}
	var window []byte
	for _, st := range steps {
		fresh := len(window)
		window = append(window, st.write...)
		s := sw(window, fresh, false)
		if s.Held != st.held || len(s.Hits) > 0 {
			t.Errorf("after %q: held %d, hits %v, want %d", st.write, s.Held, s.Hits, st.held)
		}
		window = window[len(window)-s.Keep:]
	}
}

// A nil set still knows what a key looks like.
func TestResponseWithoutSecrets(t *testing.T) {
	var none *leak.Set
	if got := pass(t, none.Sweep(leak.Response{}), []byte(rsaKey), nil); got.rules() != "response.private-key RSA PRIVATE KEY" {
		t.Errorf("found %q", got.rules())
	}
}

// FuzzScannerSigned holds a scanner that excuses presigned URLs to one verdict,
// however the stream is cut.
func FuzzScannerSigned(f *testing.F) {
	good, bad := presign("https", "b.s3.amazonaws.com", "", true), presign("https", "evil.test", "", false)
	f.Add([]byte("x "+good), []byte(" y"), []byte{0})
	f.Add([]byte(good+" "+bad), []byte("z"), []byte{200, 3})
	f.Add([]byte(good[:300]), []byte(good), []byte{90})
	s := signing()
	f.Fuzz(func(t *testing.T, before, after, cuts []byte) {
		for _, form := range []string{good, bad, token, good[:len(good)-3], awsKey} {
			text := bytes.Join([][]byte{before, []byte(form), after}, nil)
			_, want := stream(s.Scanner(leak.Stream{Signed: ours}), text, nil)
			cleared, got := stream(s.Scanner(leak.Stream{Signed: ours}), text, cuts)
			if (want == nil) != (got == nil) || got == nil && !bytes.Equal(cleared, text) {
				t.Fatalf("%q cut by %v: %v, in one piece %v", text, cuts, got, want)
			}
			sw := pass(t, s.Sweep(leak.Response{Signed: ours}), text, nil)
			strong := 0
			for _, f := range sw.findings {
				if f.RuleID == leak.RuleOwnSecret {
					strong++
				}
			}
			if (strong > 0) != (want != nil) {
				t.Fatalf("%q: the scanner says %v, the sweep %s", text, want, sw.rules())
			}
		}
	})
}

// FuzzResponse holds a response, however it is cut, to the one-shot verdict, and
// what was masked to the length that it had.
func FuzzResponse(f *testing.F) {
	f.Add([]byte("hello "), uint8(0), []byte(" world"), []byte{3})
	f.Add([]byte(`{"a":"\n`), uint8(1), []byte(`"}`), []byte{0})
	f.Add([]byte("x"), uint8(3), []byte("-----BEGIN PRIVATE KEY-----"), []byte{90})
	f.Add([]byte("at f (/a.js:1:2)"), uint8(5), []byte("main.f(x)\n\t/a.go:1"), []byte{1, 2})
	forms := []string{
		awsKey, token, url.QueryEscape(token), rsaKey, quoted(rsaKey), presign("https", "b.s3.amazonaws.com", "", true),
		presign("https", "evil.test", "", false), base64.StdEncoding.EncodeToString([]byte(rsaKey)), awsKey[:30], "Traceback (most",
	}
	s := signing()
	f.Fuzz(func(t *testing.T, before []byte, which uint8, after, cuts []byte) {
		text := bytes.Join([][]byte{before, []byte(forms[int(which)%len(forms)]), after}, nil)
		want := pass(t, s.Sweep(leak.Response{Signed: ours}), text, nil)
		got := pass(t, s.Sweep(leak.Response{Signed: ours, Traces: true}), text, cuts)
		if len(got.text) != len(text) {
			t.Fatalf("%q cut by %v left as %q", text, cuts, got.text)
		}
		strong := 0
		for _, f := range got.findings {
			if !f.Weak {
				strong++
			}
		}
		if strong != len(want.findings) {
			t.Fatalf("%q cut by %v: %s, in one piece %s", text, cuts, got.rules(), want.rules())
		}
		if len(want.findings) == 0 && got.text != string(text) {
			t.Fatalf("%q cut by %v left as %q", text, cuts, got.text)
		}
	})
}
