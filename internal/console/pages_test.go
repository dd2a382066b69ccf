package console_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/console"
)

const pageToken = "open-sesame"

// signIn returns the cookie that the printed URL gives.
func signIn(t *testing.T, c *console.Console) string {
	t.Helper()
	_, query, _ := strings.Cut(c.URL(), "/?")
	got := send(t, c, "GET", "/?"+query, "")
	if got.status != http.StatusSeeOther {
		t.Fatalf("the printed URL answers %d", got.status)
	}
	cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	return cookie
}

// open returns a page as a visitor sees it who is signed in.
func open(t *testing.T, c *console.Console, path string) string {
	t.Helper()
	got := send(t, c, "GET", path, "", "Cookie", signIn(t, c))
	if got.status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
	return got.body
}

func TestSignIn(t *testing.T) {
	c := start(t, console.Config{PageToken: pageToken})
	first := send(t, c, "GET", "/?token="+pageToken+"&static=1", "")
	cookie := first.header.Get("Set-Cookie")
	if first.status != http.StatusSeeOther || first.header.Get("Location") != "/?static=1" {
		t.Errorf("got %d to %q", first.status, first.header.Get("Location"))
	}
	if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") || strings.Contains(cookie, pageToken) {
		t.Errorf("cookie is %q", cookie)
	}
	if got := send(t, c, "GET", "//example.test/?token="+pageToken, "").header.Get("Location"); strings.HasPrefix(got, "//") {
		t.Errorf("redirected to another host: %q", got)
	}
	for _, path := range []string{"/", "/record/1", "/incident/x", "/live", "/?token=wrong", "/nothing"} {
		if got := send(t, c, "GET", path, ""); got.status != http.StatusUnauthorized {
			t.Errorf("%s without the cookie: %d", path, got.status)
		}
	}
	if got := send(t, c, "GET", "/", "", "Cookie", signIn(t, c)); got.status != http.StatusOK {
		t.Errorf("with the cookie: %d", got.status)
	}
}

func TestHeaders(t *testing.T) {
	c := start(t, console.Config{})
	cookie := signIn(t, c)
	for _, path := range []string{"/", "/record/1", "/assets/console.js", "/assets/nothing", "/nothing"} {
		h := send(t, c, "GET", path, "", "Cookie", cookie).header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: policy %q lacks %q", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}

func TestHostHeader(t *testing.T) {
	c := start(t, console.Config{})
	cookie := signIn(t, c)
	for host, want := range map[string]int{
		"127.0.0.1:8088": 200, "localhost:8088": 200, "[::1]:8088": 200, "localhost": 200,
		"rebound.example": 421, "rebound.example:8088": 421, "127.0.0.1.example": 421, "10.0.0.1": 421, "": 400,
	} {
		if host == "" {
			continue
		}
		if got := send(t, c, "GET", "/", "", "Cookie", cookie, "Host", host); got.status != want {
			t.Errorf("Host %q: %d, want %d", host, got.status, want)
		}
	}
}

func TestOverview(t *testing.T) {
	c := start(t, console.Config{})
	if got := open(t, c, "/"); !strings.Contains(got, "Waiting for the first record") || !strings.Contains(got, token) {
		t.Error("an empty console does not say how to send to it")
	}
	var body strings.Builder
	for i := range 3 {
		body.WriteString(envelope("invocation", fmt.Sprint(1700000000+i), fmt.Sprintf(`{"id":"i%d","function_name":"sns-db-checker","event_source":"sns"}`, i)))
	}
	body.WriteString(envelope("attack", "1700000001", attackRecord))
	body.WriteString(envelope("connection", "1700000001", `{"id":"c","function_name":"sns-db-checker","dest":"www.some.test","action":"blocked"}`))
	body.WriteString(envelope("health", "1700000002", `{"id":"h","degraded":[{"what":"telemetry","reason":"answered 202"}]}`))
	post(t, c, "/services/collector", body.String()).want(t, 200, "")
	page := open(t, c, "/")
	for _, want := range []string{
		"SQL injection", "1&#39; OR 1=1--", "arn:aws:lambda:eu-west-1:123456789012:function:", "Records[0].Sns.Message",
		"22:13:21.000", "www.some.test", "answered 202", `href="/record/4"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := chartOf(t, page); sum(got.Invocations) != 3 || sum(got.Detections) != 1 || len(got.Time) < 15 {
		t.Errorf("the chart shows %d invocations and %d detections over %d points", sum(got.Invocations), sum(got.Detections), len(got.Time))
	}
	zoomed := open(t, c, "/?from=1700000001500&to=1700000009000")
	if got := chartOf(t, zoomed); sum(got.Invocations) != 1 || sum(got.Detections) != 0 {
		t.Errorf("zoomed in, the chart shows %d invocations and %d detections", sum(got.Invocations), sum(got.Detections))
	}
	if strings.Contains(open(t, c, "/?function=other"), "Records[0].Sns.Message") {
		t.Error("another function's page shows the detection")
	}
}

type chart struct {
	Time                    []int64
	Invocations, Detections []int
}

var chartData = regexp.MustCompile(`data-series="([^"]*)"`)

func chartOf(t *testing.T, page string) chart {
	t.Helper()
	m := chartData.FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page has no chart")
	}
	var c chart
	if err := json.Unmarshal([]byte(strings.ReplaceAll(m[1], "&#34;", `"`)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func sum(list []int) (n int) {
	for _, v := range list {
		n += v
	}
	return n
}

func TestPaging(t *testing.T) {
	c := start(t, console.Config{})
	var body strings.Builder
	for i := range 150 {
		body.WriteString(envelope("attack", "1700000000", fmt.Sprintf(`{"id":"a%03d","signature":"s","matched":"payload-%03d"}`, i, i)))
	}
	post(t, c, "/services/collector", body.String()).want(t, 200, "")
	first := open(t, c, "/")
	older := regexp.MustCompile(`<a href="(/\?before=[^"]*)">Older`).FindStringSubmatch(first)
	if strings.Count(first, "payload-") != 100 || older == nil {
		t.Fatalf("the first page lists %d", strings.Count(first, "payload-"))
	}
	second := open(t, c, older[1])
	if strings.Count(second, "payload-") != 50 || strings.Contains(second, ">Older detections<") || strings.Contains(second, "payload-050") {
		t.Errorf("the second page lists %d", strings.Count(second, "payload-"))
	}
}

func TestRecordPage(t *testing.T) {
	c := start(t, console.Config{})
	leak := `{"id":"01JLEAK","kind":"leak","request_id":"r-1","signature":"Own secret","signature_id":"leak.own-secret","object":"DB_PASSWORD",
	 "url":"https://www.some.test/?k={{DB_PASSWORD:0123456789ab}}","sni":"www.some.test","tls_version":"1.3","alpn":"h2","matched":"x"}`
	post(t, c, "/services/collector", envelope("attack", "1", attackRecord)+envelope("leak", "2", leak)).want(t, 200, "")
	attack := open(t, c, "/record/1")
	for _, want := range []string{
		`<span class="j-key">&#34;Message&#34;</span>: <span class="j-string">&#34;</span><mark id="mark">1&#39; OR 1=1--</mark>`,
		"01JATTACK", "sqli.tautology", "r-1", "Own secret", `href="/record/2"`, "SQL injection",
	} {
		if !strings.Contains(attack, want) {
			t.Errorf("the attack's page lacks %q", want)
		}
	}
	page := open(t, c, "/record/2")
	for _, want := range []string{"<mark>{{DB_PASSWORD:0123456789ab}}</mark>", "www.some.test", "1.3", "h2", "DB_PASSWORD"} {
		if !strings.Contains(page, want) {
			t.Errorf("the leak's page lacks %q", want)
		}
	}
	cookie := signIn(t, c)
	if got := send(t, c, "GET", "/incident/01JLEAK", "", "Cookie", cookie); got.header.Get("Location") != "/record/2" {
		t.Errorf("the incident leads to %q", got.header.Get("Location"))
	}
	for _, path := range []string{"/record/9", "/record/x", "/incident/unknown", "/elsewhere"} {
		if got := send(t, c, "GET", path, "", "Cookie", cookie); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// A mark is the evidence: each row is an event, what a finding says of it, and
// what the page marks.
func TestMark(t *testing.T) {
	for name, test := range map[string]struct {
		event, path, matched string
		offset               int
		want                 string
	}{
		"whole string":         {`{"a":"x' OR 1"}`, "a", "x' OR 1", 0, "x&#39; OR 1"},
		"at the offset":        {`{"a":"11-11"}`, "a", "11", 3, `&#34;11-</span><mark id="mark">11</mark>`},
		"offset is elsewhere":  {`{"a":"aa<b>"}`, "a", "<b>", 1, "&lt;b&gt;"},
		"decoded":              {`{"a":"%3Cb%3E"}`, "a", "<b>", 0, "&#34;%3Cb%3E&#34;"},
		"index and odd key":    {`{"r":[{},{"x-odd key":"p"}]}`, `r[1]["x-odd key"]`, "p", 0, "p"},
		"JSON in a string":     {`{"body":"{\"q\":\"1' OR 1\"}"}`, "body.q", "1' OR 1", 0, "1&#39; OR 1"},
		"right one of two":     {`{"a":["p","p"]}`, "a[1]", "p", 0, `<span class="j-string">&#34;p&#34;</span>,`},
		"key":                  {`{"a":{"$where":"1"}}`, "a.$where", "$where", 0, "$where"},
		"path leads nowhere":   {`{"a":{"b":"evil"}}`, "c.d", "evil", 0, "evil"},
		"path is cut":          {`{"a":{"b":"evil"}}`, "a.b…", "evil", 0, "evil"},
		"escaped":              {`{"a":"x\ny"}`, "a", "x\ny", 0, `x\ny`},
		"direction is visible": {`{"a":"\u202eevil"}`, "a", "\u202eevil", 0, `\u202eevil`},
		"number":               {`{"a":{"b":7},"c":"p"}`, "c", "p", 0, "p"},
		"root string":          {`"an event"`, "", "event", 0, "event"},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, console.Config{})
			rec, err := json.Marshal(map[string]any{"id": "x", "event": json.RawMessage(test.event), "path": test.path,
				"matched": test.matched, "match_offset": test.offset})
			if err != nil {
				t.Fatal(err)
			}
			post(t, c, "/services/collector", envelope("attack", "1", string(rec))).want(t, 200, "")
			page := open(t, c, "/record/1")
			if !strings.Contains(test.want, "<mark") && !strings.Contains(test.want, "</span>") {
				test.want = `<mark id="mark">` + test.want + "</mark>"
			}
			if !strings.Contains(page, test.want) || strings.Count(page, `<mark id="mark">`) != 1 {
				_, event, _ := strings.Cut(page, "<h2>Event</h2>")
				event, _, _ = strings.Cut(event, "</pre>")
				t.Errorf("the page does not mark %s in %s", test.want, event)
			}
		})
	}
}

func TestLive(t *testing.T) {
	c := start(t, console.Config{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.HECURL()+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", signIn(t, c))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("type is %q", got)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Scan() // retry: the stream is open
	post(t, c, "/services/collector", `{"event":"x"}{"event":"y"}`).want(t, 200, "")
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data:") {
	}
	if got := lines.Text(); got != "data: 2" {
		t.Errorf("the stream says %q", got)
	}
	if err := c.Close(); err != nil { // ends the stream
		t.Error(err)
	}
	for lines.Scan() {
	}
}

func TestStreamsAreBounded(t *testing.T) {
	c := start(t, console.Config{})
	cookie := signIn(t, c)
	refused := 0
	for range 40 { // 32 stay open
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.HECURL()+"/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", cookie)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		if resp.StatusCode == http.StatusServiceUnavailable {
			refused++
		}
	}
	if refused != 8 {
		t.Errorf("%d of 40 streams are refused, want 8", refused)
	}
}
