package emulator

import (
	"io"
	"net"
	"net/http"
	"strconv"
)

// maxSubscription bounds a subscription's body, in bytes.
const maxSubscription = 64 * 1024

// handleTelemetry subscribes an extension to the sandbox's events.
func (s *sandbox) handleTelemetry(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Telemetry202 {
		refuse(w, http.StatusAccepted, "Telemetry.NotSupported", "Telemetry API is not supported")
		return
	}
	e := s.identify(w, r)
	if e == nil {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxSubscription))
	if err != nil {
		refuse(w, http.StatusBadRequest, "ValidationError", err.Error())
		return
	}
	sub, err := s.newSubscriber(e.name, body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "ValidationError", err.Error())
		return
	}
	sub.start()
	if !s.hub.subscribe(sub) {
		sub.stop()
		refuse(w, http.StatusForbidden, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed already")
		return
	}
	s.journal.platform("telemetrySubscription", subscriptionRecord{Name: e.name, State: "Subscribed", Types: sub.types})
	reply(w, http.StatusOK, "OK")
}

func (s *sandbox) newSubscriber(name string, body []byte) (*subscriber, error) {
	wanted, err := parseSubscription(body, s.cfg.managed())
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(s.apiAddr) // our own listener's address
	apiPort, _ := strconv.Atoi(port)
	send, release, err := wanted.Destination.sender(apiPort)
	if err != nil {
		return nil, err
	}
	return &subscriber{
		name: name, types: wanted.Types, schema: wanted.SchemaVersion, logFormat: s.cfg.LogFormat,
		buffering: *wanted.Buffering, send: send, release: release, gate: s.gate,
	}, nil
}

// handleLogs answers for the Logs API, which the Telemetry API superseded, as
// AWS's own emulator does.
func (s *sandbox) handleLogs(w http.ResponseWriter, _ *http.Request) {
	refuse(w, http.StatusAccepted, "Logs.NotSupported", "Logs API is not supported")
}
