package hec_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/record"
	"gatehouse/internal/telemetry"
	"gatehouse/internal/telemetry/hec"
)

const token = "00000000-1111-2222-3333-444444444444"

// request is what a server saw of one POST.
type request struct {
	path, proto string
	header      http.Header
	size        int // of the body, after decompression
	ids         []string
	text        string
}

// server is a HEC on loopback. answer says what the nth request, counted from 1,
// gets; nil: success.
type server struct {
	*httptest.Server
	answer func(n int, r request) (status int, body string)

	mu       sync.Mutex
	requests []request
}

const success = `{"text":"Success","code":0}`

func newServer(t *testing.T, answer func(int, request) (int, string)) *server {
	t.Helper()
	s := &server{answer: answer}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r := read(req)
	s.mu.Lock()
	s.requests = append(s.requests, r)
	n := len(s.requests)
	s.mu.Unlock()
	status, body := http.StatusOK, success
	if s.answer != nil {
		status, body = s.answer(n, r)
	}
	if status == 0 { // hang up
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// read takes a request apart: its body is a row of JSON objects.
func read(req *http.Request) request {
	r := request{path: req.URL.RequestURI(), proto: req.Proto, header: req.Header}
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(req.Body)
		if err != nil {
			return r
		}
		body = z
	}
	text, _ := io.ReadAll(body)
	r.size, r.text = len(text), string(text)
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var e struct {
			Event struct {
				ID string `json:"id"`
			} `json:"event"`
		}
		if d.Decode(&e) != nil {
			return r
		}
		r.ids = append(r.ids, e.Event.ID)
	}
}

func (s *server) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func client(url string) *hec.Client {
	return &hec.Client{URLs: []string{url}, Token: func(context.Context) (string, error) { return token, nil }}
}

// items makes n records with ids a, b, c, …
func items(n int) []telemetry.Item {
	batch := make([]telemetry.Item, n)
	for i := range batch {
		id := string(rune('a' + i%26))
		batch[i] = telemetry.Item{
			ID: id, Kind: record.Log, Host: "orders", Region: "eu-west-1",
			Time: time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.UTC),
			JSON: []byte(`{"schema":1,"id":"` + id + `","kind":"log","time":"2026-11-23T10:00:00.123456789Z"}`),
		}
	}
	return batch
}

// pad makes each of batch's records about size bytes long.
func pad(batch []telemetry.Item, size int) []telemetry.Item {
	for i := range batch {
		text := string(batch[i].JSON)
		batch[i].JSON = []byte(text[:len(text)-1] + `,"message":"` + strings.Repeat("m", size) + `"}`)
	}
	return batch
}

func TestSend(t *testing.T) {
	s := newServer(t, nil)
	c := client(s.URL)
	c.Index = "lambda"
	if n, err := c.Send(t.Context(), items(2)); n != 2 || err != nil {
		t.Fatalf("Send = %d, %v", n, err)
	}
	if n, err := c.Send(t.Context(), pad(items(20), 100)); n != 20 || err != nil {
		t.Fatalf("Send = %d, %v", n, err)
	}
	small, large := s.seen()[0], s.seen()[1]
	want := `{"time":1795428000.123456789,"host":"orders","source":"lambda:eu-west-1","sourcetype":"gatehouse:lambda:log","index":"lambda","event":{"schema":1,"id":"a","kind":"log","time":"2026-11-23T10:00:00.123456789Z"}}`
	if got, _, _ := strings.Cut(small.text, "\n"); got != want {
		t.Errorf("envelope\n%s, want\n%s", got, want)
	}
	if small.path != "/services/collector/event" || small.proto != "HTTP/1.1" || small.header.Get("Authorization") != "Splunk "+token {
		t.Errorf("%s %s, authorization %q", small.proto, small.path, small.header["Authorization"])
	}
	if small.header.Get("Content-Encoding") != "" || large.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("encodings %q and %q, want gzip where it pays", small.header.Get("Content-Encoding"), large.header.Get("Content-Encoding"))
	}
	channel := small.header.Get("X-Splunk-Request-Channel")
	if len(channel) != 36 || channel != large.header.Get("X-Splunk-Request-Channel") {
		t.Errorf("channel %q, then %q, want one GUID", channel, large.header.Get("X-Splunk-Request-Channel"))
	}
}

func TestEnvelopeTime(t *testing.T) {
	for in, want := range map[time.Time]string{
		time.Unix(1795428000, 0):           `{"time":1795428000,`,
		time.Unix(1795428000, 120_000_000): `{"time":1795428000.12,`,
		time.Unix(1795428000, 7):           `{"time":1795428000.000000007,`,
		time.Unix(1795428010, 0):           `{"time":1795428010,`,
		{}:                                 `{"host"`,
	} {
		s := newServer(t, nil)
		batch := items(1)
		batch[0].Time = in
		if _, err := client(s.URL).Send(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if got := s.seen()[0].text; !strings.HasPrefix(got, want) {
			t.Errorf("%v is sent as %.60s, want %s", in, got, want)
		}
	}
}

func TestURLs(t *testing.T) {
	s := newServer(t, nil)
	for in, want := range map[string]string{
		"":                               "/services/collector/event",
		"/":                              "/services/collector/event",
		"/services/collector":            "/services/collector/event",
		"/services/collector/event":      "/services/collector/event",
		"/services/collector/event/1.0":  "/services/collector/event",
		"/services/collector/raw":        "/services/collector/event",
		"/splunk/":                       "/splunk/services/collector/event",
		"/splunk/services/collector/raw": "/splunk/services/collector/event",
	} {
		if _, err := client(s.URL+in).Send(t.Context(), items(1)); err != nil {
			t.Fatal(err)
		}
		if got := s.seen()[len(s.seen())-1].path; got != want {
			t.Errorf("%q sends to %s, want %s", in, got, want)
		}
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	for _, in := range []string{
		"", "splunk.example:8088", "ftp://splunk.example", "https://", "https://user:" + token + "@splunk.example",
		"https://splunk.example?token=" + token, "http://splunk.example:8088", "http://127.0.0.1.splunk.example", "https://splunk.example\x7f" + token,
	} {
		_, err := client(in).Send(t.Context(), items(1))
		if !errors.Is(err, hec.ErrConfig) {
			t.Errorf("%q: %v, want ErrConfig", in, err)
		} else if strings.Contains(err.Error(), token) {
			t.Errorf("%q: the error shows the token: %v", in, err)
		}
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	s := newServer(t, nil)
	for _, bad := range []string{"", "a b", "tok\r\nX: y", "tök"} {
		c := client(s.URL)
		c.Token = func(context.Context) (string, error) { return bad, nil }
		if _, err := c.Send(t.Context(), items(1)); !errors.Is(err, hec.ErrConfig) || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("token %q: %v", bad, err)
		}
	}
	c := client(s.URL)
	c.Token = func(context.Context) (string, error) { return "", errors.New("the parameter store is away") }
	if _, err := c.Send(t.Context(), items(1)); err == nil || errors.Is(err, hec.ErrConfig) {
		t.Errorf("a token that cannot be fetched now: %v, want an error that passes", err)
	}
	if len(s.seen()) != 0 {
		t.Errorf("%d requests without a token", len(s.seen()))
	}
}

func TestBatchesAreCutBySize(t *testing.T) {
	s := newServer(t, nil)
	if n, err := client(s.URL).Send(t.Context(), pad(items(10), 300_000)); n != 10 || err != nil {
		t.Fatalf("Send = %d, %v", n, err)
	}
	for i, r := range s.seen() {
		if r.size > 1<<20 {
			t.Errorf("request %d has %d bytes", i, r.size)
		}
	}
	if n := len(s.seen()); n != 4 {
		t.Errorf("%d requests, want 4 of three, three, three and one", n)
	}
}

func TestALongEventIsShortened(t *testing.T) {
	s := newServer(t, nil)
	if _, err := client(s.URL).Send(t.Context(), pad(items(1), 2<<20)); err != nil {
		t.Fatal(err)
	}
	if r := s.seen()[0]; r.size > 901<<10 || !strings.Contains(r.text, `"truncated":true`) || !slices.Equal(r.ids, []string{"a"}) {
		t.Errorf("%d bytes, ids %v", r.size, r.ids)
	}
}

// body writes a HEC's reply; invalid below 0 leaves it out.
func body(code, invalid int) string {
	if invalid < 0 {
		return fmt.Sprintf(`{"text":"as in the manual","code":%d}`, code)
	}
	return fmt.Sprintf(`{"text":"as in the manual","code":%d,"invalid-event-number":%d}`, code, invalid)
}

// TestReplies sends four records to a server that says something first, and
// success from then on.
func TestReplies(t *testing.T) {
	tests := []struct {
		name     string
		status   int
		body     string
		requests []string // the ids of each
		sent     int
		rejected string
		err      error // ErrConfig, or errAny
	}{
		{"success", 200, success, []string{"abcd"}, 4, "", nil},
		{"success with an ackId", 200, `{"text":"Success","code":0,"ackId":7}`, []string{"abcd"}, 4, "", nil},
		{"queue nearly full", 200, body(24, -1), []string{"abcd"}, 4, "", nil},
		{"acks nearly full", 200, body(25, -1), []string{"abcd"}, 4, "", nil},
		{"a 200 that says nothing", 200, "", []string{"abcd"}, 4, "", nil},
		{"a 200 of few words", 200, "OK", []string{"abcd"}, 4, "", nil},
		{"acks disabled", 400, body(14, -1), []string{"abcd"}, 4, "", nil},

		{"format of the third", 400, body(6, 2), []string{"abcd", "d"}, 4, "c", nil},
		{"event missing in the first", 400, body(12, 0), []string{"abcd", "bcd"}, 4, "a", nil},
		{"event blank in the last", 400, body(13, 3), []string{"abcd"}, 4, "d", nil},
		{"fields of the second", 400, body(15, 1), []string{"abcd", "cd"}, 4, "b", nil},
		{"format, nobody named", 400, body(6, -1), []string{"abcd", "ab", "cd"}, 4, "", nil},
		{"format, nobody of ours", 400, body(6, 9), []string{"abcd", "ab", "cd"}, 4, "", nil},

		{"token disabled", 403, body(1, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"token missing", 401, body(2, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"authorization", 401, body(3, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"token invalid", 403, body(4, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"no data", 400, body(5, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"index", 400, body(7, 1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"index of the third", 400, body(7, 3), []string{"abcd"}, 2, "", hec.ErrConfig},
		{"index, nobody named", 400, body(7, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"no channel", 400, body(10, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"bad channel", 400, body(11, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"query string", 400, body(16, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"no channel, in the cloud", 400, body(28, -1), []string{"abcd"}, 0, "", hec.ErrConfig},
		{"a redirect", 302, "", []string{"abcd"}, 0, "", hec.ErrConfig},
		{"a proxy's 403", 403, "<html>", []string{"abcd"}, 0, "", hec.ErrConfig},
		{"deflate", 415, "<html>", []string{"abcd"}, 0, "", hec.ErrConfig},

		{"internal error", 500, body(8, -1), []string{"abcd", "abcd"}, 4, "", nil},
		{"busy", 503, body(9, 0), []string{"abcd", "abcd"}, 4, "", nil},
		{"shutting down", 503, body(23, -1), []string{"abcd", "abcd"}, 4, "", nil},
		{"queue full", 429, body(26, -1), []string{"abcd", "abcd"}, 4, "", nil},
		{"acks full", 429, body(27, -1), []string{"abcd", "abcd"}, 4, "", nil},
		{"rolling restart", 404, "", []string{"abcd", "abcd"}, 4, "", nil},
		{"a page with 200", 200, "\n <!DOCTYPE html>", []string{"abcd", "abcd"}, 4, "", nil},
		{"a proxy's 502", 502, "<html>", []string{"abcd", "abcd"}, 4, "", nil},
		{"a proxy's 503", 503, "<html>", []string{"abcd", "abcd"}, 4, "", nil},
		{"a proxy's 504", 504, "<html>", []string{"abcd", "abcd"}, 4, "", nil},
		{"time-out", 408, "", []string{"abcd", "abcd"}, 4, "", nil},
		{"hung up", 0, "", []string{"abcd", "abcd"}, 4, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(n int, _ request) (int, string) {
				if n == 1 {
					return tt.status, tt.body
				}
				return 200, success
			})
			batch := items(4)
			sent, err := client(s.URL).Send(t.Context(), batch)
			if sent != tt.sent || !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
				t.Errorf("Send = %d, %v, want %d, %v", sent, err, tt.sent, tt.err)
			}
			var requests []string
			for _, r := range s.seen() {
				requests = append(requests, strings.Join(r.ids, ""))
			}
			if !slices.Equal(requests, tt.requests) {
				t.Errorf("requests %q, want %q", requests, tt.requests)
			}
			rejected := ""
			for _, it := range batch {
				if it.Rejected != "" {
					rejected += it.ID
				}
			}
			if rejected != tt.rejected {
				t.Errorf("rejected %q, want %q", rejected, tt.rejected)
			}
		})
	}
}

// TestAPartlyBadBatch has a server that judges each object as Splunk does, and
// says which one is bad or does not.
func TestAPartlyBadBatch(t *testing.T) {
	for _, naming := range []bool{true, false} {
		t.Run(fmt.Sprintf("naming %v", naming), func(t *testing.T) {
			in := make(map[string]int)
			s := newServer(t, func(_ int, r request) (int, string) {
				for i, id := range r.ids {
					if id != "c" && id != "f" && id != "g" {
						continue
					}
					if !naming {
						return 400, body(6, -1)
					}
					for _, ok := range r.ids[:i] {
						in[ok]++
					}
					return 400, body(6, i)
				}
				for _, ok := range r.ids {
					in[ok]++
				}
				return 200, success
			})
			batch := items(10)
			if n, err := client(s.URL).Send(t.Context(), batch); n != 10 || err != nil {
				t.Fatalf("Send = %d, %v", n, err)
			}
			for _, it := range batch {
				bad := strings.Contains("cfg", it.ID)
				if got := in[it.ID]; got != 1 && !bad || got != 0 && bad || (it.Rejected != "") != bad {
					t.Errorf("%s arrived %d times, rejected %q", it.ID, got, it.Rejected)
				}
			}
		})
	}
}

func TestRejectionsAreBounded(t *testing.T) {
	s := newServer(t, func(int, request) (int, string) { return 400, body(6, 0) })
	n, err := client(s.URL).Send(t.Context(), items(26))
	if n != 16 || err == nil || len(s.seen()) != 16 {
		t.Errorf("Send = %d, %v after %d requests, want to stop at 16", n, err, len(s.seen()))
	}
}

func TestAServerThatTakesLessIsRemembered(t *testing.T) {
	const limit = 200_000
	s := newServer(t, func(_ int, r request) (int, string) {
		if r.size > limit {
			return 413, "<html>too large"
		}
		return 200, success
	})
	c := client(s.URL)
	for range 2 {
		batch := append(pad(items(8), 50_000), pad(items(1), 500_000)...)
		if n, err := c.Send(t.Context(), batch); n != 9 || err != nil {
			t.Fatalf("Send = %d, %v", n, err)
		}
		for _, it := range batch {
			if it.Rejected != "" {
				t.Errorf("rejected: %s", it.Rejected)
			}
		}
	}
	refused := 0
	for _, r := range s.seen() {
		if r.size > limit {
			refused++
		}
	}
	if refused > 5 {
		t.Errorf("%d of %d requests were too large", refused, len(s.seen()))
	}
}

func TestTooLargeHoweverSmall(t *testing.T) {
	s := newServer(t, func(int, request) (int, string) { return 413, "" })
	batch := pad(items(2), 10_000)
	if n, err := client(s.URL).Send(t.Context(), batch); n != 2 || err != nil || batch[0].Rejected == "" || batch[1].Rejected == "" {
		t.Errorf("Send = %d, %v, rejected %q and %q", n, err, batch[0].Rejected, batch[1].Rejected)
	}
}

// The cloud says "invalid data format, object 0" of a body above 5 MiB.
func TestTooLargeInTheCloud(t *testing.T) {
	s := newServer(t, func(_ int, r request) (int, string) {
		if r.size > 5_242_880 {
			return 400, body(6, 0)
		}
		return 200, success
	})
	c := client(s.URL)
	c.Batch = 8 << 20
	batch := pad(items(26), 300_000)
	if n, err := c.Send(t.Context(), batch); n != 26 || err != nil || batch[0].Rejected != "" {
		t.Errorf("Send = %d, %v, first item rejected %q", n, err, batch[0].Rejected)
	}
}

func TestAnIndexThatIsRefused(t *testing.T) {
	s := newServer(t, func(_ int, r request) (int, string) {
		if strings.Contains(r.text, `"index":`) {
			return 400, body(7, 1)
		}
		return 200, success
	})
	var said []string
	c := client(s.URL)
	c.Index, c.Say = "wrong", func(s string) { said = append(said, s) }
	for range 2 {
		if n, err := c.Send(t.Context(), items(3)); n != 3 || err != nil {
			t.Fatalf("Send = %d, %v", n, err)
		}
	}
	if len(said) != 1 || !strings.Contains(said[0], `"wrong"`) || len(s.seen()) != 3 {
		t.Errorf("said %q in %d requests, want one line and the default index from then on", said, len(s.seen()))
	}
}

func TestAReflectedTokenIsNotShown(t *testing.T) {
	s := newServer(t, func(int, request) (int, string) { return 403, `{"text":"bad token ` + token + `","code":4}` })
	c := client(s.URL)
	var said string
	c.Say = func(s string) { said = s }
	_, err := c.Send(t.Context(), items(1))
	if err == nil || strings.Contains(err.Error()+said, token) || !strings.Contains(said, "bad token [token]") {
		t.Errorf("error %v, said %q", err, said)
	}
}

// Nor is a part of it, wherever the text is cut.
func TestAReflectedTokenIsNotCutInHalf(t *testing.T) {
	for before := 60; before < 125; before++ {
		s := newServer(t, func(int, request) (int, string) {
			return 403, `{"text":"` + strings.Repeat(".", before) + token + `","code":4}`
		})
		_, err := client(s.URL).Send(t.Context(), items(1))
		if err == nil || !strings.Contains(err.Error(), "....") || strings.Contains(err.Error(), token[:4]) {
			t.Errorf("behind %d characters: error %v", before, err)
		}
	}
}

func FuzzReply(f *testing.F) {
	f.Add(400, []byte(body(6, 2)))
	f.Add(200, []byte(success))
	f.Add(503, []byte(`{"text":9,"code":"x","invalid-event-number":-1,"ackId":1e99}`))
	f.Add(502, []byte("<html>\xff"))
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		r := hec.ParseReply(status, text)
		if r.Class < hec.Accepted || r.Class > hec.Config || r.Invalid < -1 || r.AckID < -1 || r.Code < -1 || len(r.Text) > 120 {
			t.Errorf("ParseReply(%d, %q) = %+v", status, text, r)
		}
		if status/100 == 2 && r.Class != hec.Accepted && (r.Class != hec.Busy || !bytes.Contains(text, []byte("<"))) {
			t.Errorf("status %d is %v", status, r.Class)
		}
		_ = r.String()
	})
}
