package hec_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"gatehouse/internal/console"
)

// kept is one event as our console has it.
type kept struct {
	sourcetype, source, host, index string
	event                           string // JSON
	fields                          sql.NullString
	time                            int64 // Unix, nanoseconds
}

// text returns the event where it is a string.
func (k kept) text() string {
	var s string
	_ = json.Unmarshal([]byte(k.event), &s) // "" for what is none
	return s
}

// newConsole starts a console. list stops it and returns what it has, in the order in which
// it came.
func newConsole(t *testing.T, ack bool) (con *console.Console, list func() []kept) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.db")
	con, err := console.Open(t.Context(), console.Config{Path: path, HECToken: token, UseACK: ack})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = con.Close() })
	return con, func() (all []kept) {
		if err := con.Close(); err != nil {
			t.Error(err)
		}
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		rows, err := db.Query("SELECT sourcetype, source, host, idx, time, event, fields FROM records JOIN bodies USING (seq) ORDER BY seq")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var k kept
			if err := rows.Scan(&k.sourcetype, &k.source, &k.host, &k.index, &k.time, &k.event, &k.fields); err != nil {
				t.Fatal(err)
			}
			all = append(all, k)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
}

// sameTexts fails where got are not want, each once.
func sameTexts(t *testing.T, got, want []string) {
	t.Helper()
	n := make(map[string]int)
	for _, s := range want {
		n[s]++
	}
	for _, s := range got {
		n[s]--
	}
	for s, left := range n {
		if left != 0 {
			t.Errorf("%d too few of %.200q", left, s)
		}
	}
}

// lines are n lines with what JSON has to escape, one of them long.
func lines(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("line %d: \"quoted\" \\ \t <b> & Grüße \u2028 %0*d", i, 1+i%100*i%3000, i))
	}
	return list
}
