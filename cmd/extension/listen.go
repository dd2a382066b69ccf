package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"gatehouse/internal/proxy"
	"gatehouse/internal/telemetry/receiver"
)

// bind takes the listeners and tells the wrapper. All of it happens before
// register, so before any of the function's code. What fails is noted: the
// function then runs without it.
func (x *extension) bind() {
	folder, err := openRunFolder(x.cfg.RunDir)
	x.folder = folder
	egressErr := x.listenEgress()
	if x.cfg.Off {
		x.degradeBy("egress", egressErr)
		return
	}
	relayErr := x.serve(x.cfg.RuntimeAPIAddr, x.relay.Server())
	x.degradeBy("telemetry", x.listenTelemetry())
	x.bound = errors.Join(err, egressErr, relayErr)
	if x.bound == nil {
		x.bound = x.tellWrapper() // of nothing that is not there
	}
	x.degradeBy("start", x.bound)
}

func (x *extension) listenEgress() error {
	l, err := net.Listen(network(x.cfg.EgressAddr), x.cfg.EgressAddr)
	if err != nil {
		return fmt.Errorf("egress: %w", err)
	}
	go x.serveEgress(l) // owned by the process: it ends with it
	return nil
}

func (x *extension) serveEgress(l net.Listener) {
	if err := x.egress.Serve(l); err != nil {
		x.degradeBy("egress", err)
	}
}

// serve binds addr and serves it until the process ends.
func (x *extension) serve(addr string, s *http.Server) error {
	l, err := net.Listen(network(addr), addr)
	if err != nil {
		return err
	}
	go func() { _ = s.Serve(l) }() // owned by the process: it ends with it
	return nil
}

// network is tcp4 for an IPv4 address: the plain tcp first finds out by trial
// which families the system has.
func network(addr string) string {
	if a, err := netip.ParseAddrPort(addr); err == nil && a.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// listenTelemetry binds where Lambda's telemetry arrives: on the address that
// sandbox.localdomain stands for, which is in /etc/hosts where it exists.
func (x *extension) listenTelemetry() error {
	if len(x.cfg.Telemetry) == 0 {
		return nil
	}
	addr := x.cfg.TelemetryAddr
	x.receiver = receiver.Receiver{
		Add: x.line, Room: x.pipeline.Room, Done: x.runtimeDone, Current: x.current, Concurrent: x.cfg.Managed,
		Platform: func(typ string, _ json.RawMessage) {
			switch typ {
			case "platform.start":
				x.running.Store(true)
			case "platform.restoreStart": // where the relay does not see it
				x.restored()
			}
		},
	}
	// It logs nothing: its own lines would come back to it.
	quiet := log.New(io.Discard, "", 0)
	if err := x.serve(addr, &http.Server{Handler: http.HandlerFunc(x.takeTelemetry), ErrorLog: quiet}); err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(addr)
	x.telemetryPort, _ = strconv.Atoi(port) // checked with the configuration
	return nil
}

// takeTelemetry counts the batches that are being taken in, which the end waits for.
func (x *extension) takeTelemetry(w http.ResponseWriter, r *http.Request) {
	x.taking.Add(1)
	defer x.taking.Add(-1)
	x.receiver.ServeHTTP(w, r)
}

// runtimeDone is what Lambda's telemetry says of the end of an invocation. The
// function can say it too, so it is believed only in Lambda's own words.
func (x *extension) runtimeDone(requestID, status string) {
	switch status {
	case "success", "error", "timeout":
	case "failure":
		status = "error"
	default:
		return
	}
	x.sandbox.Update(requestID, func(inv *proxy.Invocation) {
		if inv.Status == "" {
			inv.Status = status
		}
	})
	x.endings.end(requestID)
}

// gone ends an invocation whose runtime holds no connection any more, where
// nothing better tells: some runtimes make a new one for each request.
func (x *extension) gone(requestID string) {
	if !x.telemetry.Load() {
		x.endings.end(requestID)
	}
}

// current is whose a log line is that does not say so itself.
func (x *extension) current() string {
	if open, _ := x.sandbox.At(); len(open) == 1 {
		return open[0].RequestID
	}
	return ""
}

// sandboxHost reads /etc/hosts and no more: a look-up could go to a DNS server,
// and this is before register.
func sandboxHost() string {
	text, _ := os.ReadFile("/etc/hosts") // absent: loopback
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		for _, name := range fields[min(1, len(fields)):] {
			if ip, err := netip.ParseAddr(fields[0]); err == nil && (name == "sandbox.localdomain" || name == "sandbox") {
				return ip.String()
			}
		}
	}
	return "127.0.0.1"
}
