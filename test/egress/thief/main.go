// Command thief is a function with a poisoned dependency: each event names rows of the
// corpus and the part that is to go, and it steals as they say. What AT_INIT lists is
// stolen before the first event, rows whose time is shutdown when it is told to end.
package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"gatehouse/test/egress/corpus"
)

// order is one event: a row, its number and a part of it, or, in words, an honest thing.
type order struct {
	Row     corpus.Row
	N, Part int
	Honest  string
}

func main() {
	t := &corpus.Thief{Port: os.Getenv("SINK_TLS"), Plain: os.Getenv("SINK_PLAIN"), Raw: os.Getenv("SINK_RAW"), Roots: x509.NewCertPool()}
	if u, err := url.Parse(os.Getenv("HTTPS_PROXY")); err == nil {
		t.Proxy = u.Host
	}
	if text, err := os.ReadFile(os.Getenv("SSL_CERT_FILE")); err == nil {
		t.Roots.AppendCertsFromPEM(text)
	}
	var first []order
	if err := json.Unmarshal([]byte(os.Getenv("AT_INIT")), &first); err != nil && os.Getenv("AT_INIT") != "" {
		os.Exit(4)
	}
	for i := range first {
		fmt.Println("init:", t.Steal(&first[i].Row, first[i].N, 0))
	}
	last := make(chan order, 64)
	go atEnd(t, last)
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
		said := "later"
		switch {
		case o.Honest != "":
			said = fmt.Sprint(behave(t, o.Honest))
		case o.Row.When == "after":
			time.AfterFunc(20*time.Millisecond, func() { _ = t.Steal(&o.Row, o.N, o.Part) })
		case o.Row.When == "shutdown":
			last <- o
		default:
			said = fmt.Sprint(t.Steal(&o.Row, o.N, o.Part))
		}
		answer, _ := json.Marshal(said)
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		if res, err = api.Post(base+id+"/response", "application/json", strings.NewReader(string(answer))); err != nil {
			os.Exit(3)
		}
		_ = res.Body.Close()
	}
}

// atEnd steals what is left to steal when the sandbox is about to go.
func atEnd(t *corpus.Thief, last chan order) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
	for len(last) > 0 {
		o := <-last
		fmt.Println("at the end:", t.Steal(&o.Row, o.N, o.Part))
	}
	os.Exit(0)
}

func behave(t *corpus.Thief, name string) error {
	for i := range corpus.HonestRows {
		if h := &corpus.HonestRows[i]; h.Name == name {
			return t.Behave(h)
		}
	}
	return fmt.Errorf("nobody does %q", name)
}
