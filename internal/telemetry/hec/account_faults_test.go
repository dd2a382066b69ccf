package hec_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/telemetry/hec"
)

// fault is what is wrong with an endpoint. serve reports whether it has answered the nth
// request since it began.
type fault struct {
	name  string
	ack   hec.Ack
	dial  error
	serve func(e *endpoint, w http.ResponseWriter, req *http.Request, r request, n int) bool
}

func say(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// answers is a fault that is one answer, always. header is name and value in turns.
func answers(status int, body string, header ...string) func(*endpoint, http.ResponseWriter, *http.Request, request, int) bool {
	return func(_ *endpoint, w http.ResponseWriter, _ *http.Request, _ request, _ int) bool {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		say(w, status, body)
		return true
	}
}

// say answers a question for acknowledgements: known says which requests are indexed, by
// when they came.
func (e *endpoint) say(w http.ResponseWriter, req *http.Request, r request, known func(at time.Time) bool) {
	var q struct {
		Acks []int64 `json:"acks"`
	}
	if json.Unmarshal([]byte(r.text), &q) != nil {
		say(w, 400, body(6, 0))
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	channel := e.acks[req.Header.Get("X-Splunk-Request-Channel")]
	answer := map[string]bool{}
	for _, id := range q.Acks {
		at, ok := channel[id]
		answer[strconv.FormatInt(id, 10)] = ok && known(at)
		if ok && known(at) {
			delete(channel, id) // true is said once
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"acks": answer})
}

// indexesAfter takes everything, and says so only later.
func indexesAfter(d time.Duration) func(*endpoint, http.ResponseWriter, *http.Request, request, int) bool {
	return func(e *endpoint, w http.ResponseWriter, req *http.Request, r request, _ int) bool {
		if !strings.HasSuffix(req.URL.Path, "/ack") {
			e.doubt(r.ids)
			return false
		}
		e.say(w, req, r, func(at time.Time) bool { return time.Since(at) >= d })
		return true
	}
}

var clientFaults = []fault{
	{name: "none", ack: hec.AckOff},
	{name: "refused", ack: hec.AckOff, dial: syscall.ECONNREFUSED},
	{name: "TLS failure", ack: hec.AckOff, dial: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}},
	{name: "reset, nothing taken", ack: hec.AckOff, serve: func(*endpoint, http.ResponseWriter, *http.Request, request, int) bool {
		panic(http.ErrAbortHandler)
	}},
	{name: "reset, all taken", ack: hec.AckOff, serve: func(e *endpoint, _ http.ResponseWriter, _ *http.Request, r request, _ int) bool {
		e.doubt(r.ids)
		e.take(r.ids)
		panic(http.ErrAbortHandler)
	}},
	{name: "slow", ack: hec.AckOff, serve: func(e *endpoint, _ http.ResponseWriter, req *http.Request, r request, _ int) bool {
		e.doubt(r.ids)
		select {
		case <-time.After(5 * time.Second):
		case <-req.Context().Done():
		}
		return false
	}},
	{name: "never answers", ack: hec.AckOff, serve: func(e *endpoint, _ http.ResponseWriter, req *http.Request, r request, _ int) bool {
		e.doubt(r.ids)
		e.take(r.ids)
		<-req.Context().Done()
		return true
	}},
	{name: "401", ack: hec.AckOff, serve: answers(401, body(3, -1))},
	{name: "403", ack: hec.AckOff, serve: answers(403, body(4, -1))},
	{name: "400/6 in the middle", ack: hec.AckOff, serve: func(e *endpoint, w http.ResponseWriter, _ *http.Request, r request, _ int) bool {
		bad := len(r.ids) / 2
		e.take(r.ids[:bad])
		say(w, 400, body(6, bad))
		return true
	}},
	{name: "400/7", ack: hec.AckOff, serve: answers(400, body(7, 0))},
	{name: "404 in a restart", ack: hec.AckOff, serve: answers(404, `not found`)},
	{name: "413", ack: hec.AckOff, serve: func(_ *endpoint, w http.ResponseWriter, _ *http.Request, r request, _ int) bool {
		if r.size < 6<<10 {
			return false
		}
		say(w, 413, `{"text":"Content-Length too large","code":27}`)
		return true
	}},
	{name: "413 for anything", ack: hec.AckOff, serve: answers(413, `{"text":"Content-Length too large","code":27}`)},
	{name: "429", ack: hec.AckOff, serve: answers(429, body(9, -1), "Retry-After", "2")},
	{name: "500", ack: hec.AckOff, serve: answers(500, body(8, -1))},
	{name: "503", ack: hec.AckOff, serve: answers(503, body(9, -1))},
	{name: "HTML", ack: hec.AckOff, serve: answers(200, `<html><body>Log in</body></html>`, "Content-Type", "text/html")},
	{name: "redirect", ack: hec.AckOff, serve: answers(307, ``, "Location", "http://other.test/")},
	{name: "back after three", ack: hec.AckOff, serve: func(_ *endpoint, w http.ResponseWriter, _ *http.Request, _ request, n int) bool {
		if n > 3 {
			return false
		}
		say(w, 503, body(9, -1))
		return true
	}},
	{name: "acknowledged never", ack: hec.AckOn, serve: indexesAfter(1 << 60)},
	{name: "acknowledged late", ack: hec.AckOn, serve: indexesAfter(30 * time.Second)},
	{name: "acknowledged never, not waited for", ack: hec.AckAuto, serve: indexesAfter(1 << 60)},
	{name: "acknowledged late, not waited for", ack: hec.AckAuto, serve: indexesAfter(30 * time.Second)},
	{name: "acknowledgements forgotten", ack: hec.AckOn, serve: func(e *endpoint, w http.ResponseWriter, req *http.Request, r request, n int) bool {
		if strings.HasSuffix(req.URL.Path, "/ack") && n%3 == 0 {
			e.mu.Lock()
			clear(e.acks) // a restart
			e.mu.Unlock()
		}
		e.doubt(r.ids)
		return false
	}},
}
