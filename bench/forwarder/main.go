// Command forwarder is a plain extension that sends a function's lines to Splunk: it
// takes what the Telemetry API posts, wraps it, and posts it on, compressed, when an
// invocation is over or a megabyte is full. It masks nothing, keeps nothing over a
// failure that lasts, and counts nothing. It is the yardstick of `bench logs`.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const full = 1 << 20 // bytes of a request before compression

func main() {
	f := &forwarder{hec: os.Getenv("FORWARDER_HEC_URL") + "/services/collector/event", token: os.Getenv("FORWARDER_HEC_TOKEN"), done: make(chan struct{}, 1)}
	fmt.Fprintln(os.Stderr, "forwarder:", f.run("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")))
	os.Exit(1)
}

type forwarder struct {
	hec, token string
	done       chan struct{} // the runtime is done with an invocation

	mu    sync.Mutex
	lines bytes.Buffer
}

// run ends the process after SHUTDOWN, and with an error before.
func (f *forwarder) run(api string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(l, http.HandlerFunc(f.take)) }() // ends with the process
	id := ""
	ask := func(method, path, body string, answer any) error {
		r, err := http.NewRequest(method, api+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Lambda-Extension-Name", "forwarder")
		r.Header.Set("Lambda-Extension-Identifier", id)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(path + ": " + resp.Status)
		}
		if id == "" {
			id = resp.Header.Get("Lambda-Extension-Identifier")
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || answer == nil {
			return err
		}
		return json.Unmarshal(text, answer)
	}
	if err := ask("POST", "/2020-01-01/extension/register", `{"events":["INVOKE","SHUTDOWN"]}`, nil); err != nil {
		return err
	}
	subscription := fmt.Sprintf(`{"schemaVersion":"2022-12-13","types":["platform","function"],"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},`+
		`"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:%d/"}}`, l.Addr().(*net.TCPAddr).Port)
	if err := ask("PUT", "/2022-07-01/telemetry", subscription, nil); err != nil {
		return err
	}
	for {
		var event struct{ EventType string }
		if err := ask("GET", "/2020-01-01/extension/event/next", "", &event); err != nil {
			return err
		}
		if event.EventType == "INVOKE" {
			<-f.done
		}
		f.mu.Lock()
		f.flush()
		f.mu.Unlock()
		if event.EventType == "SHUTDOWN" {
			os.Exit(0)
		}
	}
}

// take takes one batch.
func (f *forwarder) take(_ http.ResponseWriter, r *http.Request) {
	var events []struct {
		Time   time.Time
		Type   string
		Record json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&events); err != nil {
		fmt.Fprintln(os.Stderr, "forwarder:", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		fmt.Fprintf(&f.lines, `{"time":"%d.%09d","host":"bench","source":"lambda","sourcetype":"lambda:%s","event":%s}`+"\n",
			e.Time.Unix(), e.Time.Nanosecond(), e.Type, e.Record)
		if f.lines.Len() >= full {
			f.flush()
		}
		if e.Type == "platform.runtimeDone" {
			f.done <- struct{}{}
		}
	}
}

// flush posts what there is, three times where it has to, and then drops it.
func (f *forwarder) flush() {
	if f.lines.Len() == 0 {
		return
	}
	defer f.lines.Reset()
	var body bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&body, gzip.BestSpeed) // a level that there is
	_, _ = zip.Write(f.lines.Bytes())                    // into memory
	_ = zip.Close()
	for range 3 {
		r, err := http.NewRequest(http.MethodPost, f.hec, bytes.NewReader(body.Bytes()))
		if err != nil {
			break
		}
		r.Header.Set("Authorization", "Splunk "+f.token)
		r.Header.Set("Content-Encoding", "gzip")
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // the connection is used again
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "forwarder: dropped", f.lines.Len(), "bytes")
}
