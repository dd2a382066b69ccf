package splunk_test

import (
	"bufio"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// conf is a Splunk configuration file: settings per stanza.
type conf map[string]map[string]string

// readConf reads a file below gatehouse/. What Splunk merges in silence, a stanza
// or a setting that comes twice, is an error here.
func readConf(t *testing.T, app fs.FS, name string) conf {
	t.Helper()
	f, err := app.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	c := conf{}
	var stanza map[string]string
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		fault := func(format string, args ...any) {
			t.Errorf("%s:%d: %s", name, n, fmt.Sprintf(format, args...))
		}
		line := lines.Text()
		key, value, isSetting := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case strings.HasSuffix(strings.TrimRight(line, " \t"), `\`):
			fault("continued lines are not used here")
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			title := line[1 : len(line)-1]
			if _, twice := c[title]; twice {
				fault("stanza [%s] comes twice", title)
			}
			stanza = map[string]string{}
			c[title] = stanza
		case !isSetting || key == "":
			fault("neither stanza nor setting: %q", line)
		case stanza == nil:
			fault("setting %s is outside a stanza", key)
		default:
			if _, twice := stanza[key]; twice {
				fault("setting %s comes twice", key)
			}
			stanza[key] = value
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}
