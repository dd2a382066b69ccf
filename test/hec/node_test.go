package hec_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestConsoleTakesNode has Splunk's own library for Node, splunk-logging, send one by one
// and in batches.
func TestConsoleTakesNode(t *testing.T) {
	dir := os.Getenv("GATEHOUSE_NODE_RIC") // scripts/test installs it
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no GATEHOUSE_NODE_RIC: scripts/test sets it")
		}
		t.Skip("splunk-logging is not installed: scripts/test does")
	}
	for _, batch := range []string{"1", "50"} {
		t.Run("batches of "+batch, func(t *testing.T) {
			con, list := newConsole(t, false)
			want := lines(120)
			input, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "node_modules", ".bin", "node"), "testdata/send.cjs", con.HECURL(), token, batch)
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
			cmd.Stdin = strings.NewReader(string(input))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var got []string
			for _, k := range list() {
				var event struct{ Message, Severity string }
				if err := json.Unmarshal([]byte(k.event), &event); err != nil || event.Severity != "warn" {
					t.Fatalf("an event %s: %v", k.event, err)
				}
				got = append(got, event.Message)
				if k.source != "node" || k.sourcetype != "node:log" || k.index != "main" || k.host != "node-host" || k.time != 1795773600123*int64(time.Millisecond) {
					t.Fatalf("an event of %+v", k)
				}
			}
			sameTexts(t, got, want)
		})
	}
}
