package corpus

import (
	"fmt"
	"strings"
)

// Row is one theft.
type Row struct {
	Name      string
	Secret    string // the environment variable that is stolen; "" for a token of the row's own
	Place     string
	Encoding  string
	Split     int    // into that many parts; 0 and 1: not
	Over      string // what the parts are spread over: "values", "requests" or "invocations"
	Transport string // "tls" (HTTP/1.1), "h2", "http", "websocket", "raw"
	Write     int    // bytes written at a time; 0: all at once
	When      string // "invoke", "init", "after"
	// Leaves says that nobody is expected to stop it, and why.
	Leaves string
}

func (r *Row) String() string { return r.Name }

// defaults fills in what a row leaves out.
func (r Row) defaults() Row {
	for _, f := range []struct {
		field *string
		value string
	}{{&r.Place, "query"}, {&r.Encoding, "none"}, {&r.Transport, "tls"}, {&r.When, "invoke"}} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	if e := EncodingOf(r.Encoding); !e.Seen && r.Leaves == "" {
		r.Leaves = map[string]string{
			"E14": "base64 in an alphabet of its own is not known", "E18": "a hash is not the secret",
			"E19": "what is encrypted says nothing",
		}[e.ID]
	}
	if r.Name == "" {
		r.Name = fmt.Sprintf("%s, %s", r.Place, r.Encoding)
		if r.Split > 1 {
			r.Name += fmt.Sprintf(", %d parts over %s", r.Split, r.Over)
		}
		if r.Transport != "tls" {
			r.Name += ", " + r.Transport
		}
		if r.Write > 0 {
			r.Name += fmt.Sprintf(", %d bytes at a time", r.Write)
		}
		if r.When != "invoke" {
			r.Name += ", " + r.When
		}
	}
	return r
}

// Incidents are thefts that happened, as far as they pass a proxy: what each sent,
// and where in the request. Who did it stands in public reports.
var Incidents = []Row{
	{Name: "T01 ctx 0.1.2-1: path in clear", Secret: "AWS_SECRET_ACCESS_KEY", Place: "path"},
	{Name: "T02 ctx 0.2.6: path, base64 of the environment", Secret: "AWS_SECRET_ACCESS_KEY", Place: "path", Encoding: "base64+2"},
	{Name: "T03 phpass: path, plain HTTP", Secret: "AWS_SECRET_ACCESS_KEY", Place: "path", Transport: "http"},
	{Name: "T04 PureSec: environment in the URL", Place: "query"},
	{Name: "T05 crossenv: form, base64, plain HTTP", Place: "form", Encoding: "base64+2", Transport: "http"},
	{Name: "T06 eslint-scope: Referer", Place: "Referer"},
	{Name: "T08 Codecov: body in clear, plain HTTP", Secret: "AWS_SECRET_ACCESS_KEY", Place: "body", Transport: "http"},
	{Name: "T11 loglib: multipart, plain HTTP", Secret: "AWS_SESSION_TOKEN", Place: "multipart", Transport: "http"},
	{Name: "T12 fabrice: JSON of the credentials", Secret: "AWS_SECRET_ACCESS_KEY", Place: "JSON"},
	{Name: "T13 web3.js: base64 in a header", Place: "header", Encoding: "base64+1"},
	{Name: "T14 chat webhook: JSON", Place: "JSON"},
	{Name: "T15 bot: text in the query", Place: "query"},
	{Name: "T18 GhostAction: body", Place: "body"},
	{Name: "T19 Nx: base64 three times", Place: "JSON", Encoding: "base64x3"},
	{Name: "T20 Shai-Hulud: base64 twice", Place: "JSON", Encoding: "base64x2"},
	{Name: "T23 LiteLLM: tar, encrypted", Place: "body", Encoding: "AES"},
	{Name: "T24 telnyx: the same uploader", Place: "multipart", Encoding: "AES"},
	{Name: "T27 node-ipc: substituted base64", Place: "query", Encoding: "substituted base64"},
}

// Rows is the corpus: every encoding in a few places, every place in a few encodings,
// and what else a thief may vary.
func Rows() []Row {
	var rows []Row
	add := func(r Row) { rows = append(rows, r.defaults()) }
	for _, r := range Incidents {
		add(r)
	}
	for _, e := range Encodings {
		places := []string{"query", "header", "JSON", "body"}
		if e.Binary {
			places = []string{"body", "multipart"}
		}
		if e.Name == "case folded" {
			places = []string{"host"}
		}
		for _, p := range places {
			add(Row{Place: p, Encoding: e.Name})
		}
	}
	for _, p := range Placements {
		for _, e := range []string{"none", "base64", "hex", "base32"} {
			switch {
			case p.Host && e == "base64", p.Name == "query" || p.Name == "header" || p.Name == "JSON" || p.Name == "body":
				continue // a name has no case; the loop above has them
			}
			add(Row{Place: p.Name, Encoding: e})
		}
	}
	for _, r := range variants {
		add(r)
	}
	seen := map[string]bool{}
	for i := range rows {
		for n := 2; seen[rows[i].Name]; n++ {
			rows[i].Name = fmt.Sprintf("%s (%d)", strings.TrimRight(rows[i].Name, " ()0123456789"), n)
		}
		seen[rows[i].Name] = true
	}
	return rows
}

// variants are what a thief may do differently.
var variants = []Row{
	// Split.
	{Place: "query", Split: 4, Over: "values"},
	{Place: "header", Split: 4, Over: "values"},
	{Place: "Cookie", Split: 3, Over: "values"},
	{Place: "JSON", Split: 4, Over: "values"},
	{Place: "form", Split: 3, Over: "values"},
	{Place: "query", Split: 2, Over: "requests"},
	{Place: "query", Split: 4, Over: "requests"},
	{Place: "header", Split: 3, Over: "requests"},
	{Place: "JSON", Split: 4, Over: "requests"},
	{Place: "path", Encoding: "hex", Split: 4, Over: "requests"},
	{Place: "query", Encoding: "base64", Split: 3, Over: "requests"},
	{Place: "host", Encoding: "base32", Split: 2, Over: "requests"},
	{Place: "query", Split: 4, Over: "invocations"},
	{Place: "header", Encoding: "base64", Split: 3, Over: "invocations"},
	{Place: "JSON", Encoding: "hex", Split: 4, Over: "invocations"},
	// How it is written.
	{Place: "body", Write: 1},
	{Place: "body", Encoding: "base64", Write: 1},
	{Place: "body", Encoding: "hex", Write: 1},
	{Place: "body", Encoding: "base64x2", Write: 1},
	{Place: "body", Encoding: "reversed", Write: 1},
	{Place: "body", Encoding: "bare gzip", Write: 1},
	{Place: "body", Encoding: "zip", Write: 1},
	{Place: "body", Encoding: "xor", Write: 1},
	{Place: "JSON", Encoding: "percent", Write: 1},
	{Place: "JSON", Encoding: "JSON escapes", Write: 3},
	{Place: "large body", Write: 1 << 20},
	{Place: "large body", Encoding: "base64", Write: 1 << 20},
	{Place: "large body", Encoding: "hex", Write: 1000},
	{Place: "multipart", Encoding: "none", Write: 7},
	{Place: "trailer", Write: 1},
	// The way there.
	{Place: "path", Transport: "h2"}, {Place: "query", Transport: "h2"}, {Place: "header", Transport: "h2"}, {Place: "JSON", Transport: "h2"},
	{Place: "body", Encoding: "gzip", Transport: "h2"}, {Place: "Cookie", Transport: "h2"}, {Place: "header", Encoding: "base64", Transport: "h2"},
	{Place: "body", Encoding: "base64", Transport: "h2"}, {Place: "Basic", Transport: "h2"},
	{Place: "path", Transport: "http"}, {Place: "header", Transport: "http"}, {Place: "JSON", Encoding: "base64", Transport: "http"},
	{Place: "body", Encoding: "gzip", Transport: "http"}, {Place: "trailer", Transport: "http"}, {Place: "Cookie", Encoding: "hex", Transport: "http"},
	{Place: "body", Transport: "websocket"}, {Place: "body", Encoding: "base64", Transport: "websocket"}, {Place: "body", Encoding: "hex", Transport: "websocket"},
	{Place: "body", Encoding: "none", Transport: "websocket", Write: 5}, {Place: "body", Encoding: "base64x2", Transport: "websocket"},
	{Place: "body", Transport: "raw"}, {Place: "body", Encoding: "base64", Transport: "raw"}, {Place: "body", Encoding: "hex", Transport: "raw", Write: 1},
	{Place: "body", Encoding: "bare gzip", Transport: "raw"},
	// When.
	{Place: "query", When: "init"}, {Place: "JSON", Encoding: "base64", When: "init"}, {Place: "header", Encoding: "hex", When: "init"},
	{Place: "query", When: "after"}, {Place: "JSON", Encoding: "base64x2", When: "after"}, {Place: "body", Encoding: "gzip", When: "after"},
	// Whose.
	{Secret: "AWS_SECRET_ACCESS_KEY", Place: "header"}, {Secret: "AWS_SECRET_ACCESS_KEY", Place: "JSON", Encoding: "base64"},
	{Secret: "AWS_SESSION_TOKEN", Place: "query"}, {Secret: "AWS_SESSION_TOKEN", Place: "header", Encoding: "base64"}, {Secret: "AWS_SESSION_TOKEN", Place: "body", Encoding: "gzip"},
	{Secret: "DATABASE_URL", Place: "JSON"}, {Secret: "DATABASE_URL", Place: "query", Encoding: "base64"},
	{Secret: "SIGNING_KEY", Place: "body"}, {Secret: "SIGNING_KEY", Place: "body", Encoding: "base64"}, {Secret: "SIGNING_KEY", Place: "JSON", Encoding: "base64"},
	{Secret: "SERVICE_JWT", Place: "header"}, {Secret: "SERVICE_JWT", Place: "body", Encoding: "hex"},
}
