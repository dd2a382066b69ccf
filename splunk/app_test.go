// Package splunk_test checks the Splunk app in gatehouse/ without Splunk: what
// Splunk's own inspection refuses, and what would fail in silence.
package splunk_test

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/record"
)

const appName = "gatehouse"

// kinds are all kinds of record: each has a source type.
var kinds = []record.Kind{record.Log, record.Platform, record.Invocation, record.Attack, record.Leak, record.Runtime,
	record.Connection, record.Health}

func appFiles() fs.FS { return os.DirFS(appName) }

func TestFiles(t *testing.T) {
	want := []string{
		"README.md", "default/app.conf", "default/data/ui/nav/default.xml", "default/data/ui/views/gatehouse_overview.xml",
		"default/eventtypes.conf", "default/macros.conf", "default/props.conf", "default/tags.conf", "metadata/default.meta",
	}
	allowed := regexp.MustCompile(`^(README\.md|metadata/default\.meta|default/[a-z]+\.conf|default/data/ui/(nav|views)/[a-z_]+\.xml)$`)
	forbidden := []string{"inputs.conf", "indexes.conf", "outputs.conf", "authentication.conf", "passwords.conf", "server.conf",
		"deploymentclient.conf", "commands.conf", "web.conf"}
	var got []string
	err := fs.WalkDir(appFiles(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		base := path.Base(name)
		if strings.HasPrefix(base, ".") || base == "local" || base == "bin" || slices.Contains(forbidden, base) {
			t.Errorf("%s may not be in an app", name)
		}
		if d.IsDir() {
			return nil
		}
		if !info.Mode().IsRegular() || info.Mode()&0o111 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		if !allowed.MatchString(name) {
			t.Errorf("%s is not a file that this app has", name)
		}
		got = append(got, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is missing", name)
		}
	}
}

// settings are the keys that each file may have, from Splunk's .conf.spec.
var settings = map[string][]string{
	"default/app.conf": {"is_configured", "state", "build", "is_visible", "label", "supported_themes", "author", "version",
		"description", "id", "check_for_updates", "name"},
	"default/props.conf": {"KV_MODE", "SHOULD_LINEMERGE", "LINE_BREAKER", "TRUNCATE", "TIME_PREFIX", "TIME_FORMAT",
		"MAX_TIMESTAMP_LOOKAHEAD", "TZ"},
	"default/eventtypes.conf": {"search", "description"},
	"default/tags.conf":       {"ids", "attack", "dlp", "incident", "network", "communicate", "web"},
	"default/macros.conf":     {"definition", "iseval", "args"},
	"metadata/default.meta":   {"access", "export"},
}

func TestSettingsAreKnown(t *testing.T) {
	for name, known := range settings {
		for stanza, values := range readConf(t, appFiles(), name) {
			if stanza == "default" {
				t.Errorf("%s: [default] would change other apps", name)
			}
			for key := range values {
				if !slices.Contains(known, key) {
					t.Errorf("%s: [%s] has unknown setting %s", name, stanza, key)
				}
			}
		}
	}
}

func TestApp(t *testing.T) {
	c := readConf(t, appFiles(), "default/app.conf")
	semver := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	if v := c["launcher"]["version"]; !semver.MatchString(v) || v != c["id"]["version"] {
		t.Errorf("versions are %q and %q", v, c["id"]["version"])
	}
	if c["package"]["id"] != appName || c["id"]["name"] != appName {
		t.Errorf("the app is called %q and %q, its folder %q", c["package"]["id"], c["id"]["name"], appName)
	}
	if c["package"]["check_for_updates"] != "false" || c["install"]["is_configured"] != "false" {
		t.Error("check_for_updates and is_configured must be false")
	}
	if n := len(c["launcher"]["description"]); n == 0 || n > 200 {
		t.Errorf("the description has %d characters", n)
	}
	meta := readConf(t, appFiles(), "metadata/default.meta")[""]
	_, write, _ := strings.Cut(meta["access"], "write")
	if meta["export"] != "system" || strings.Contains(write, "*") || !strings.Contains(write, "sc_admin") {
		t.Errorf("default.meta says %v", meta)
	}
}

func TestSourceTypes(t *testing.T) {
	c := readConf(t, appFiles(), "default/props.conf")
	want := map[string]string{"KV_MODE": "json", "SHOULD_LINEMERGE": "false", "TRUNCATE": "0", "LINE_BREAKER": `([\r\n]+)`, "TZ": "UTC"}
	for _, kind := range kinds {
		stanza := c["gatehouse:lambda:"+string(kind)]
		for key, value := range want {
			if stanza[key] != value {
				t.Errorf("%s: %s is %q, want %q", kind, key, stanza[key], value)
			}
		}
	}
	if len(c) != len(kinds) {
		t.Errorf("props.conf has %d stanzas for %d kinds", len(c), len(kinds))
	}
}

// TestDataModels holds each event type to the tags of one data model.
func TestDataModels(t *testing.T) {
	types := readConf(t, appFiles(), "default/eventtypes.conf")
	tags := readConf(t, appFiles(), "default/tags.conf")
	props := readConf(t, appFiles(), "default/props.conf")
	want := map[string]string{
		"gatehouse_attack": "attack ids", "gatehouse_runtime": "attack ids", "gatehouse_leak": "dlp incident",
		"gatehouse_connection": "communicate network", "gatehouse_web": "web",
	}
	if len(types) != len(want) || len(tags) != len(want) {
		t.Errorf("%d event types and %d sets of tags, want %d", len(types), len(tags), len(want))
	}
	sourcetype := regexp.MustCompile(`sourcetype="([^"]*)"`)
	for name, model := range want {
		got := tags["eventtype="+name]
		if s := strings.Join(slices.Sorted(maps.Keys(got)), " "); s != model {
			t.Errorf("%s has tags %q, want %q", name, s, model)
		}
		for tag, value := range got {
			if value != "enabled" {
				t.Errorf("%s: tag %s is %q", name, tag, value)
			}
		}
		m := sourcetype.FindStringSubmatch(types[name]["search"])
		if m == nil || props[m[1]] == nil {
			t.Errorf("%s searches %q", name, types[name]["search"])
		}
	}
}

func TestMacros(t *testing.T) {
	macros := readConf(t, appFiles(), "default/macros.conf")
	for name, m := range macros {
		checkSearch(t, "macro "+name, m["definition"], macros)
	}
	if macros["gatehouse_index"]["definition"] == "" {
		t.Error("there is no macro for the index")
	}
}

// sourcetypes are named by searches: each must exist.
var sourcetypes = regexp.MustCompile(`gatehouse:lambda:([a-z]+)`)

var macroUse = regexp.MustCompile("`([^`]*)`")

// checkSearch holds a search to macros and source types that exist.
func checkSearch(t *testing.T, where, search string, macros conf) {
	t.Helper()
	if strings.Count(search, "`")%2 != 0 || strings.Count(search, `"`)%2 != 0 ||
		strings.Count(search, "(") != strings.Count(search, ")") {
		t.Errorf("%s: quotes or brackets do not match in %s", where, search)
	}
	for _, m := range macroUse.FindAllStringSubmatch(search, -1) {
		if macros[m[1]] == nil {
			t.Errorf("%s uses macro %q", where, m[1])
		}
	}
	for _, m := range sourcetypes.FindAllStringSubmatch(search, -1) {
		if !slices.Contains(kinds, record.Kind(m[1])) {
			t.Errorf("%s searches source type %q", where, m[0])
		}
	}
}
