package hec_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/splunkhecexporter"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// TestConsoleTakesOpenTelemetry has its exporter send logs of each type of body, as events
// and raw, compressed or not.
func TestConsoleTakesOpenTelemetry(t *testing.T) {
	for _, raw := range []bool{false, true} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("raw %v, plain %v", raw, plain), func(t *testing.T) {
				con, list := newConsole(t, false)
				factory := splunkhecexporter.NewFactory()
				config := factory.CreateDefaultConfig().(*splunkhecexporter.Config)
				config.Endpoint, config.Token = con.HECURL()+"/services/collector", token
				config.HecHealthCheckEnabled, config.DisableCompression = true, plain
				config.Source, config.SourceType, config.Index = "otel", "otel:log", "main"
				if raw {
					config.ExportRaw, config.Endpoint = true, con.HECURL()+"/services/collector/raw"
				}
				if err := config.Validate(); err != nil {
					t.Fatal(err)
				}
				exporter, err := factory.CreateLogs(t.Context(), exportertest.NewNopSettings(factory.Type()), config)
				if err != nil {
					t.Fatal(err)
				}
				if err := exporter.Start(t.Context(), componenttest.NewNopHost()); err != nil {
					t.Fatal(err)
				}
				want := lines(2000)
				at := time.Date(2026, 11, 27, 10, 0, 0, 123_000_000, time.UTC)
				if err := exporter.ConsumeLogs(t.Context(), logsOf(want, at, raw)); err != nil {
					t.Fatal(err)
				}
				if err := exporter.Shutdown(t.Context()); err != nil {
					t.Fatal(err)
				}
				judgeExported(t, list(), want, at, raw)
			})
		}
	}
}

// structured are bodies that are no strings, as the console has them.
var structured = []string{`{"level":"info","n":7}`, `[1,"two",null]`, `7`, `1.5`, `true`}

func logsOf(texts []string, at time.Time, raw bool) plog.Logs {
	logs := plog.NewLogs()
	of := logs.ResourceLogs().AppendEmpty()
	of.Resource().Attributes().PutStr("host.name", "otel-host")
	records := of.ScopeLogs().AppendEmpty().LogRecords()
	add := func() plog.LogRecord {
		l := records.AppendEmpty()
		l.SetTimestamp(pcommon.NewTimestampFromTime(at))
		return l
	}
	for i, text := range texts {
		l := add()
		l.Body().SetStr(text)
		l.Attributes().PutInt("number", int64(i))
	}
	if raw {
		return logs
	}
	m := add().Body().SetEmptyMap()
	m.PutStr("level", "info")
	m.PutInt("n", 7)
	s := add().Body().SetEmptySlice()
	s.AppendEmpty().SetInt(1)
	s.AppendEmpty().SetStr("two")
	s.AppendEmpty()
	add().Body().SetInt(7)
	add().Body().SetDouble(1.5)
	add().Body().SetBool(true)
	return logs
}

func judgeExported(t *testing.T, list []kept, want []string, at time.Time, raw bool) {
	t.Helper()
	var got []string
	for _, k := range list {
		if strings.HasPrefix(k.event, `"`) {
			got = append(got, k.text())
		} else {
			got = append(got, k.event)
		}
		if raw {
			continue // what is around a line is not sent
		}
		if k.host != "otel-host" || k.source != "otel" || k.sourcetype != "otel:log" || k.index != "main" {
			t.Fatalf("an event of %+v", k)
		}
		if off := time.Unix(0, k.time).Sub(at).Abs(); off > time.Millisecond {
			t.Fatalf("an event of %v is kept at %v", at, time.Unix(0, k.time))
		}
		if strings.HasPrefix(k.text(), "line ") && !strings.Contains(k.fields.String, `"number"`) {
			t.Fatalf("%.80s has the fields %s", k.event, k.fields.String)
		}
	}
	if !raw {
		want = append(want, structured...)
	}
	sameTexts(t, got, want)
}
