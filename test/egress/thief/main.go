// Command thief is a function with a poisoned dependency: each event names rows of the
// corpus and the part that is to go, and it steals as they say.
//
//	thief [ROW …]   the rows whose time is init are stolen before the first event
package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"gatehouse/test/egress/corpus"
)

// order is one event: a row and a part of it, or, in words, an honest thing.
type order struct {
	Row, Part int
	Honest    string
}

func main() {
	t := &corpus.Thief{Port: os.Getenv("SINK_TLS"), Plain: os.Getenv("SINK_PLAIN"), Raw: os.Getenv("SINK_RAW"), Roots: x509.NewCertPool()}
	if u, err := url.Parse(os.Getenv("HTTPS_PROXY")); err == nil {
		t.Proxy = u.Host
	}
	if text, err := os.ReadFile(os.Getenv("SSL_CERT_FILE")); err == nil {
		t.Roots.AppendCertsFromPEM(text)
	}
	rows := corpus.Rows()
	for _, name := range strings.Fields(os.Getenv("AT_INIT")) {
		var n int
		_, _ = fmt.Sscan(name, &n)
		fmt.Println("init:", t.Steal(&rows[n], n, 0))
	}
	base := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	api := &http.Client{Transport: &http.Transport{}}
	for {
		res, err := api.Get(base + "next")
		if err != nil {
			os.Exit(1)
		}
		var o order
		if err := json.NewDecoder(res.Body).Decode(&o); err != nil {
			os.Exit(2)
		}
		_ = res.Body.Close()
		row := &rows[o.Row]
		said := "later"
		if o.Honest != "" {
			said = fmt.Sprint(behave(t, o.Honest))
		} else if row.When == "after" {
			time.AfterFunc(20*time.Millisecond, func() { _ = t.Steal(row, o.Row, o.Part) })
		} else {
			said = fmt.Sprint(t.Steal(row, o.Row, o.Part))
		}
		answer, _ := json.Marshal(said)
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		if res, err = api.Post(base+id+"/response", "application/json", strings.NewReader(string(answer))); err != nil {
			os.Exit(3)
		}
		_ = res.Body.Close()
	}
}

func behave(t *corpus.Thief, name string) error {
	for i := range corpus.HonestRows {
		if h := &corpus.HonestRows[i]; h.Name == name {
			return t.Behave(h)
		}
	}
	return fmt.Errorf("nobody does %q", name)
}
