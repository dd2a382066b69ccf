package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// slowAnswer is how long the slow HEC takes.
const slowAnswer = 5 * time.Second

// wrongs are the ways in which an HEC may not work; the first is none.
var wrongs = []struct {
	name   string
	answer http.HandlerFunc // nil: nobody listens
}{
	{"healthy", reply(http.StatusOK, `{"text":"Success","code":0}`)},
	{"refused", nil},
	{"reset", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 100)) // in mid-body
		panic(http.ErrAbortHandler)
	}},
	{"slow", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(slowAnswer):
			fmt.Fprint(w, `{"text":"Success","code":0}`)
		case <-r.Context().Done():
		}
	}},
	{"silent", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}},
	{"401", reply(http.StatusUnauthorized, `{"text":"Token is required","code":2}`)},
	{"503", reply(http.StatusServiceUnavailable, `{"text":"Server is busy","code":9}`)},
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// faults measures what a caller waits for while Splunk does not work, beside one whose
// Splunk does: from the call to the function's answer, with what he waits until the
// extension is done with the call before.
func faults(p programs, n int) (*Report, error) {
	if n <= 0 {
		n = 500
	}
	var lanes []*lane
	defer func() {
		for _, l := range lanes {
			l.close()
		}
	}()
	for _, wrong := range wrongs {
		l, stop, err := wrongLane(p, wrong.name, wrong.answer)
		if l != nil {
			lanes = append(lanes, l)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", wrong.name, err)
		}
		defer stop()
	}
	if err := send(lanes, event(1<<10), n); err != nil {
		return nil, err
	}
	report := &Report{Bench: "faults"}
	report.wrongs(lanes)
	return report, nil
}

// wrongs adds the rows, and the goals of what is not the first lane.
func (r *Report) wrongs(lanes []*lane) {
	var fine float64
	for i, l := range lanes {
		row := r.Add(l.name, "call", "1 KB", "ms", l.took)
		if i == 0 {
			fine = row.P50
			continue
		}
		r.Judge("p50 ms of "+l.name, row.P50, max(1.1*fine, fine+0.2))
		r.Judge("latest ms of "+l.name, row.Max, ms(timeout))
	}
}

// wrongLane goes through an extension that sends to an HEC with that answer, with every
// invocation.
func wrongLane(p programs, name string, answer http.HandlerFunc) (*lane, func(), error) {
	hec, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("listening: %w", err)
	}
	s := &http.Server{Handler: answer}
	if answer == nil {
		_ = hec.Close() // so that it is refused
	} else {
		go func() { _ = s.Serve(hec) }() // ends with stop
	}
	stop := func() { _ = s.Close() }
	api, err := NewLambda()
	if err != nil {
		return nil, nil, fmt.Errorf("lambda: %w", err)
	}
	l := &lane{name: name, api: api, extension: true, whole: true}
	addrs, err := free(3)
	if err != nil {
		return l, stop, err
	}
	l.url = "http://" + addrs[0]
	l.proc, err = launch(nil, p.extension, append(sandboxEnv(api.addr),
		"GATEHOUSE_HEC_URL=http://"+hec.Addr().String(), "GATEHOUSE_HEC_TOKEN=00000000-0000-0000-0000-000000000000",
		"GATEHOUSE_FLUSH=end", "GATEHOUSE_RUNTIME_API_ADDR="+addrs[0], "GATEHOUSE_EGRESS_ADDR="+addrs[1], "GATEHOUSE_TELEMETRY_ADDR="+addrs[2]))
	return l, stop, err
}
