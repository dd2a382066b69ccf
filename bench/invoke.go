package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// sizes are the events' sizes, and how often each is sent down every lane.
var sizes = []struct {
	name  string
	bytes int
	n     int
}{
	{"1 KB", 1 << 10, 300},
	{"64 KB", 64 << 10, 300},
	{"1 MB", 1 << 20, 300},
	{"6 MB", 6 << 20, 30},
}

// lane is one way from Lambda to the function.
type lane struct {
	name      string
	api       *Lambda
	proc      *process // nil: there is nothing in between
	extension bool     // proc is an extension, to be told of invocations
	whole     bool     // what is measured begins before the extension is done with the last one
	url       string   // the Runtime API as the function sees it
	client    http.Client
	body      bytes.Buffer // what the function received
	took      []float64    // ms
}

// invoke measures what stands between Lambda and the function adds to an
// invocation: from the moment at which Lambda hands out the event to the moment at
// which the function's answer was taken, less the time that the function has.
func invoke(p programs, n int) (*Report, error) {
	report := &Report{Bench: "invoke"}
	for _, size := range sizes {
		if n > 0 {
			size.n = n
		}
		lanes, err := openLanes(p)
		if err == nil {
			err = send(lanes, event(size.bytes), size.n)
		}
		for _, l := range lanes {
			l.close()
		}
		if err != nil {
			return nil, fmt.Errorf("events of %s: %w", size.name, err)
		}
		report.lanes(size.name, size.bytes, lanes)
	}
	return report, nil
}

// openLanes sets all lanes up: straight, through the standard library's proxy,
// through our relay without and with inspection, and through the whole extension,
// which hears of each invocation and records it, too.
func openLanes(p programs) (lanes []*lane, err error) {
	for _, name := range []string{"direct", "reverseproxy", "relay", "inspecting", "extension"} {
		api, err := NewLambda()
		if err != nil {
			return lanes, err
		}
		l := &lane{name: name, api: api, url: "http://" + api.addr}
		lanes = append(lanes, l)
		switch name {
		case "reverseproxy":
			err = l.through(p.reverseproxy)
		case "relay":
			err = l.through(p.relay)
		case "inspecting":
			err = l.through(p.relay, "inspect")
		case "extension":
			err = l.throughExtension(p)
		}
		if err != nil {
			return lanes, fmt.Errorf("%s: %w", name, err)
		}
	}
	return lanes, nil
}

// through puts a program in between that takes where to listen and where to go.
func (l *lane) through(program string, args ...string) error {
	addrs, err := free(1)
	if err != nil {
		return err
	}
	l.url = "http://" + addrs[0]
	l.proc, err = launch(nil, program, sandboxEnv(l.api.addr), append([]string{addrs[0], l.api.addr}, args...)...)
	return err
}

// throughExtension puts the extension in between, with the layer's policy and
// without Splunk, so that its records go to a file.
func (l *lane) throughExtension(p programs) error {
	addrs, err := free(3)
	if err != nil {
		return err
	}
	l.url, l.extension = "http://"+addrs[0], true
	l.proc, err = launch(nil, p.extension, append(sandboxEnv(l.api.addr), "GATEHOUSE_POLICY="+p.policy,
		"GATEHOUSE_RUNTIME_API_ADDR="+addrs[0], "GATEHOUSE_EGRESS_ADDR="+addrs[1], "GATEHOUSE_TELEMETRY_ADDR="+addrs[2]))
	return err
}

func (l *lane) close() {
	if l.proc != nil {
		l.proc.end()
	}
	l.client.CloseIdleConnections()
	l.api.Close()
}

// send sends the event n times down each lane, in turns, after three times that
// do not count.
func send(lanes []*lane, body []byte, n int) error {
	const warm = 3
	for i := range n + warm {
		for _, l := range lanes {
			took, err := l.once(Event{ID: requestID(i), Body: body})
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, l.because(err))
			}
			if i >= warm {
				l.took = append(l.took, ms(took))
			}
		}
	}
	return nil
}

// once runs one invocation. The function's own time, between event and answer, is
// next to nothing.
func (l *lane) once(e Event) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	answered := make(chan error, 1)
	began := time.Now()
	var end time.Time
	go func() { // ends with its one answer
		err := l.function(ctx, e)
		end = time.Now()
		answered <- err
	}()
	if _, err := l.api.await(ctx, l.api.Waiting, "the function"); err != nil {
		return 0, err
	}
	if l.extension {
		if _, err := l.api.await(ctx, l.api.Ready, "the extension"); err != nil {
			return 0, err
		}
	}
	if !l.whole {
		began = time.Now()
	}
	l.api.Invoke(e, l.extension)
	if err := <-answered; err != nil {
		return 0, err
	}
	return end.Sub(began), nil
}

// function is a runtime's client: it asks for an event, and answers.
func (l *lane) function(ctx context.Context, want Event) error {
	const invocation = "/2018-06-01/runtime/invocation/"
	next, err := l.ask(ctx, http.MethodGet, invocation+"next", nil)
	if err != nil {
		return fmt.Errorf("asking for an event: %w", err)
	}
	l.body.Reset()
	_, err = l.body.ReadFrom(next.Body)
	next.Body.Close()
	if err != nil {
		return fmt.Errorf("reading the event: %w", err)
	}
	id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
	if id != want.ID || !bytes.Equal(l.body.Bytes(), want.Body) {
		return fmt.Errorf("the event of %q is not that of %q: %d bytes, want %d", id, want.ID, l.body.Len(), len(want.Body))
	}
	response, err := l.ask(ctx, http.MethodPost, invocation+id+"/response", []byte(`{"ok":true}`))
	if err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("answering: %s", response.Status)
	}
	return err
}

// ask sends a request, again for as long as a program that was just started does
// not listen yet.
func (l *lane) ask(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	for {
		request, err := http.NewRequestWithContext(ctx, method, l.url+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		response, err := l.client.Do(request)
		if err == nil || len(l.took) > 0 || ctx.Err() != nil {
			return response, err
		}
		time.Sleep(time.Millisecond)
	}
}

// because adds what the program in between printed.
func (l *lane) because(err error) error {
	if l.proc == nil {
		return err
	}
	return errors.Join(err, fmt.Errorf("it printed %q", l.proc.output()))
}

// lanes adds the rows and goals of one size. The first lane is the one without
// anything in between.
func (r *Report) lanes(size string, bytes int, lanes []*lane) {
	added := map[string]float64{}
	var direct float64
	for _, l := range lanes {
		row := r.Add(l.name, "invocation", size, "ms", l.took)
		if l.proc == nil {
			direct = row.P50
		}
		added[l.name] = row.P50 - direct
	}
	for _, name := range []string{"reverseproxy", "relay", "inspecting", "extension"} {
		r.Add(name, "added (p50)", size, "ms", []float64{added[name]})
	}
	inspection := (added["inspecting"] - added["relay"]) * 1000
	r.Add("inspecting", "inspection (p50)", size, "µs", []float64{inspection})
	r.Judge("relay_ratio at "+size, added["relay"]/added["reverseproxy"], 1.0)
	r.Judge("inspection µs at "+size, inspection, 10+0.006*float64(bytes))
}

func requestID(i int) string {
	return "8476a536-e9f4-11e8-9739-" + strconv.FormatInt(1<<40+int64(i), 16) + "0"
}
