package console

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strings"
)

// What an event is said to be where its sender says nothing.
const (
	defaultType   = "httpevent"
	defaultSource = "http:gatehouse-console"
	defaultIndex  = "main"
)

// unsupported is what Splunk says to any encoding but gzip: HTML, not JSON.
const unsupported = "<!doctype html><title>415 Unsupported Media Type</title><h1>Unsupported Media Type</h1>\n"

// body returns the request's body, decompressed and bounded. It answers other
// encodings itself and returns nil.
func body(w http.ResponseWriter, r *http.Request) io.Reader {
	limited := http.MaxBytesReader(w, r.Body, maxBody)
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
		return limited
	case "gzip":
		return http.MaxBytesReader(w, &unzipper{r: limited}, maxBody)
	}
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(http.StatusUnsupportedMediaType)
	_, _ = io.WriteString(w, unsupported) // the client is gone: nobody to tell
	return nil
}

// unzipper reads gzip's header at the first Read, so that a broken one is
// reported like any other broken byte.
type unzipper struct {
	r  io.Reader
	gz *gzip.Reader
}

func (u *unzipper) Read(p []byte) (int, error) {
	if u.gz == nil {
		gz, err := gzip.NewReader(u.r)
		if err != nil {
			return 0, err
		}
		u.gz = gz
	}
	return u.gz.Read(p)
}

func (u *unzipper) Close() error { return nil }

// requestDefaults reads what a request says for all of its events.
func requestDefaults(r *http.Request) (envelope, error) {
	q := r.URL.Query()
	e := envelope{host: q.Get("host"), source: q.Get("source"), sourcetype: q.Get("sourcetype"), index: q.Get("index")}
	if e.host == "" {
		e.host, _, _ = net.SplitHostPort(r.RemoteAddr)
	}
	e.source = or(e.source, defaultSource)
	e.sourcetype = or(e.sourcetype, defaultType)
	e.index = or(e.index, defaultIndex)
	if t := q.Get("time"); t != "" {
		nanos, err := parseEpoch(t)
		if err != nil {
			return envelope{}, err
		}
		e.time = nanos
	}
	return e, nil
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
