package main

import (
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/record"
)

// stored are records as they are kept: two connections and an attack, of one function.
func stored(t *testing.T) []string {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	yes := true
	var lines []string
	for _, r := range []record.Record{
		{Kind: record.Connection, ID: "1", Time: at, FunctionName: "orders", FunctionVersion: "41", Phase: "invoke", Dest: "api.example", DestPort: 443, Decrypted: &yes, WouldAction: "allowed",
			Requests: []record.Hop{{Method: "GET", URL: "https://api.example/v1/rates"}}},
		{Kind: record.Connection, ID: "2", Time: at, FunctionName: "orders", FunctionVersion: "42", Phase: "invoke", Dest: "models.example", DestPort: 443, Decrypted: &yes, WouldAction: "allowed",
			Requests: []record.Hop{{Method: "POST", URL: "https://models.example/v1/chat"}}},
		{Kind: record.Attack, ID: "3", Time: at, FunctionName: "orders", FunctionVersion: "42", Phase: "invoke", EventSource: "sns", SignatureID: "sqli.union", Path: "q", WouldAction: "blocked",
			Event: json.RawMessage(`{"q":"1' UNION SELECT password FROM users -- "}`)},
	} {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(text))
	}
	return lines
}

// kept writes records in every form that they are kept in.
func kept(t *testing.T, lines []string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{}
	put := func(name, text string) {
		files[name] = filepath.Join(dir, name)
		if err := os.WriteFile(files[name], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var hec, splunk strings.Builder
	var table strings.Builder
	w := csv.NewWriter(&table)
	_ = w.Write([]string{"_time", "_raw", "host"})
	for _, l := range lines {
		fmt.Fprintf(&hec, `{"time":"1.0","host":"orders","event":%s}`, l)
		raw, _ := json.Marshal(l)
		fmt.Fprintf(&splunk, "{\"preview\":false,\"result\":{\"_raw\":%s}}\n", raw)
		_ = w.Write([]string{"1", l, "orders"})
	}
	w.Flush()
	put("lines.jsonl", strings.Join(lines, "\n")+"\n{\"not\":\"ours\"}\n")
	put("array.json", "["+strings.Join(lines, ",")+"]")
	put("hec.json", hec.String())
	put("splunk.json", splunk.String())
	put("splunk.csv", table.String())
	files["console.db"] = filepath.Join(dir, "console.db")
	db, err := sql.Open("sqlite", files["console.db"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(`CREATE TABLE bodies (seq INTEGER PRIMARY KEY, event BLOB NOT NULL, fields BLOB)`); err != nil {
		t.Fatal(err)
	}
	for i, l := range lines {
		if _, err := db.Exec(`INSERT INTO bodies VALUES (?, ?, NULL)`, i, []byte(l)); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// The way from records to a policy, whatever the records are kept in.
func TestPolicyFromRecords(t *testing.T) {
	for name, file := range kept(t, stored(t)) {
		learned := filepath.Join(t.TempDir(), "policy.yaml")
		if got := runPolicy(t, "learn", "--lock", "--out", learned, file); got.exit != 0 {
			t.Fatalf("%s: learn: %+v", name, got)
		}
		text, err := os.ReadFile(learned)
		if err != nil || !strings.Contains(string(text), `allow: "api.example"`) || !strings.Contains(string(text), `"/v1/*"`) {
			t.Errorf("%s: learned %s, %v", name, text, err)
		}
		if got := runPolicy(t, "check", "--strict", learned); got.exit != 0 || got.stdout != "" {
			t.Errorf("%s: check: %+v", name, got)
		}
		if got := runPolicy(t, "replay", "--policy", learned, file); got.exit != 0 || !strings.Contains(got.stdout, "would refuse      1") {
			t.Errorf("%s: replay: %+v", name, got)
		}
		if got := runPolicy(t, "diff", "--records", file, "41", "42"); got.exit != 1 || !strings.Contains(got.stdout, "+ new host since the last deploy: models.example (ports 443, phases invoke, POST;") {
			t.Errorf("%s: diff: %+v", name, got)
		}
	}
}

// A policy that is stricter than what was recorded says what it would have refused.
func TestReplayShowsWhatPassed(t *testing.T) {
	file := kept(t, stored(t))["lines.jsonl"]
	strict := filepath.Join(t.TempDir(), "strict.yaml")
	text := "version: 1\negress: {default: deny, inspect: {tls: true}, rules: [{allow: api.example, paths: /v1/*}]}\nevents: {exceptions: [{rule: sqli.union, path: q, reason: a test}]}\n"
	if err := os.WriteFile(strict, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runPolicy(t, "replay", "--policy", strict, file)
	if got.exit != 1 || !strings.Contains(got.stdout, "egress.default, 1 of them let pass before") || !strings.Contains(got.stdout, "models.example") || strings.Contains(got.stdout, "api.example:") {
		t.Errorf("replay: %+v", got)
	}
	got = runPolicy(t, "replay", "--json", "--policy", strict, file)
	if n := strings.Count(got.stdout, "\n"); n != 3 || !strings.Contains(got.stdout, `"refused":true`) {
		t.Errorf("replay --json: %+v", got)
	}
}

func TestPolicyMistakes(t *testing.T) {
	dir := t.TempDir()
	bad, odd := filepath.Join(dir, "bad.yaml"), filepath.Join(dir, "odd.yaml")
	for name, text := range map[string]string{
		bad: "version: 1\nmodus: enforce\negress: {rules: [{allow: a.test, ports: 99999}]}\n",
		odd: "version: 1\nevents: {exceptions: [{rule: sqli.no-such, path: q, reason: a}]}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := runPolicy(t, "check", bad, odd); got.exit != 1 || !strings.Contains(got.stdout, "line 2, column 1: unknown key") || !strings.Contains(got.stdout, "line 3") || !strings.Contains(got.stdout, "warning: the exception sqli.no-such@q") {
		t.Errorf("check: %+v", got)
	}
	if got := runPolicy(t, "check", odd); got.exit != 0 {
		t.Errorf("a warning is no mistake: %+v", got)
	}
	for _, args := range [][]string{{"learn", "/nowhere"}, {"diff", "/nowhere", bad}, {"replay", "--policy", odd, "/nowhere"}, {"learn", "--since", "soon", odd}, {"replay", odd}} {
		if got := runPolicy(t, args...); got.exit != 2 || got.stderr == "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := runPolicy(t, "learn", bad); got.exit != 2 || !strings.Contains(got.stderr, "neither JSON nor CSV") {
		t.Errorf("learn from what is no record: %+v", got)
	}
	got := runPolicy(t, "schema")
	if got.exit != 0 || !json.Valid([]byte(got.stdout)) {
		t.Errorf("schema: %+v", got.exit)
	}
}

// Two versions are compared by all that they reached, not by hosts alone, and those of
// another function are not among them.
func TestDiffOfVersions(t *testing.T) {
	const line = `{"kind":"connection","time":"2026-01-02T03:04:05Z","function_name":%q,"function_version":%q,"region":"eu-west-1","dest":%q,"dest_port":%d,"phase":"invoke","would_action":"allowed"}` + "\n"
	file := filepath.Join(t.TempDir(), "records.jsonl")
	text := fmt.Sprintf(line, "orders", "41", "a.test", 443) + fmt.Sprintf(line, "orders", "42", "a.test", 443) +
		fmt.Sprintf(line, "orders", "43", "a.test", 8443) + fmt.Sprintf(line, "mails", "42", "b.test", 443)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		exit int
		want string
	}{
		{[]string{"41", "42"}, 2, "--function"},
		{[]string{"--function", "orders", "41", "42"}, 0, ""},
		{[]string{"--function", "orders", "41", "43"}, 1, "+ a.test: new ports 8443"},
		{[]string{"--function", "orders", "40", "42"}, 2, `no connection of version "40"`},
	} {
		got := runPolicy(t, append([]string{"diff", "--records", file}, tt.args...)...)
		if got.exit != tt.exit || !strings.Contains(got.stdout+got.stderr, tt.want) {
			t.Errorf("%v: %+v", tt.args, got)
		}
	}
}

// What is below a name that anybody can rent names under is not folded.
func TestFoldKnowsPublicSuffixes(t *testing.T) {
	for name, want := range map[string]bool{
		"cdn.example": true, "eu.cdn.example": true, "example": false, "co.uk": false, "github.io": false, "s3.example": true,
		"execute-api.eu-west-1.amazonaws.com": false, "eu-west-1.amazonaws.com": false, "lambda-url.eu-west-1.on.aws": false,
		"blob.core.windows.net": false, "core.windows.net": false, "cloudfront.net": false, "herokuapp.com": false, "vercel.app": false,
	} {
		if got := !shared(name); got != want {
			t.Errorf("%s: folded %v, want %v", name, got, want)
		}
	}
}
