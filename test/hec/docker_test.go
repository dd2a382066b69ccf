package hec_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/docker/docker/daemon/logger"
	"github.com/docker/docker/daemon/logger/splunk"
)

// TestConsoleTakesDocker has Docker's log driver send a container's lines in each of its
// formats, compressed or not, with acknowledgements, which it asks for by a channel, or
// without.
func TestConsoleTakesDocker(t *testing.T) {
	t.Setenv("SPLUNK_LOGGING_DRIVER_POST_MESSAGES_BATCH_SIZE", "100")
	for _, format := range []string{"inline", "json", "raw"} {
		for _, zip := range []string{"false", "true"} {
			for _, ack := range []string{"false", "true"} {
				t.Run(fmt.Sprintf("%s, gzip %s, acknowledgements %s", format, zip, ack), func(t *testing.T) {
					con, list := newConsole(t, ack == "true")
					driver, err := splunk.New(logger.Info{
						ContainerID: "0123456789abcdef0123456789abcdef", ContainerName: "/orders", ContainerImageName: "orders:1",
						Config: map[string]string{
							"splunk-url": con.HECURL(), "splunk-token": token, "splunk-format": format, "splunk-gzip": zip,
							"splunk-index-acknowledgment": ack, "splunk-source": "docker", "splunk-sourcetype": "docker:log", "splunk-index": "main",
						},
					})
					if err != nil {
						t.Fatal(err)
					}
					want := append(lines(450), `{"level":"info","n":7}`)
					at := time.Date(2026, 11, 27, 10, 0, 0, 123_000_000, time.UTC)
					for _, text := range want {
						m := logger.NewMessage()
						m.Line, m.Source, m.Timestamp = append(m.Line, text...), "stdout", at
						if err := driver.Log(m); err != nil {
							t.Fatal(err)
						}
					}
					if err := driver.Close(); err != nil {
						t.Fatal(err)
					}
					var got []string
					for _, k := range list() {
						got = append(got, dockersLine(t, k, format))
						if k.source != "docker" || k.sourcetype != "docker:log" || k.index != "main" || time.Unix(0, k.time).Sub(at).Abs() > time.Millisecond {
							t.Fatalf("an event of %+v", k)
						}
					}
					sameTexts(t, got, want)
				})
			}
		}
	}
}

// dockersLine is the line that a message of Docker's driver holds.
func dockersLine(t *testing.T, k kept, format string) string {
	t.Helper()
	const tag = "0123456789ab"
	if format == "raw" {
		text := k.text()
		if len(text) < len(tag)+1 || text[:len(tag)] != tag {
			t.Fatalf("no tag in %q", text)
		}
		return text[len(tag)+1:]
	}
	var event struct {
		Line        json.RawMessage
		Source, Tag string
	}
	if err := json.Unmarshal([]byte(k.event), &event); err != nil || event.Source != "stdout" || event.Tag != tag {
		t.Fatalf("an event %s: %v", k.event, err)
	}
	var line string
	if json.Unmarshal(event.Line, &line) != nil {
		line = string(event.Line)
	}
	return line
}
