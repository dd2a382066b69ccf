package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	// storm is how many connections ask to go out at the same moment.
	storm = 2000
	// wantTunnels are as many of them as may be open at a time: each takes two of
	// the 1,024 descriptors that the sandbox has.
	wantTunnels  = 256
	wantStorm    = 64 << 10 // kB resident then
	wantLeftover = 4 << 10  // kB resident more than before a long run
	longRun      = 100_000  // connections
)

// storm has 2,000 clients ask for a tunnel at once, with the descriptors that a
// sandbox has, and holds the tunnels that were granted until all were answered.
func (r *Report) storm(e *egressPrograms) error {
	t := &through{name: "ours", end: func() {}}
	defer t.close()
	few := *e
	few.extension = e.limited
	if err := t.open(&few, extension("false")); err != nil {
		return err
	}
	granted, refused, other := ask(t.call.proxy, t.call.target)
	r.Add("ours", fmt.Sprintf("of %d at once: tunnels", storm), "tunnel", "", []float64{float64(granted)})
	r.Add("ours", fmt.Sprintf("of %d at once: 503", storm), "tunnel", "", []float64{float64(refused)})
	r.Judge("of 2,000 CONNECTs at once: tunnels", float64(granted), wantTunnels)
	r.JudgeLeast("of 2,000 CONNECTs at once: answered, 200 or 503 with a reason", float64(granted+refused), storm)
	r.Judge("of 2,000 CONNECTs at once: neither", float64(len(other)), 0)
	if len(other) > 0 {
		r.Skipped = append(r.Skipped, "storm: "+other[0].Error())
	}
	r.Judge("kB resident then", t.proc.peak(), wantStorm)
	return t.because(t.works())
}

// ask asks for all tunnels, and counts how they were answered.
func ask(proxy, target string) (granted, refused int, other []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	held := make(chan struct{})
	answered := make(chan struct{}, storm)
	for range storm {
		all.Go(func() {
			status, conn, err := askOne(proxy, target)
			mu.Lock()
			switch {
			case status == http.StatusOK:
				granted++
			case status == http.StatusServiceUnavailable:
				refused++
			case err != nil:
				other = append(other, err)
			}
			mu.Unlock()
			answered <- struct{}{}
			<-held
			if conn != nil {
				conn.Close()
			}
		})
	}
	for range storm {
		<-answered
	}
	close(held)
	all.Wait()
	return granted, refused, other
}

func askOne(proxy, target string) (status int, conn net.Conn, err error) {
	if conn, err = net.DialTimeout("tcp", proxy, 20*time.Second); err != nil {
		return 0, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target); err != nil {
		return 0, conn, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return 0, conn, err
	}
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("X-Gatehouse-Incident") == "":
		err = errors.New("503 without an incident")
		return 0, conn, err
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable:
		err = errors.New(resp.Status)
	}
	return resp.StatusCode, conn, err
}

// long opens 100,000 connections, and looks whether everything comes back.
func (r *Report) long(e *egressPrograms) error {
	t := &through{name: "ours", end: func() {}}
	defer t.close()
	if err := t.open(e, extension("false")); err != nil {
		return err
	}
	if err := t.many(5000); err != nil { // pools and caches fill
		return err
	}
	before, files := resident(t.proc), descriptors(t.proc)
	if err := t.many(longRun); err != nil {
		return err
	}
	r.Judge("after 100,000 connections: kB resident more", resident(t.proc)-before, wantLeftover)
	r.Judge("after 100,000 connections: descriptors more", float64(settled(t.proc, files)-files), 0)
	return nil
}

// many opens n connections, one after the other by each client, in invocations of 5,000.
func (t *through) many(n int) error {
	for ; n > 0; n -= 5000 {
		if err := t.some(min(n, 5000)); err != nil {
			return err
		}
		if err := t.answered(); err != nil {
			return t.because(err)
		}
	}
	return nil
}

// some opens n connections in one invocation.
func (t *through) some(n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range n / clients {
				conn, err := t.call.dial(ctx)
				if err == nil {
					err = get(conn, t.call.target)
					conn.Close()
				}
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
			}
		})
	}
	all.Wait()
	return t.because(failed)
}

// settled waits until p has no more than want descriptors open, for a while.
func settled(p *process, want int) (n int) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if n = descriptors(p); n <= want {
			break
		}
	}
	return n
}

func descriptors(p *process) int {
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "fd"))
	if err != nil {
		return 0 // no /proc, or gone
	}
	return len(entries)
}

// resident is what p has resident now, in kB.
func resident(p *process) float64 { return p.status("VmRSS:") }
