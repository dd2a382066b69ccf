package console_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/console"
)

// answer is what the console said.
type answer struct {
	status int
	body   string
	header http.Header
}

func (a answer) want(t *testing.T, status int, body string) {
	t.Helper()
	if a.status != status || body != "" && a.body != body {
		t.Errorf("got %d %s, want %d %s", a.status, a.body, status, body)
	}
}

// send makes a request with the given headers: name, value, name, value.
func send(t *testing.T, c *console.Console, method, path, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.HECURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(got), resp.Header}
}

func post(t *testing.T, c *console.Console, path, body string, headers ...string) answer {
	t.Helper()
	return send(t, c, http.MethodPost, path, body, append([]string{"Authorization", "Splunk " + token}, headers...)...)
}

func zip(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const (
	success  = `{"text":"Success","code":0}`
	notFound = `{"text":"The requested URL was not found on this server.","code":404}`
)

func TestCollectorRoutes(t *testing.T) {
	c := start(t, console.Config{})
	for _, test := range []struct {
		method, path string
		status       int
		body, allow  string
	}{
		{"POST", "/services/collector", 200, success, ""},
		{"POST", "/services/collector/event", 200, success, ""},
		{"POST", "/services/collector/event/1.0", 200, success, ""},
		{"POST", "/services/collector/raw", 200, success, ""},
		{"POST", "/services/collector/raw/1.0", 200, success, ""},
		{"POST", "/services/collector/ack", 400, `{"text":"ACK is disabled","code":14}`, ""},
		{"GET", "/services/collector/health", 200, `{"text":"HEC is healthy","code":17}`, ""},
		{"GET", "/services/collector/health/1.0", 200, `{"text":"HEC is healthy","code":17}`, ""},
		{"HEAD", "/services/collector/health", 200, "", ""},
		{"OPTIONS", "/services/collector/event/1.0", 200, "", "POST,OPTIONS"},
		{"OPTIONS", "/services/collector/health", 200, "", "GET,HEAD,OPTIONS"},
		{"GET", "/services/collector/event", 405, notFound, ""},
		{"POST", "/services/collector/health", 405, notFound, ""},
		{"POST", "/services/collector/nothing", 404, notFound, ""},
		{"POST", "/services/other", 404, notFound, ""},
	} {
		got := send(t, c, test.method, test.path, `{"event":"x"}`, "Authorization", "Splunk "+token)
		if got.status != test.status || got.body != test.body || got.header.Get("Allow") != test.allow {
			t.Errorf("%s %s: %d %s, Allow %q; want %d %s, Allow %q",
				test.method, test.path, got.status, got.body, got.header.Get("Allow"), test.status, test.body, test.allow)
		}
	}
}

func TestAuthorization(t *testing.T) {
	c := start(t, console.Config{})
	basic := func(token string) string {
		r, _ := http.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth("anybody", token)
		return r.Header.Get("Authorization")
	}
	const wrong = "00000000-0000-0000-0000-000000000000"
	for _, test := range []struct {
		name, header, query string
		status, code        int
		text                string
	}{
		{"Splunk", "Splunk " + token, "", 200, 0, "Success"},
		{"Basic", basic(token), "", 200, 0, "Success"},
		{"none", "", "", 401, 2, "Token is required"},
		{"Bearer", "Bearer " + token, "", 401, 3, "Invalid authorization"},
		{"empty", "Splunk ", "", 401, 3, "Invalid authorization"},
		{"wrong", "Splunk " + wrong, "", 403, 4, "Invalid token"},
		{"wrong Basic", basic(wrong), "", 403, 4, "Invalid token"},
		{"query", "", "?token=" + token, 400, 16, "Query string authorization is not enabled"},
		{"query wins", "Splunk " + token, "?token=" + wrong, 403, 4, "Invalid token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			send(t, c, "POST", "/services/collector/event"+test.query, `{"event":"x"}`, "Authorization", test.header).
				want(t, test.status, fmt.Sprintf(`{"text":%q,"code":%d}`, test.text, test.code))
		})
	}
}

// The stored count proves which events of a refused request are kept: those
// before the offending one.
func TestEnvelopes(t *testing.T) {
	invalid := func(text string, code, n int) string {
		return fmt.Sprintf(`{"text":%q,"code":%d,"invalid-event-number":%d}`, text, code, n)
	}
	noData := `{"text":"No data","code":5}`
	for _, test := range []struct {
		name, body, reply string
		stored            int
	}{
		{"one", `{"event":"x"}`, success, 1},
		{"concatenated", `{"event":"x"}{"event":{"a":1}}` + "\n\t" + `{"event":[1]} {"event":7}`, success, 4},
		{"array", `[{"event":"x"},{"event":"y"}]`, success, 2},
		{"braces in strings", `{"event":"}{\"}\\"}{"event":"{"}`, success, 2},
		{"time as text", `{"time":"1700000000.123","event":"x"}`, success, 1},
		{"empty", "", noData, 0},
		{"white space", " \n", noData, 0},
		{"not JSON", "hello", invalid("Invalid data format", 6, 0), 0},
		{"cut short", `{"event":"x"}{"event":"y`, invalid("Invalid data format", 6, 1), 1},
		{"broken second", `{"event":"x"}{event}{"event":"z"}`, invalid("Invalid data format", 6, 1), 1},
		{"comma outside an array", `{"event":"x"},{"event":"y"}`, invalid("Invalid data format", 6, 1), 1},
		{"bad time", `{"event":"x"}{"time":"yesterday","event":"x"}`, invalid("Invalid data format", 6, 1), 1},
		{"huge exponent", `{"time":1e999999999,"event":"x"}`, invalid("Invalid data format", 6, 0), 0},
		{"bad host", `{"host":7,"event":"x"}`, invalid("Invalid data format", 6, 0), 0},
		{"no event", `{"event":"x"}{"event":"y"}{"host":"h"}{"event":"z"}`, invalid("Event field is required", 12, 2), 2},
		{"blank", `{"event":""}`, invalid("Event field cannot be blank", 13, 0), 0},
		{"null", `{"event":"x"}{"event":null}`, invalid("Event field cannot be blank", 13, 1), 1},
		{"fields", `{"event":"x","fields":{"a":"b","c":[1,"2"],"d":true}}`, success, 1},
		{"nested fields", `{"event":"x","fields":{"a":{"b":1}}}`, invalid("Error in handling indexed fields", 15, 0), 0},
		{"nested in an array", `{"event":"x","fields":{"a":[[1]]}}`, invalid("Error in handling indexed fields", 15, 0), 0},
		{"fields alone", `{"fields":{"a":"b"}}{"event":"x"}`, success, 1},
		{"unknown key ends it in silence", `{"event":"x"}{"event":"y","sourceType":"z"}{"event":"w"}`, success, 1},
		{"unknown key alone", `{"event":"y","sourceType":"z"}`, noData, 0},
		{"too large", `{"event":"x"}{"event":"` + strings.Repeat("a", 5<<20) + `"}`, invalid("Invalid data format", 6, 1), 1},
		{"many", strings.Repeat(`{"event":"x"}`, 1234), success, 1234},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := start(t, console.Config{})
			want := 400
			if test.reply == success {
				want = 200
			}
			post(t, c, "/services/collector/event", test.body).want(t, want, test.reply)
			if got := c.Received().Records; got != test.stored {
				t.Errorf("%d events stored, want %d", got, test.stored)
			}
		})
	}
}

func TestRaw(t *testing.T) {
	c := start(t, console.Config{})
	post(t, c, "/services/collector/raw?sourcetype=syslog&time=1.5", "one\r\ntwo\n\nthree").want(t, 200, success)
	post(t, c, "/services/collector/raw", "\n").want(t, 400, `{"text":"No data","code":5}`)
	if got := c.Received().Records; got != 3 {
		t.Errorf("%d lines stored, want 3", got)
	}
}

func TestEncodings(t *testing.T) {
	c := start(t, console.Config{})
	body := `{"event":"x"}{"event":"y"}`
	post(t, c, "/services/collector", zip(t, body), "Content-Encoding", "gzip").want(t, 200, success)
	post(t, c, "/services/collector", body, "Content-Encoding", "gzip").
		want(t, 400, `{"text":"Invalid data format","code":6,"invalid-event-number":0}`)
	if got := post(t, c, "/services/collector", body, "Content-Encoding", "deflate"); got.status != 415 ||
		!strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
		t.Errorf("deflate: %+v", got)
	}
	if got := c.Received().Records; got != 2 {
		t.Errorf("%d events stored, want 2", got)
	}
}

func TestAcknowledgement(t *testing.T) {
	c := start(t, console.Config{UseACK: true})
	ack := func(channel, ids string) answer {
		return post(t, c, "/services/collector/ack?channel="+channel, `{"acks":`+ids+`}`)
	}
	const other = "1aeeac95-ac74-4aa9-b30d-6c4c0ac581ba"
	post(t, c, "/services/collector", `{"event":"x"}`).want(t, 400, `{"text":"Data channel is missing","code":10}`)
	post(t, c, "/services/collector?channel=7", `{"event":"x"}`).want(t, 400, `{"text":"Invalid data channel","code":11}`)
	for i := range 2 {
		post(t, c, "/services/collector", `{"event":"x"}`, "X-Splunk-Request-Channel", channel).
			want(t, 200, fmt.Sprintf(`{"text":"Success","code":0,"ackId":%d}`, i))
	}
	post(t, c, "/services/collector", `{"event":"x"}`, "X-Splunk-Request-Channel", other).
		want(t, 200, `{"text":"Success","code":0,"ackId":0}`)
	post(t, c, "/services/collector", `{"event":"x"}{`, "X-Splunk-Request-Channel", other).
		want(t, 400, `{"text":"Invalid data format","code":6,"invalid-event-number":1,"ackId":1}`)
	ack(other, "[2,0]").want(t, 200, `{"acks":{"0":true,"2":false}}`)
	ack(channel, "[0,1,2]").want(t, 200, `{"acks":{"0":true,"1":true,"2":false}}`)
	ack(channel, "[0,1]").want(t, 200, `{"acks":{"0":false,"1":false}}`)
	ack("", "[0]").want(t, 400, `{"text":"Data channel is missing","code":10}`)
	ack(channel, `"x"`).want(t, 400, "")
}

func TestChannelsAreBounded(t *testing.T) {
	c := start(t, console.Config{UseACK: true})
	id := func(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }
	for n := range 1030 { // 1,024 are kept
		if got := post(t, c, "/services/collector/ack?channel="+id(n), `{"acks":[]}`); n == 0 && got.status != 200 {
			t.Fatalf("got %+v", got)
		}
		if n == 0 {
			post(t, c, "/services/collector?channel="+id(0), `{"event":"x"}`).want(t, 200, "")
		}
	}
	post(t, c, "/services/collector/ack?channel="+id(0), `{"acks":[0]}`).want(t, 200, `{"acks":{"0":false}}`)
}

// TestBusy holds every slot with a request that does not end. The console asks
// for a body (100 Continue) once the request has its slot.
func TestBusy(t *testing.T) {
	c := start(t, console.Config{})
	transport := &http.Transport{ExpectContinueTimeout: patience}
	t.Cleanup(transport.CloseIdleConnections)
	release := make(chan struct{})
	var taken, ended sync.WaitGroup
	for range 32 {
		body, feed := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.HECURL()+"/services/collector", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Splunk "+token)
		req.Header.Set("Expect", "100-continue")
		ended.Go(func() {
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Error(err)
				_ = body.CloseWithError(err)
				return
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("a held request ends with %d", resp.StatusCode)
			}
		})
		taken.Go(func() { _, _ = io.WriteString(feed, `{"event":`) })
		ended.Go(func() {
			<-release
			_, _ = io.WriteString(feed, `"x"}`)
			_ = feed.Close()
		})
	}
	taken.Wait()
	post(t, c, "/services/collector", `{"event":"y"}`).want(t, 503, `{"text":"Server is busy","code":9}`)
	close(release)
	ended.Wait()
	post(t, c, "/services/collector", `{"event":"y"}`).want(t, 200, success)
}

// TestConcurrent sends the same records from many sides while pages are read.
func TestConcurrent(t *testing.T) {
	c := start(t, console.Config{})
	cookie := signIn(t, c)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 25 {
				post(t, c, "/services/collector", envelope("attack", "1700000000", fmt.Sprintf(`{"id":"a%d","matched":"m"}`, i))).
					want(t, 200, success)
			}
		})
		all.Go(func() {
			for range 10 {
				if got := send(t, c, "GET", "/", "", "Cookie", cookie); got.status != 200 {
					t.Errorf("the page answers %d %s", got.status, got.body)
				}
			}
		})
	}
	all.Wait()
	if got := c.Received(); got.Records != 25 || got.Duplicates != 75 {
		t.Errorf("counts are %+v", got)
	}
}
