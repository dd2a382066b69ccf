package checker_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"gatehouse/examples/sns-db-checker/checker"
)

func TestHandle(t *testing.T) {
	var logged bytes.Buffer
	before := log.Writer()
	t.Cleanup(func() { log.SetOutput(before) })
	log.SetOutput(&logged)
	rates := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(`{"USD":1.08}`)) }))
	t.Cleanup(rates.Close)
	path := filepath.Join(t.TempDir(), "a b.db")
	c, err := checker.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	c.Rates = rates.URL
	const (
		nothing = `{"count":0,"rows":[],"total":"0.00 EUR"}`
		widget  = `{"count":1,"rows":[{"id":1,"name":"blue widget","cents":1250}],"total":"12.50 EUR"}`
	)
	for _, test := range []struct{ name, message, want, log string }{
		{"plain name", "blue widget", widget, ""},
		{"name in JSON", `{"name":"blue widget","quantity":3}`, widget, ""},
		{"order in JSON", `{"order":"blue widget"}`, widget, ""},
		{"unknown", "moon", nothing, ""},
		{"a number as order", `{"order":17}`, nothing, ""},
		{"rates", `{"rates":true}`, `{"count":0,"rows":[],"total":"0.00 EUR","rates":"{\"USD\":1.08}"}`, ""},
		{"a quote breaks the statement", "O'Brien", nothing, "checking order: "},
		{"the flaw answers", "x' UNION SELECT id, password, 1 FROM users WHERE id=1--", `{"count":1,"rows":[{"id":1,"name":"made-up-7f3a","cents":1}],"total":"0.01 EUR"}`, ""},
		{"too much memory is an error", "x' OR 1=LENGTH(HEX(RANDOMBLOB(900000000)))--", nothing, "too big"},
		{"too much time is an error", "x' OR 1<(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT COUNT(*) FROM c)--", nothing, "checking order: "},
		{"no file is made", "x';ATTACH DATABASE '/tmp/never.db' AS n--", nothing, "attached"},
		{"a second statement runs", "x';UPDATE articles SET cents=1 WHERE id=1--", nothing, ""},
		{"and has effect", "blue widget", strings.NewReplacer("1250", "1", "12.50", "0.01").Replace(widget), ""},
	} {
		logged.Reset()
		event := events.SNSEvent{Records: []events.SNSEventRecord{{SNS: events.SNSEntity{MessageID: test.name, Message: test.message}}}}
		answer, err := c.Handle(t.Context(), event)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		got, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != test.want {
			t.Errorf("%s: answer %s, want %s", test.name, got, test.want)
		}
		if line := logged.String(); strings.Count(line, "\n") > 1 || (test.log == "") != (line == "") || !strings.Contains(line, test.log) {
			t.Errorf("%s: log %q, want one line with %q", test.name, line, test.log)
		}
	}
	if n := audited(t, path); n != 13 {
		t.Errorf("%d messages in the audit, want 13", n)
	}
}

func audited(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(context.Background(), "SELECT COUNT(DISTINCT message_id) FROM audit").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
