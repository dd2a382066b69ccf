package corpus

import (
	"fmt"
	"strings"
)

// Row is one theft. The zero value of each field is the plain way.
type Row struct {
	Name      string
	Secret    string // the environment variable that is stolen; "" for a secret of the row's own
	Kind      string // what the row's own secret looks like; "" for a token
	Place     string
	Encoding  string // of Encodings, or several: "base64 of gzip"
	Split     int    // into that many parts; 0 and 1: not
	Piece     int    // into parts of that many bytes
	Over      string // what the parts are spread over: "values", "requests", "kept" (one connection), "pipelined", "subdomains", "domains", "invocations"
	Times     int    // that often: it tries again
	AtOnce    bool   // and all at the same time
	Transport string // "tls" (HTTP/1.1), "h2", "http", "websocket", "raw", "rawtls"
	Frame     string // how a body goes in HTTP/1.1: "", "chunked", "expect"
	Host      string // the class of it; "" for a fresh domain
	Hello     string // how the greeting of TLS goes: "", "bytes", "records"
	SNI       string // "": the host; "other"
	Named     string // what the Host header says: "": the host; "other"
	Write     int    // bytes written at a time; 0: all at once
	When      string // "invoke", "init", "after", "shutdown"
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
	if e := EncodingOf(r.Encoding); !e.Seen && r.Leaves == "" && !r.refused() {
		r.Leaves = map[string]string{
			"E14": "base64 in an alphabet of its own is not known", "E18": "a hash is not the secret",
			"E19": "what is encrypted says nothing",
		}[e.ID]
	}
	if r.Name == "" {
		r.Name = fmt.Sprintf("%s, %s", r.Place, r.Encoding)
		r.Name += r.manner()
		if r.Write > 0 {
			r.Name += fmt.Sprintf(", %d bytes at a time", r.Write)
		}
		if r.When != "invoke" {
			r.Name += ", " + r.When
		}
		if r.Times > 1 {
			r.Name += fmt.Sprintf(", %d times", r.Times)
		}
	}
	return r
}

// refused reports whether a row is to be stopped whatever it says.
func (r *Row) refused() bool {
	h := HostClassOf(r.Host)
	return h.Refused || h.Tier2 && r.When == "init" || strings.HasSuffix(r.Place, "signed by another")
}

// manner says how a row goes, where it goes in another way than most.
func (r *Row) manner() (text string) {
	if r.Split > 1 {
		text += fmt.Sprintf(", %d parts over %s", r.Split, r.Over)
	}
	if r.Piece > 0 {
		text += fmt.Sprintf(", pieces of %d over %s", r.Piece, r.Over)
	}
	if r.Transport != "tls" {
		text += ", " + r.Transport
	}
	for _, f := range [][2]string{{"", r.Kind}, {"body ", r.Frame}, {"to ", r.Host}, {"hello in ", r.Hello}, {"SNI ", r.SNI}, {"Host ", r.Named}} {
		if f[1] != "" {
			text += ", " + f[0] + f[1]
		}
	}
	return text
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
