// Package hec_test has our client and our console talk to HTTP Event Collectors and to
// senders that others wrote.
package hec_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/ackextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/splunkhecreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"gatehouse/internal/record"
)

// openTelemetry is OpenTelemetry's collector with acknowledgements, behind whatever a test
// puts in front of it.
type openTelemetry struct {
	url  string
	sink consumertest.LogsSink

	mu       sync.Mutex
	requests map[string]int // by path
}

// host is what a collector's parts live in.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// front is what stands before the collector, which is to. n counts the requests of a path,
// from 1. It reports whether the request was answered.
type front func(w http.ResponseWriter, r *http.Request, n int, to http.Handler) bool

func newOpenTelemetry(t *testing.T, f front) *openTelemetry {
	t.Helper()
	o := &openTelemetry{requests: make(map[string]int)}
	ack := ackextension.NewFactory()
	id := component.NewID(ack.Type())
	acks, err := ack.Create(t.Context(), extensiontest.NewNopSettings(ack.Type()), ack.CreateDefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	factory := splunkhecreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*splunkhecreceiver.Config)
	config.NetAddr.Endpoint = freePort(t)
	config.Extension = &id
	receiver, err := factory.CreateLogs(t.Context(), receivertest.NewNopSettings(factory.Type()), config, &o.sink)
	if err != nil {
		t.Fatal(err)
	}
	h := host{id: acks}
	for _, c := range []component.Component{acks, receiver} {
		if err := c.Start(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Shutdown(context.Background()) })
	}
	to := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: config.NetAddr.Endpoint})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f(w, r, o.count(r.URL.Path), to) {
			to.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	o.url = s.URL
	return o
}

func (o *openTelemetry) count(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests[path]++
	return o.requests[path]
}

// stored is one record as the collector has it.
type stored struct {
	record.Record
	sourcetype, source, host string
	at                       time.Time
}

// records are what the collector has, in the order in which it came.
func (o *openTelemetry) records(t *testing.T) (list []stored) {
	t.Helper()
	for _, logs := range o.sink.AllLogs() {
		for _, of := range logs.ResourceLogs().All() {
			attributes := of.Resource().Attributes().AsRaw()
			text := func(name string) string { s, _ := attributes[name].(string); return s }
			for _, scope := range of.ScopeLogs().All() {
				for _, l := range scope.LogRecords().All() {
					s := stored{sourcetype: text("com.splunk.sourcetype"), source: text("com.splunk.source"), host: text("host.name"), at: l.Timestamp().AsTime()}
					if err := json.Unmarshal(body(t, l), &s.Record); err != nil {
						t.Fatalf("what the collector has is no record: %v", err)
					}
					list = append(list, s)
				}
			}
		}
	}
	return list
}

func body(t *testing.T, l plog.LogRecord) []byte {
	t.Helper()
	b, err := json.Marshal(l.Body().AsRaw())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
